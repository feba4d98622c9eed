package web

import (
	"time"

	"stickwatch/checks"
)

// windows are how far back pages look, the first as a rule, the others while a
// cluster is new. Their slots divide the time since 1970, as points do.
var windows = []time.Duration{6 * time.Hour, 2 * time.Hour, 30 * time.Minute, 6 * time.Minute}

// spanUntil is a window of whole slots, the last of which a time is in.
func spanUntil(now time.Time, window time.Duration) checks.Span {
	to := now.Truncate(window / barBuckets).Add(window / barBuckets)
	return checks.Span{From: to.Add(-window), To: to}
}

// bucketWidth is how long a slot of a window is.
func bucketWidth(span checks.Span) time.Duration { return span.To.Sub(span.From) / barBuckets }

// window tells how far back a span reaches.
func (v viewContext) window(span checks.Span) string {
	length := span.To.Sub(span.From)
	if length < time.Hour {
		return v.translate("Last %d minutes", int(length.Minutes()))
	}
	return v.translate("Last %d hours", int(length.Hours()))
}

// timeOfDay tells a time as exactly as a span's drawing can.
func (v viewContext) timeOfDay(t time.Time, span checks.Span) string {
	if span.To.Sub(span.From) < time.Hour {
		return t.In(v.zone).Format("15:04:05")
	}
	return t.In(v.zone).Format("15:04")
}

// bucketOf is the slot of a strip or chart that a time is in; -1: none.
func bucketOf(span checks.Span, at time.Time) int {
	if at.Before(span.From) || !at.Before(span.To) {
		return -1
	}
	return int(at.Sub(span.From) / bucketWidth(span))
}

// across is where a time is in a drawing of drawingWidth, within its edges.
func xOf(span checks.Span, at time.Time) int {
	share := float64(at.Sub(span.From)) / float64(span.To.Sub(span.From))
	return int(min(max(share, 0), 1) * drawingWidth)
}

// ticks are times below a drawing, from edge to edge.
func (v viewContext) ticks(span checks.Span) []string {
	const intervals = 4
	ticks := make([]string, 0, intervals+1)
	for i := range intervals + 1 {
		at := span.From.Add(time.Duration(i) * span.To.Sub(span.From) / intervals)
		ticks = append(ticks, v.timeOfDay(at, span))
	}
	return ticks
}
