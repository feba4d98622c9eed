package main

import (
	"bytes"
	"io"
	"os"
	"slices"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"stickwatch/internal/metrics"
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
