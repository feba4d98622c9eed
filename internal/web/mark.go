package web

import (
	"stickwatch/alerting"
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

// markOfEvent tells whether an event was for the worse or for the better.
func markOfEvent(k alerting.EventKind) mark {
	switch k {
	case alerting.EventOpened, alerting.EventJoined, alerting.EventReturned, alerting.EventWorsened, alerting.EventFlapping:
		return worse
	case alerting.EventLeft, alerting.EventWithdrawn, alerting.EventResolved:
		return good
	default:
		return unsure
	}
}

// Bounds of what a page has room for, in bytes.
const (
	maxCell = 24  // one cell of many: a state, a version
	maxWord = 64  // a name
	maxLine = 320 // a sentence: a summary, a line of evidence
	maxLong = 640 // what to do: a sentence or two, and Chinese takes three bytes a character
)

func cell(s string) string { return probes.Clean(s, maxCell) }
func word(s string) string { return probes.Clean(s, maxWord) }
func line(s string) string { return probes.Clean(s, maxLine) }
func long(s string) string { return probes.Clean(s, maxLong) }
