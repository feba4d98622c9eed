package evidence

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	maxTail = 1 << 20 // bytes read at a time
	maxLine = 8 << 10 // nginx cuts its lines at 2 KiB
	maxMark = 64      // bytes by which a file is known to be the one that was read
)

// A tail is a file that grows, and how far it was read: to the end of a line.
type tail struct {
	file   *os.File
	offset int64
	mark   []byte // what stands before offset
}

// A chunk is a run of whole lines.
type chunk struct {
	text    string
	written time.Time // when the file was last written to
	missed  bool      // lines before it were or may have been lost
}

func (t *tail) is(info fs.FileInfo) bool {
	own, err := t.file.Stat()
	return err == nil && os.SameFile(own, info)
}

// next reads the lines that were appended. An unfinished one is left for later.
func (t *tail) next() (chunk, error) {
	info, err := t.file.Stat()
	if err != nil {
		return chunk{}, err
	}
	c := chunk{written: info.ModTime()}
	if t.truncated(info.Size()) {
		t.offset, t.mark, c.missed = 0, nil, true
	}
	if skipped := info.Size() - t.offset - maxTail; skipped > 0 {
		t.offset, t.mark, c.missed = t.offset+skipped, nil, true
	}
	buffer := make([]byte, info.Size()-t.offset)
	n, err := t.file.ReadAt(buffer, t.offset)
	if err != nil && err != io.EOF { // it may have been truncated meanwhile
		return chunk{}, err
	}
	text := buffer[:n]
	end := bytes.LastIndexByte(text, '\n') + 1
	if end == 0 && len(text) > maxLine {
		end = len(text) // no line of nginx's
	}
	text = text[:end]
	t.offset += int64(end)
	t.mark = lastBytes(append(t.mark, text...), maxMark)
	c.text = string(text)
	return c, nil
}

// truncated reports whether the file was emptied since. One that has already
// grown past the old end is known by what stands before it.
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
