package main

import (
	"fmt"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// A mark says how a piece of the picture is to be taken. It shows as a symbol,
// and where there is colour as one too: never as colour alone.
type mark int

const (
	plain mark = iota
	good
	bad
	warn
	doubt
	note
	faint  // of less weight; this and the next have no symbol
	strong // of more
)

// symbol is the mark for eyes that see no colour; "" for those that have none.
func (m mark) symbol() string { return [...]string{"", "✓", "✗", "▲", "?", "•", "", ""}[m] }

// A span is a piece of clean text and how it is to be taken.
type span struct {
	mark mark
	text string
}

// marked is a span that shows its mark's symbol.
func marked(m mark, text string) span {
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

func markOfVerdict(v checks.Verdict) mark {
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

func markOfSeverity(s checks.Severity) mark {
	switch s {
	case checks.Critical:
		return bad
	case checks.Warning:
		return warn
	default:
		return note
	}
}

// markOf an answer to a question to which yes is the good one.
func markOf(a checks.Answer) mark {
	switch a {
	case checks.Yes:
		return good
	case checks.No:
		return bad
	default:
		return doubt
	}
}

// spell writes a duration as people read one: two or three digits and a unit.
func spell(d time.Duration) string {
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
		return spell(d)
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
