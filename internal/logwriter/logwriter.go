// Package logwriter writes lines to a file that may block, such as a pipe whose reader
// has stopped, and never blocks its callers.
package logwriter

import (
	"io"
	"sync"
	"time"

	"stickwatch/internal/panics"
)

// maxQueue bounds the queue, in bytes.
const maxQueue = 1 << 20

// A Writer queues lines, which one goroutine writes. It drops and counts lines that
// exceed the queue or cannot be written. It is safe for concurrent use.
type Writer struct {
	out     io.Writer
	gapLine func(lines int64) []byte

	mu         sync.Mutex // guards the fields below
	queue      [][]byte
	bytes      int
	unreported int64 // lines dropped since the last gap line
	dropped    int64
	writing    bool
	idle       chan struct{} // closed when the queue is empty and nothing is being written; nil: nothing waits for it
	wake       chan struct{} // has room for one signal
}

// New returns a Writer to out. After lines were dropped and out accepts lines again,
// gapLine returns a line with the number of missing lines; nil: no such line is
// written.
func New(out io.Writer, gapLine func(lines int64) []byte) *Writer {
	w := &Writer{out: out, gapLine: gapLine, wake: make(chan struct{}, 1)}
	panics.Go(panics.Daemon, w.run)
	return w
}

// Write queues a line. It never blocks and never fails.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bytes+len(line) > maxQueue || w.unreported > 0 && len(w.queue) > 0 {
		w.drop() // until the queue is empty, so that one gap line reports all of them
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

// Dropped returns the number of dropped lines.
func (w *Writer) Dropped() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Flush waits until everything is written, for at most timeout.
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

// run writes queued lines until the process ends.
func (w *Writer) run() {
	for range w.wake {
		for line := w.next(); line != nil; line = w.next() {
			w.write(line)
		}
	}
}

// next removes a line from the queue; nil: the queue is empty.
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

// write writes a line and, after the last line before a gap, the gap line.
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
