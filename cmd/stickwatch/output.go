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
	"stickwatch/internal/phrase"
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

func watchMetrics(r render.Results) []metrics.WatchResult {
	var list []metrics.WatchResult
	for _, c := range r.Clusters {
		if w, ok := r.Watches[c.Cluster]; ok {
			s := w.Summary()
			list = append(list, metrics.WatchResult{
				Cluster: w.Cluster, Sessions: s.Sessions, Lost: s.Lost, Moves: s.Moved, LongestOutage: s.LongestOutage,
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

// A statusLine shows progress on standard error. On a terminal it overwrites one line;
// elsewhere it writes a log line for each change.
type statusLine struct {
	mu    sync.Mutex
	out   *logwriter.Writer // never blocks
	live  bool              // on a terminal
	width int
	last  string // last text of log
	waits bool   // it shows the goals of --wait

	reader phrase.Reader
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

// show shows the progress of a round, on a terminal only.
func (s *statusLine) show(p monitor.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.overwrite(fmt.Sprintf("%s: %s %d/%d", p.Cluster, s.reader.Translate(p.Stage), p.Done, p.Total))
	}
}

// unlessWaiting is show, unless the line shows the goals of --wait.
func (s *statusLine) unlessWaiting(p monitor.Progress) {
	s.mu.Lock()
	waits := s.waits
	s.mu.Unlock()
	if !waits {
		s.show(p)
	}
}

// wait shows the goals of --wait, on a terminal with the remaining time.
func (s *statusLine) wait(text string, remaining time.Duration) {
	s.mu.Lock()
	s.waits = true
	if s.live {
		text = s.reader.Translate("(%s left) %s", remaining.Round(time.Second), text)
	}
	s.mu.Unlock()
	s.log(text)
}

// log writes a log line, unless it equals the previous one.
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

// printAfter writes a permanent line after the results; nothing for "".
func (s *statusLine) printAfter(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text != "" {
		fmt.Fprintln(s.out, "stickwatch: "+render.CleanSentence(text))
	}
	s.out.Flush(flushTimeout)
}

// clear removes the line before results are printed.
func (s *statusLine) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.overwrite("")
	}
	s.out.Flush(flushTimeout)
}

// overwrite replaces the line. It leaves the last column free: a full line would wrap.
func (s *statusLine) overwrite(text string) {
	const clearLine = "\r\x1b[K"
	fmt.Fprint(s.out, clearLine+render.Clean(text, s.width-1))
}
