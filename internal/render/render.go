// Package render shows reports, watches of deployments, histories and silences:
// as a terminal table, Markdown, JUnit XML or JSON.
//
// Much of the text in a report was written by a target. Every renderer therefore
// passes it through Clean, which removes control characters and bounds the length.
// The order of a report, the matrix of nodes, the tree of findings and the tone of
// each piece of text are decided once, as spans; the formats only draw them.
package render

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// Results are the reports of one run of probe.
type Results struct {
	Started  time.Time
	Duration time.Duration
	Clusters []checks.Report

	Watches map[string]gate.Report // of --watch, by cluster; nil without it
	Command *Command               // run during the watch; nil: none
}

// A Command is the command that ran during a watch.
type Command struct {
	Name     string // without its arguments, which may contain secrets
	Status   int    // exit status
	Duration time.Duration
}

// Verdict is the worst verdict of the clusters.
func (r Results) Verdict() checks.Verdict {
	var verdicts []checks.Verdict
	for _, c := range r.Clusters {
		verdicts = append(verdicts, c.Verdict)
	}
	return WorstVerdict(verdicts...)
}

// summary adds up the watches of all clusters. ok is false without a watch.
func (r Results) summary() (all gate.Summary, ok bool) {
	for _, c := range r.Clusters {
		w, watched := r.Watches[c.Cluster]
		switch {
		case !watched:
		case ok:
			all = all.Add(w.Summary())
		default:
			all, ok = w.Summary(), true
		}
	}
	return all, ok
}

// verdictsBySeverity lists the verdicts, the worst last. Inconclusive ranks above
// degraded because it may hide a failure.
var verdictsBySeverity = []checks.Verdict{checks.Healthy, checks.Degraded, checks.Inconclusive, checks.Failing}

// WorstVerdict returns the worst of several verdicts; Inconclusive for none.
func WorstVerdict(verdicts ...checks.Verdict) checks.Verdict {
	if len(verdicts) == 0 {
		return checks.Inconclusive
	}
	worst := checks.Healthy
	for _, v := range verdicts {
		if slices.Index(verdictsBySeverity, v) > slices.Index(verdictsBySeverity, worst) {
			worst = v
		}
	}
	return worst
}

// Options describe the reader and the output device.
type Options struct {
	Width  int             // columns; 0: unknown, taken as 80
	Colour bool            // the device shows ANSI colours
	FailOn checks.Severity // findings at or above it fail a JUnit test; "": critical

	// Reader is the reader of tables, Markdown and the line of Nagios. JSON and JUnit, which
	// programs read, are in English and UTC.
	Reader phrase.Reader

	// Clusters are the configured clusters. Reports omit what the configuration
	// states, such as the balancer's method and the nodes' URLs. A missing cluster
	// omits these details.
	Clusters []*probes.Cluster
}

// cluster returns the configuration of a cluster; an empty one if it is unknown.
func (o Options) cluster(name string) *probes.Cluster {
	for _, c := range o.Clusters {
		if c.Name == name {
			return c
		}
	}
	return &probes.Cluster{Name: name}
}

func (o Options) voice() formatter { return formatter{o.Reader} }

func (o Options) failOn() checks.Severity {
	if o.FailOn == "" {
		return checks.Critical
	}
	return o.FailOn
}

// Formats are the formats of Report, the default first.
var Formats = []string{"table", "json", "junit", "markdown", "nagios"}

// ListFormats are the formats of History, Incident and Silences, the default first.
var ListFormats = []string{"table", "json"}

// Report writes the results to w in one of Formats. It writes nothing if rendering
// fails.
func Report(w io.Writer, format string, r Results, opts Options) error {
	var b bytes.Buffer
	var err error
	switch format {
	case "table":
		err = renderTable(&b, r, opts)
	case "json":
		err = writeJSON(&b, wireResultsOf(r, opts))
	case "junit":
		err = renderJUnit(&b, r, opts)
	case "markdown":
		err = renderMarkdown(&b, r, opts)
	case "nagios":
		err = renderNagios(&b, r, opts)
	default:
		err = fmt.Errorf("unknown output format %q: want %s", format, strings.Join(Formats, ", "))
	}
	if err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}
