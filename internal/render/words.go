package render

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// Columns that texts of reports may take. Much of what a report says was said
// by a target, and none of it may flood a screen or a log.
const (
	maxCell     = 24  // a state, a version: one cell of many
	maxName     = 48  // an id
	maxSentence = 320 // a summary, a line of evidence
)

// Clean returns s as one line of at most limit columns that only prints:
// without control characters (ESC would command the terminal), without
// invisible and bidirectional ones (they would show another text than is
// there), white space as single blanks.
func Clean(s string, limit int) string {
	// Zero-width marks pile up without taking a column: bound the runes too.
	left := 4 * limit
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if left--; left < 0 {
			b.WriteString("…")
			break
		}
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		}
	}
	return cut(strings.Join(strings.Fields(b.String()), " "), limit)
}

// cut shortens s to limit columns, with an ellipsis where something is gone.
func cut(s string, limit int) string { return ansi.Truncate(s, limit, "…") }

// cleanWord is clean for what a target says of itself in a word.
func cleanWord(s string) string { return Clean(s, maxCell) }

// name is clean for an id.
func CleanName(s string) string { return Clean(s, maxName) }

// CleanSentence is clean for a sentence.
func CleanSentence(s string) string { return Clean(s, maxSentence) }

// cleanMessage is a message as people read it on a terminal.
func cleanMessage(m checks.Message) string { return CleanSentence(m.String()) }

// names joins ids.
func CleanNames(ids []string) string {
	clean := make([]string, len(ids))
	for i, id := range ids {
		clean[i] = CleanName(id)
	}
	return cut(strings.Join(clean, ", "), maxSentence)
}

// pad fills s with blanks to a width in columns: Chinese takes two a character.
func pad(s string, width int) string {
	if missing := width - lipgloss.Width(s); missing > 0 {
		return s + strings.Repeat(" ", missing)
	}
	return s
}

// Duration writes a duration as people read one: two or three digits and a unit.
func Duration(d time.Duration) string {
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

// roundDuration is a duration of a whole round, which nobody reads to the millisecond.
func roundDuration(d time.Duration) string {
	if d < 100*time.Millisecond || d > 2*time.Minute {
		return Duration(d)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Count is a number with its noun.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// A calendar writes times in the zone of now, for people who know which day it is.
type calendar struct{ now time.Time }

// at is t to the second, and without the day if that is today; "-" for no time
// at all.
func (c calendar) at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	t = t.In(c.now.Location())
	if t.Format(time.DateOnly) == c.now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// minute is t to the minute, with the day.
func (c calendar) minute(t time.Time) string {
	return t.In(c.now.Location()).Format("2006-01-02 15:04")
}
