package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A column of the matrix of nodes: a question, and what each node answered.
type column struct {
	title string
	cell  func(checks.NodeReport) span // an empty text: nothing to tell
}

// matrix is the nodes against what they were asked. The first row is the
// header; columns that hold nothing are left out.
func matrix(r checks.Report, c *probes.Cluster) [][]span {
	columns := []column{
		{"NODE", func(n checks.NodeReport) span { return span{plain, name(n.Node)} }},
		{"DIRECT", directCell},
		{"STATE", stateCell},
		{"PAGES", func(n checks.NodeReport) span { return pagesCell(n.Pages, c.Pages) }},
		{"ROTATION", rotationCell},
		{"VERSION", func(n checks.NodeReport) span { return span{plain, cell(n.Version)} }},
		{"CLOCK", clockCell},
		{"LATENCY", latencyCell},
	}
	columns = slices.DeleteFunc(columns, func(c column) bool {
		return !slices.ContainsFunc(r.Nodes, func(n checks.NodeReport) bool { return c.cell(n).text != "" })
	})
	rows := [][]span{make([]span, len(columns))}
	for i, c := range columns {
		rows[0][i] = span{dim, c.title}
	}
	for _, n := range r.Nodes {
		row := make([]span, len(columns))
		for i, c := range columns {
			if row[i] = c.cell(n); row[i].text == "" {
				row[i] = span{dim, "-"}
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func directCell(n checks.NodeReport) span {
	m := good
	if !n.Up {
		m = bad
	}
	return toned(m, outcome(n.Primary))
}

// outcome is an exchange in a word: the class of its failure, or its status.
func outcome(e probes.Exchange) string {
	switch {
	case e.Failure != "":
		return string(e.Failure)
	case e.Status != 0:
		return strconv.Itoa(e.Status)
	default:
		return "not asked"
	}
}

func stateCell(n checks.NodeReport) span {
	switch {
	case n.Status == nil:
		return span{}
	case n.Status.Paused() && n.Status.State == "":
		return toned(bad, "gives a reason")
	case n.Status.Paused():
		return toned(bad, cell(n.Status.State))
	default:
		return span{plain, cell(n.Status.State)}
	}
}

// pagesCell tells one page by its status and several by how many are right.
func pagesCell(pages []probes.Exchange, asked []probes.Page) span {
	if len(pages) == 0 {
		return span{}
	}
	right := 0
	for i, e := range pages {
		if pageRight(e, i, asked) {
			right++
		}
	}
	m := good
	if right < len(pages) {
		m = bad
	}
	if len(pages) == 1 {
		return toned(m, outcome(pages[0]))
	}
	return toned(m, fmt.Sprintf("%d/%d", right, len(pages)))
}

func pageRight(e probes.Exchange, i int, asked []probes.Page) bool {
	want := probes.StatusRange{From: 200, To: 399}
	if i < len(asked) {
		want = asked[i].Want
	}
	return e.Failure == "" && want.Has(e.Status)
}

func rotationCell(n checks.NodeReport) span {
	switch {
	case n.InRotation == checks.Yes && !n.Up: // users are sent there
		return toned(bad, "in")
	case n.InRotation == checks.Yes:
		return toned(good, "in")
	case n.InRotation == checks.No:
		return toned(warn, "out")
	default:
		return span{}
	}
}

func clockCell(n checks.NodeReport) span {
	if n.Clock.Samples == 0 {
		return span{}
	}
	return span{plain, offset(n.Clock)}
}

// offset writes an interval by its middle and half its width, both in the unit
// that suits the larger: "+5 ±15 ms".
func offset(c probes.ClockOffset) string {
	middle, half := (c.Min+c.Max)/2, (c.Max-c.Min)/2
	unit, label := time.Millisecond, "ms"
	switch largest := max(middle.Abs(), half.Abs()); {
	case largest >= 2*time.Hour:
		unit, label = time.Hour, "h"
	case largest >= 2*time.Minute:
		unit, label = time.Minute, "min"
	case largest >= time.Second:
		unit, label = time.Second, "s"
	}
	digits := 1
	if unit == time.Millisecond {
		digits = 0
	}
	return fmt.Sprintf("%+.*f ±%.*f %s",
		digits, float64(middle)/float64(unit), digits, float64(half)/float64(unit), label)
}

func latencyCell(n checks.NodeReport) span {
	if !n.Primary.Answered() {
		return span{}
	}
	return span{plain, formatDuration(n.Primary.Timing.Total)}
}
