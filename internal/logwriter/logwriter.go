// Package logwriter writes lines to a file that may block, such as a pipe whose
// reader has stopped, and never lets its callers wait.
package logwriter

import (
	"io"
	"sync"
	"time"

	"stickwatch/internal/panics"
)

// maxQueue bounds the lines that wait, in bytes.
const maxQueue = 1 << 20

// A Writer queues what is written, and has one goroutine hand it on. What does not
// fit into the queue, or cannot be written, is dropped and counted. Its methods may
// be called from many goroutines.
type Writer struct {
	out     io.Writer
	gapLine func(lines int64) []byte

	mu         sync.Mutex // guards what follows
	queue      [][]byte
	bytes      int
	unreported int64 // lines dropped since the last notice
	dropped    int64
	writing    bool
	idle       chan struct{} // closed once nothing waits; nil: nobody wants to know
	wake       chan struct{} // holds one
}

// New returns a Writer to out. Once out takes lines again, notice makes the line
// that says how many are missing; nil: there is none.
func New(out io.Writer, gapLine func(lines int64) []byte) *Writer {
	w := &Writer{out: out, gapLine: gapLine, wake: make(chan struct{}, 1)}
	panics.Go(panics.Daemon, w.run)
	return w
}

// Write queues a line. It never waits and never fails.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bytes+len(line) > maxQueue || w.unreported > 0 && len(w.queue) > 0 {
		w.drop() // until the queue is empty: the notice tells of one gap, and not of many
		return len(line), nil
	}
	w.queue = append(w.queue, append([]byte(nil), line...))
	w.bytes += len(line)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// Dropped is how many lines were dropped.
func (w *Writer) Dropped() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Flush waits until everything is written, for at most patience.
func (w *Writer) Flush(timeout time.Duration) {
	w.mu.Lock()
	if !w.writing && len(w.queue) == 0 {
		w.mu.Unlock()
		return
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(timeout):
	}
}

func (w *Writer) drop() {
	w.unreported++
	w.dropped++
}

// run writes what is queued for as long as the process lives.
func (w *Writer) run() {
	for range w.wake {
		for line := w.next(); line != nil; line = w.next() {
			w.write(line)
		}
	}
}

// next takes a line off the queue; nil: there is none.
func (w *Writer) next() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.queue, w.writing = nil, false
		if w.idle != nil {
			close(w.idle)
			w.idle = nil
		}
		return nil
	}
	line := w.queue[0]
	w.queue, w.bytes, w.writing = w.queue[1:], w.bytes-len(line), true
	return line
}

// write writes a line and, after the last one before a gap, how many are missing.
func (w *Writer) write(line []byte) {
	_, err := w.out.Write(line)
	w.mu.Lock()
	unreported := w.unreported
	switch {
	case err != nil:
		w.drop()
		unreported = 0
	case len(w.queue) > 0 || w.gapLine == nil:
		unreported = 0
	default:
		w.unreported = 0
	}
	w.mu.Unlock()
	if unreported == 0 {
		return
	}
	if _, err := w.out.Write(w.gapLine(unreported)); err != nil {
		w.mu.Lock()
		w.unreported += unreported
		w.mu.Unlock()
	}
}
