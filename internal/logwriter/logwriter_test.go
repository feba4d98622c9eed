package logwriter

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A gate is a file that blocks while it is shut.
type gate struct {
	open chan struct{}
	err  error
	got  bytes.Buffer
}

func (g *gate) Write(line []byte) (int, error) {
	<-g.open
	if g.err != nil {
		return 0, g.err
	}
	return g.got.Write(line)
}

func gapLine(lines int64) []byte { return fmt.Appendf(nil, "%d lines are missing\n", lines) }

// TestBlocked: callers do not wait for a file that blocks. After it is free again, the
// queued lines follow in order, and one line has the number of missing ones.
func TestBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := New(g, gapLine)
		defer close(w.wake)
		line := append(bytes.Repeat([]byte("x"), 1023), '\n')
		const lines = 3000
		for range lines {
			if n, err := w.Write(line); n != len(line) || err != nil {
				t.Fatalf("got %d, %v", n, err)
			}
		}
		w.Flush(time.Hour) // it times out
		dropped := w.Dropped()
		if dropped < lines-maxQueue/1024-1 || dropped >= lines {
			t.Errorf("got %d lines dropped of %d", dropped, lines)
		}
		close(g.open)
		synctest.Wait()
		w.Write([]byte("after\n"))
		synctest.Wait()
		got := strings.SplitAfter(g.got.String(), "\n")
		want := fmt.Sprintf("%d lines are missing\n", dropped)
		if n := int64(len(got)); n != lines-dropped+3 || got[n-3] != want || got[n-2] != "after\n" {
			t.Errorf("got %d lines that end with %q, want %d and %q", n, got[n-3:], lines-dropped+3, want)
		}
	})
}

// TestUnwritable: lines that cannot be written are counted, and reported later.
func TestUnwritable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{}), err: errors.New("broken pipe")}
		close(g.open)
		w := New(g, gapLine)
		defer close(w.wake)
		for range 3 {
			w.Write([]byte("lost\n"))
			synctest.Wait()
		}
		g.err = nil
		w.Write([]byte("back\n"))
		w.Flush(time.Hour)
		synctest.Wait()
		if got, want := g.got.String(), "back\n3 lines are missing\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := w.Dropped(); got != 3 {
			t.Errorf("got %d dropped, want 3", got)
		}
	})
}

// TestLinesAreCopied: slog reuses its buffer.
func TestLinesAreCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := New(g, nil)
		defer close(w.wake)
		line := []byte("one\n")
		w.Write(line)
		copy(line, "two\n")
		close(g.open)
		synctest.Wait()
		if got := g.got.String(); got != "one\n" {
			t.Errorf("got %q", got)
		}
	})
}
