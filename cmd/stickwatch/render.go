package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/metrics"
	"stickwatch/probes"
)

// results are what one run of probe has to tell.
type results struct {
	Started  time.Time
	Duration time.Duration
	Verdict  checks.Verdict // the worst of Clusters
	Clusters []checks.Report

	Watches map[string]gate.Report // of --watch, by cluster; nil: there was none
	Command *commandResult         // that was run meanwhile; nil: none was
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

// render writes r to w in one of formats, all at once: half a result would be
// worse than none.
func render(w io.Writer, format string, r results, opts renderOptions) error {
	var b bytes.Buffer
	var err error
	switch format {
	case "table":
		err = renderTable(&b, r, opts)
	case "json":
		err = renderJSON(&b, r, opts)
	case "junit":
		err = renderJUnit(&b, r, opts)
	case "markdown":
		err = renderMarkdown(&b, r, opts)
	case "prometheus":
		err = metrics.Write(&b, r.Clusters, r.watched())
	default:
		err = fmt.Errorf("unknown output format %q: want %s", format, joinWords(formats))
	}
	if err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}
