package main

import (
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"stickwatch/checks"
)

// Columns that texts of reports may take. Much of what a report says was said
// by a target, and none of it may flood a screen or a log.
const (
	maxCell     = 24  // a state, a version: one cell of many
	maxName     = 48  // an id
	maxSentence = 320 // a summary, a line of evidence
)

// clean returns s as one line of at most limit columns that only prints:
// without control characters (ESC would command the terminal), without
// invisible and bidirectional ones (they would show another text than is
// there), white space as single blanks.
func clean(s string, limit int) string {
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

// cell is clean for what a target says of itself in a word.
func cell(s string) string { return clean(s, maxCell) }

// name is clean for an id.
func name(s string) string { return clean(s, maxName) }

// cleanSentence is clean for a sentence.
func cleanSentence(s string) string { return clean(s, maxSentence) }

// words is a message as people read it on a terminal.
func words(m checks.Message) string { return cleanSentence(m.String()) }

// names joins ids.
func names(ids []string) string {
	clean := make([]string, len(ids))
	for i, id := range ids {
		clean[i] = name(id)
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
