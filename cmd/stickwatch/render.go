package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"stickwatch/checks"
	"stickwatch/internal/metrics"
	"stickwatch/probes"
)

// results are what one run of probe has to tell.
type results struct {
	Started  time.Time
	Duration time.Duration
	Verdict  checks.Verdict // the worst of Clusters
	Clusters []checks.Report
	Watches  map[string]watchResult // by cluster name; only with --watch
}

// A watchResult is what canaries held through a deployment went through.
type watchResult struct {
	Duration      time.Duration
	Requests      int
	Failed        int // requests that got no answer, or an error
	Moves         []watchMove
	Lost          int           // canaries whose session or counter was gone
	LongestOutage time.Duration // of any one canary
}

// A watchMove is a canary that changed its node.
type watchMove struct {
	At       time.Time
	From, To string
	Kept     bool // session and counter came along
}

// renderOptions are what the reader of results wants, and where they are shown.
type renderOptions struct {
	Width  int             // columns; 0: unknown, taken as 80
	Colour bool            // the reader sees ANSI colours
	FailOn checks.Severity // findings at or above it fail a JUnit test; "": critical

	// Clusters are the clusters as configured, by any subset: reports leave out
	// what was known before, such as the balancer's method and the nodes' URLs.
	Clusters []*probes.Cluster
}

// terminalOptions returns the options that suit f: colour and width only where
// f is a terminal, and no colour where environ asks for none (NO_COLOR,
// TERM=dumb).
func terminalOptions(f *os.File, environ []string) renderOptions {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return renderOptions{}
	}
	opts := renderOptions{Colour: colorprofile.Env(environ) >= colorprofile.ANSI}
	if width, _, err := term.GetSize(fd); err == nil {
		opts.Width = width
	}
	return opts
}

// cluster returns the configuration of a cluster; an empty one when it is not
// known, so that renderers leave out what they cannot tell.
func (o renderOptions) cluster(name string) *probes.Cluster {
	for _, c := range o.Clusters {
		if c.Name == name {
			return c
		}
	}
	return &probes.Cluster{Name: name}
}

func (o renderOptions) failOn() checks.Severity {
	if o.FailOn == "" {
		return checks.Critical
	}
	return o.FailOn
}

// formats are the values of --output, the default first.
var formats = []string{"table", "json", "junit", "markdown", "prometheus"}

// render writes r to w in one of formats.
func render(w io.Writer, format string, r results, opts renderOptions) error {
	switch format {
	case "table":
		return renderTable(w, r, opts)
	case "json":
		return renderJSON(w, r, opts)
	case "junit":
		return renderJUnit(w, r, opts)
	case "markdown":
		return renderMarkdown(w, r, opts)
	case "prometheus":
		return metrics.Write(w, r.Clusters)
	}
	return fmt.Errorf("unknown output format %q: want %s", format, strings.Join(formats, ", "))
}
