package web

import (
	"time"

	"stickwatch/checks"
)

// slotOf is the slot of a strip or chart that a time is in; -1: none.
func slotOf(span checks.Span, at time.Time) int {
	if at.Before(span.From) || !at.Before(span.To) {
		return -1
	}
	return int(at.Sub(span.From) / slotTime)
}

// across is where a time is in a drawing of laneWidth, within its edges.
func across(span checks.Span, at time.Time) int {
	share := float64(at.Sub(span.From)) / float64(span.To.Sub(span.From))
	return int(min(max(share, 0), 1) * laneWidth)
}

// ticks are times below a drawing, from edge to edge.
func (v viewer) ticks(span checks.Span) []string {
	const intervals = 4
	ticks := make([]string, 0, intervals+1)
	for i := range intervals + 1 {
		at := span.From.Add(time.Duration(i) * span.To.Sub(span.From) / intervals)
		ticks = append(ticks, at.In(v.zone).Format("15:04"))
	}
	return ticks
}
