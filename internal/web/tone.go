package web

import (
	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A tone says how something is. The stylesheet gives each a colour and a shape,
// and a word always stands beside it: none of the three is needed.
type tone string

// The marks, as classes of the stylesheet, best first. Two letters each: a page
// has a thousand of them.
const (
	toneOK       tone = "ok" // disc
	toneInfo     tone = "in" // diamond
	toneUnknown  tone = "no" // ring
	toneWarning  tone = "wn" // triangle
	toneCritical tone = "bd" // cross
	toneNone     tone = "na" // no shape: there is nothing to mark
)

func toneOfVerdict(v checks.Verdict) tone {
	switch v {
	case checks.Healthy:
		return toneOK
	case checks.Degraded:
		return toneWarning
	case checks.Failing:
		return toneCritical
	default:
		return toneUnknown
	}
}

func toneOfSeverity(s checks.Severity) tone {
	switch s {
	case checks.Critical:
		return toneCritical
	case checks.Warning:
		return toneWarning
	default:
		return toneInfo
	}
}

// toneOfEvent tells whether an event was for the worse or for the better.
func toneOfEvent(k alerting.EventKind) tone {
	switch k {
	case alerting.EventOpened, alerting.EventJoined, alerting.EventReturned, alerting.EventWorsened, alerting.EventFlapping:
		return toneWarning
	case alerting.EventLeft, alerting.EventWithdrawn, alerting.EventResolved:
		return toneOK
	default:
		return toneUnknown
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
