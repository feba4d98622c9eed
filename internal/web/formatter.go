package web

import (
	"fmt"
	"strconv"
	"time"

	"stickwatch/internal/wire"
)

// A formatter says things in one language. The English text is its own key: a
// template reads as what it shows, and what has no translation still says
// something.
type formatter struct {
	language string
	zone     *time.Location
}

// translate says a text, with args put into its verbs.
func (s formatter) translate(text string, args ...any) string {
	if s.language == chinese {
		if translated, ok := chineseTexts[text]; ok {
			text = translated
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// clock tells a time of day, with the day where it is not today's.
func (s formatter) clock(t, now time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t, now = t.In(s.zone), now.In(s.zone)
	switch {
	case t.Year() != now.Year():
		return t.Format("2006-01-02 15:04")
	case t.YearDay() == now.YearDay():
		return t.Format("15:04:05")
	case s.language == chinese:
		return t.Format("1月2日 15:04")
	default:
		return t.Format("2 Jan 15:04")
	}
}

// day tells a day (UTC, as days are counted in the history).
func (s formatter) day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// length tells how long something took, in two units at most.
func (s formatter) length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return s.translate("%d s", int(d.Seconds()))
	case d < time.Hour:
		return s.translate("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return s.translate("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return s.translate("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// latency tells how long an answer took.
func (s formatter) latency(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(wire.MS(d), 'f', 1, 64) + "\u00a0ms"
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + "\u00a0ms"
	default:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "\u00a0s"
	}
}

// percent tells a ratio so that 100 % is said of nothing less.
func (s formatter) percent(ratio float64) string {
	const all = 100
	p := ratio * all
	if p < all && p > 99.995 {
		return ">99.99\u00a0%"
	}
	if p == all {
		return "100\u00a0%"
	}
	return strconv.FormatFloat(p, 'f', 2, 64) + "\u00a0%"
}
