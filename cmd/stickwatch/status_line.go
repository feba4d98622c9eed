package main

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/term"

	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// A statusLine is one line on a terminal that tells how far things are and is
// overwritten. Off a terminal it only says what changes.
type statusLine struct {
	mu    sync.Mutex
	file  *os.File
	live  bool
	width int
	last  string // what was said last
}

func newStatusLine(c console) *statusLine {
	s := &statusLine{file: c.err, width: 80}
	fd := int(c.err.Fd())
	if s.live = term.IsTerminal(fd); s.live {
		if width, _, err := term.GetSize(fd); err == nil {
			s.width = width
		}
	}
	return s
}

// show tells the progress of a round; only a terminal sees it.
func (s *statusLine) show(p monitor.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.write(fmt.Sprintf("%s: %s %d/%d", p.Cluster, p.Stage, p.Done, p.Total))
	}
}

// say tells something worth a line in a log, once.
func (s *statusLine) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = probes.Clean(text, 400)
	switch {
	case s.live:
		s.write(text)
	case text != s.last:
		fmt.Fprintln(s.file, "stickwatch: "+text)
	}
	s.last = text
}

// clear removes the line, so that results begin on a clean one.
func (s *statusLine) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		fmt.Fprint(s.file, "\r\x1b[K")
	}
}

func (s *statusLine) write(text string) {
	fmt.Fprint(s.file, "\r\x1b[K"+probes.Clean(text, max(20, s.width-1)))
}
