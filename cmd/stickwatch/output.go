package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"stickwatch/internal/logwriter"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/render"
)

// formats are the values of --output of probe, the default first.
var formats = append(slices.Clone(render.Formats), "prometheus")

// writeResults writes the results of probe in one of formats. It writes nothing if
// rendering fails.
func writeResults(w io.Writer, format string, r render.Results, opts render.Options) error {
	if format != "prometheus" {
		return render.Report(w, format, r, opts)
	}
	var b bytes.Buffer
	if err := metrics.Write(&b, r.Clusters, watchMetrics(r)); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// watchMetrics returns the metrics of the watches of r.
func watchMetrics(r render.Results) []metrics.Watch {
	var list []metrics.Watch
	for _, c := range r.Clusters {
		if w, ok := r.Watches[c.Cluster]; ok {
			s := w.Summary()
			list = append(list, metrics.Watch{
				Cluster: w.Cluster, Sessions: s.Sessions, Lost: s.Lost, Moved: s.Moved, LongestOutage: s.LongestOutage,
				Requests: w.Requests, Failed: w.Failed,
			})
		}
	}
	return list
}

// terminalOptions returns the options of the renderers for f. Width and colour are set only if f is
// a terminal; environ may disable colour (NO_COLOR, TERM=dumb).
func terminalOptions(f *os.File, environ []string) render.Options {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return render.Options{}
	}
	opts := render.Options{Colour: colorprofile.Env(environ) >= colorprofile.ANSI}
	if width, _, err := term.GetSize(fd); err == nil {
		opts.Width = width
	}
	return opts
}

// A statusLine is one line on a terminal that tells how far things are and is
// overwritten. Off a terminal it only says what changes.
type statusLine struct {
	mu    sync.Mutex
	out   *logwriter.Writer // never waits
	live  bool
	width int
	last  string // what was said last
	waits bool   // what is waited for stands there
}

func newStatusLine(c console) *statusLine {
	s := &statusLine{out: logwriter.New(c.err, nil)}
	fd := int(c.err.Fd())
	if !term.IsTerminal(fd) || slices.Contains(c.environ, "TERM=dumb") {
		return s
	}
	s.live, s.width = true, 80
	if width, _, err := term.GetSize(fd); err == nil {
		s.width = max(width, 40)
	}
	return s
}

// show tells the progress of a round; only a terminal sees it.
func (s *statusLine) show(p monitor.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.overwrite(fmt.Sprintf("%s: %s %d/%d", p.Cluster, p.Stage, p.Done, p.Total))
	}
}

// unlessWaiting is show as long as the line does not say what is waited for,
// which is more than how far the next look at it is.
func (s *statusLine) unlessWaiting(p monitor.Progress) {
	s.mu.Lock()
	waits := s.waits
	s.mu.Unlock()
	if !waits {
		s.show(p)
	}
}

// wait says what is waited for, on a terminal with the time that is left.
func (s *statusLine) wait(text string, left time.Duration) {
	s.mu.Lock()
	s.waits = true
	if s.live {
		text = fmt.Sprintf("(%s left) %s", left.Round(time.Second), text)
	}
	s.mu.Unlock()
	s.log(text)
}

// log tells something worth a line in a log, once.
func (s *statusLine) log(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = render.CleanSentence(text)
	switch {
	case s.live:
		s.overwrite(text)
	case text != s.last:
		fmt.Fprintln(s.out, "stickwatch: "+text)
	}
	s.last = text
}

// printAfter says something after the results, where it stays; nothing for no text.
func (s *statusLine) printAfter(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text != "" {
		fmt.Fprintln(s.out, "stickwatch: "+render.CleanSentence(text))
	}
	s.out.Flush(lastWords)
}

// clear removes the line, so that results begin on a clean one.
func (s *statusLine) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.overwrite("")
	}
	s.out.Flush(lastWords)
}

// overwrite puts text in the place of the line, less a column: a full line
// would begin another one.
func (s *statusLine) overwrite(text string) {
	const clearLine = "\r\x1b[K"
	fmt.Fprint(s.out, clearLine+render.Clean(text, s.width-1))
}
