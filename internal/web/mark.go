package web

import (
	"stickwatch/checks"
	"stickwatch/probes"
)

// A mark says how something is. The stylesheet gives each a colour and a shape,
// and a word always stands beside it: none of the three is needed.
type mark string

// The marks, as classes of the stylesheet, best first. Two letters each: a page
// has a thousand of them.
const (
	good    mark = "ok" // disc
	notice  mark = "in" // diamond
	unsure  mark = "no" // ring
	worse   mark = "wn" // triangle
	trouble mark = "bd" // cross
	nothing mark = "na" // no shape: there is nothing to mark
)

func markOfVerdict(v checks.Verdict) mark {
	switch v {
	case checks.Healthy:
		return good
	case checks.Degraded:
		return worse
	case checks.Failing:
		return trouble
	default:
		return unsure
	}
}

func markOfSeverity(s checks.Severity) mark {
	switch s {
	case checks.Critical:
		return trouble
	case checks.Warning:
		return worse
	default:
		return notice
	}
}

// Bounds of what a page has room for, in bytes.
const (
	maxCell = 24  // one cell of many: a state, a version
	maxWord = 64  // a name
	maxLine = 320 // a sentence: a summary, a line of evidence
)

func cell(s string) string { return probes.Clean(s, maxCell) }
func word(s string) string { return probes.Clean(s, maxWord) }
func line(s string) string { return probes.Clean(s, maxLine) }
