package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"stickwatch/probes"
)

// A Follower reads an nginx error log as it grows, each line once. It follows rotation
// by renaming, in which case it reads the renamed file to its end, and by copying and
// truncating. A call reads at most the newest 1 MiB of a file.
//
// It is not safe for concurrent use.
type Follower struct {
	path       string
	failureLog *failureLog
	files      []*tail       // the log, after files that were renamed recently
	ahead      time.Duration // by how much the file's time is after that of its last line
}

// Follow returns a follower of the error log at path. It opens nothing yet, so the log
// need not exist.
func Follow(path string, o NginxOptions) *Follower {
	return &Follower{path: path, failureLog: newFailureLog(o)}
}

// Close closes the files.
func (f *Follower) Close() error {
	var errs []error
	for _, t := range f.files {
		errs = append(errs, t.file.Close())
	}
	f.files = nil
	return errors.Join(errs...)
}

// Read reads the lines written since the last call, and returns the state of the
// servers at now. It stops between files once ctx has ended, but cannot interrupt a
// file system that hangs.
func (f *Follower) Read(ctx context.Context, now time.Time) probes.EvidenceObservation {
	obs := probes.EvidenceObservation{
		Kind:   probes.EvidenceNginxErrorLog,
		Source: "nginx error log " + probes.Clean(f.path, probes.MaxError),
		At:     now,
	}
	if err := f.advance(ctx, now); err != nil {
		obs.Error = probes.Clean(err.Error(), probes.MaxError)
		return obs
	}
	obs.Servers, obs.Pools = f.failureLog.evidence(f.failureLog.servers, now), f.failureLog.evidence(f.failureLog.pools, now)
	if f.misdated() {
		discardStates(obs.Servers)
		discardStates(obs.Pools)
	}
	obs.NoAbsence = f.noAbsence(now)
	return obs
}

// advance reads the new lines of every file. It closes files that were renamed before
// the last call, because nginx has reopened its logs since.
func (f *Follower) advance(ctx context.Context, now time.Time) error {
	renamed := max(0, len(f.files)-1)
	if err := f.reopen(); err != nil {
		return err
	}
	for _, t := range f.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.drain(t, now); err != nil {
			return err
		}
	}
	for _, t := range f.files[:renamed] {
		t.file.Close()
	}
	f.files = f.files[renamed:]
	return nil
}

// reopen opens the file at the path, unless it is open. While there is none, as in the
// middle of a rotation, nginx writes to the old one.
func (f *Follower) reopen() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) && len(f.files) > 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return fmt.Errorf("reading %q: it is not a regular file; nginx may log to its standard error", f.path)
	}
	if n := len(f.files); n > 0 && f.files[n-1].is(info) {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	f.files = append(f.files, &tail{file: file})
	return nil
}

// drain reads the lines that were appended to a file.
func (f *Follower) drain(t *tail, now time.Time) error {
	c, err := t.next()
	if err != nil {
		return err
	}
	if c.gap {
		f.failureLog.markGap()
	}
	zone := f.failureLog.options.zone()
	for text := range strings.Lines(c.text) {
		l, ok := parseLine(strings.TrimRight(text, "\r\n"), zone)
		if !ok {
			f.ahead = 0 // another program wrote last, maybe long after nginx
			continue
		}
		f.ahead = c.written.Sub(l.at)
		f.failureLog.add(l, now)
	}
	f.failureLog.markRead(now)
	return nil
}

// misdated reports whether the file was written at another time than its last line has.
// Then the time zone is wrong or the file is a copy, and the present state is unknown.
func (f *Follower) misdated() bool { return f.ahead.Abs() > time.Minute }

func discardStates(list []probes.ServerEvidence) {
	for i := range list {
		list[i].State, list[i].Since, list[i].Failures = probes.ServerUnknown, time.Time{}, probes.Failures{}
	}
}

// noAbsence returns the reason why an ejection may be missing from the log; "": none
// is.
func (f *Follower) noAbsence(now time.Time) string {
	covered := now.Sub(f.failureLog.since)
	switch {
	case f.misdated():
		return fmt.Sprintf("the time of its last line and that of the file differ by %s: is it in another time zone?",
			f.ahead.Abs().Round(time.Second))
	case !f.failureLog.belowError:
		return "no line below the level error was seen, so it may leave out ejections: error_log needs the level warn"
	case covered < f.failureLog.options.ejectionTime():
		return fmt.Sprintf("its lines cover only the last %s", max(0, covered).Round(time.Second))
	default:
		return ""
	}
}

const (
	maxTail = 1 << 20 // bytes read by one call
	maxLine = 8 << 10 // bytes; nginx cuts its lines at 2 KiB
	maxMark = 64      // bytes by which a file that was already read is recognised
)

// A tail is an open file, and the end of the last line that was read.
type tail struct {
	file   *os.File
	offset int64
	mark   []byte // the bytes before offset
}

// A chunk is a number of whole lines.
type chunk struct {
	text    string
	written time.Time // when the file was last written to
	gap     bool      // lines before it were lost, or may have been
}

func (t *tail) is(info fs.FileInfo) bool {
	own, err := t.file.Stat()
	return err == nil && os.SameFile(own, info)
}

// next reads the lines that were appended. It leaves an incomplete line for the next
// call.
func (t *tail) next() (chunk, error) {
	info, err := t.file.Stat()
	if err != nil {
		return chunk{}, err
	}
	c := chunk{written: info.ModTime()}
	if t.truncated(info.Size()) {
		t.offset, t.mark, c.gap = 0, nil, true
	}
	if skipped := info.Size() - t.offset - maxTail; skipped > 0 {
		t.offset, t.mark, c.gap = t.offset+skipped, nil, true
	}
	buffer := make([]byte, info.Size()-t.offset)
	n, err := t.file.ReadAt(buffer, t.offset)
	if err != nil && !errors.Is(err, io.EOF) { // the file may have been truncated after Stat
		return chunk{}, err
	}
	text := buffer[:n]
	end := bytes.LastIndexByte(text, '\n') + 1
	if end == 0 && len(text) > maxLine {
		end = len(text) // too long for a line of nginx
	}
	text = text[:end]
	t.offset += int64(end)
	t.mark = lastBytes(append(t.mark, text...), maxMark)
	c.text = string(text)
	return c, nil
}

// truncated reports whether the file was truncated. If it has grown beyond the old
// offset since, the bytes before the offset show it.
func (t *tail) truncated(size int64) bool {
	if size < t.offset {
		return true
	}
	found := make([]byte, len(t.mark))
	n, err := t.file.ReadAt(found, t.offset-int64(len(t.mark)))
	return err != nil && err != io.EOF || !bytes.Equal(found[:n], t.mark)
}

func lastBytes(b []byte, n int) []byte {
	return bytes.Clone(b[max(0, len(b)-n):])
}
