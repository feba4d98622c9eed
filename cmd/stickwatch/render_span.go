package main

import (
	"fmt"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// A tone says how a piece of the picture is to be taken. It shows as a symbol,
// and where there is colour as one too: never as colour alone.
type tone int

const (
	plain tone = iota
	good
	bad
	warn
	doubt
	note
	dim  // of less weight; this and the next have no symbol
	bold // of more
)

// symbol is the mark for eyes that see no colour; "" for those that have none.
func (m tone) symbol() string { return [...]string{"", "✓", "✗", "▲", "?", "•", "", ""}[m] }

// A span is a piece of clean text and how it is to be taken.
type span struct {
	tone tone
	text string
}

// toned is a span that shows its mark's symbol.
func toned(m tone, text string) span {
	return span{m, strings.TrimSpace(m.symbol() + " " + text)}
}

// join is the text of spans, without their colours.
func join(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.text)
	}
	return b.String()
}

func toneOfVerdict(v checks.Verdict) tone {
	switch v {
	case checks.Healthy:
		return good
	case checks.Degraded:
		return warn
	case checks.Failing:
		return bad
	default:
		return doubt
	}
}

func toneOfSeverity(s checks.Severity) tone {
	switch s {
	case checks.Critical:
		return bad
	case checks.Warning:
		return warn
	default:
		return note
	}
}

// toneOf an answer to a question to which yes is the good one.
func toneOf(a checks.Answer) tone {
	switch a {
	case checks.Yes:
		return good
	case checks.No:
		return bad
	default:
		return doubt
	}
}

// formatDuration writes a duration as people read one: two or three digits and a unit.
func formatDuration(d time.Duration) string {
	switch a := d.Abs(); {
	case a < 9950*time.Microsecond:
		return fmt.Sprintf("%.1f ms", wire.MS(d))
	case a < 999500*time.Microsecond:
		return fmt.Sprintf("%.0f ms", wire.MS(d))
	case a < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case a < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	default:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
}

// took is a duration of a whole round, which nobody reads to the millisecond.
func took(d time.Duration) string {
	if d < 100*time.Millisecond || d > 2*time.Minute {
		return formatDuration(d)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
