package render

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/phrase"
	"stickwatch/internal/wire"
)

// Limits for text that a target may have written, in columns, so that it cannot
// flood a screen or a log.
const (
	maxWord     = 24  // a state, a version
	maxName     = 48  // an id
	maxError    = 96  // an error beside its subject; findings have the details
	maxSentence = 320 // a summary, a line of evidence
)

// Clean returns s as one printable line of at most limit columns. It removes
// control characters, which could command the terminal, and invisible and
// bidirectional characters, which could disguise the text. White space becomes
// single blanks.
func Clean(s string, limit int) string {
	// Zero-width marks take no column, so the runes are bounded, too.
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

// cut shortens s to limit columns; an ellipsis marks the cut.
func cut(s string, limit int) string { return ansi.Truncate(s, limit, "…") }

// cleanWord is Clean for a state or a version.
func cleanWord(s string) string { return Clean(s, maxWord) }

// CleanName is Clean for an id.
func CleanName(s string) string { return Clean(s, maxName) }

// CleanSentence is Clean for a sentence.
func CleanSentence(s string) string { return Clean(s, maxSentence) }

// A formatter writes texts for a reader. Its texts are clean.
type formatter struct{ phrase.Reader }

func (f formatter) message(m checks.Message) string { return CleanSentence(f.Message(m)) }

// phrase returns a text of a watch.
func (f formatter) phrase(p phrase.Phrase) string { return CleanSentence(p.In(f.Reader)) }

// reason returns the reason for which a request failed.
func (f formatter) reason(text string) string { return Clean(f.Language.Reason(text), maxError) }

// language is the language of texts of package alerting.
func (f formatter) language() alerting.Language { return alerting.Language(f.Language) }

// moment formats a time with its date and zone.
func (f formatter) moment(t time.Time) string { return f.In(t).Format(time.DateTime + " MST") }

// CleanNames joins ids with commas.
func CleanNames(ids []string) string {
	return cut(strings.Join(wire.List(ids, CleanName), ", "), maxSentence)
}

// pad fills s with blanks to a width in columns. A Chinese character takes two.
func pad(s string, width int) string {
	if missing := width - lipgloss.Width(s); missing > 0 {
		return s + strings.Repeat(" ", missing)
	}
	return s
}

// durationPhrase returns a duration with two or three digits and a unit: "41 ms".
func durationPhrase(d time.Duration) phrase.Phrase {
	switch a := d.Abs(); {
	case a < 9950*time.Microsecond:
		return phrase.New("%.1f ms", wire.MS(d))
	case a < 999500*time.Microsecond:
		return phrase.New("%.0f ms", wire.MS(d))
	case a < 2*time.Minute:
		return phrase.New("%.1f s", d.Seconds())
	case a < 2*time.Hour:
		return phrase.New("%.0f min", d.Minutes())
	default:
		return phrase.New("%.1f h", d.Hours())
	}
}

// formatDuration returns a duration for a column, with the symbols of its units.
func formatDuration(d time.Duration) string { return durationPhrase(d).String() }

// roundDuration returns the duration of a whole round, from 100 ms on in seconds.
func roundDuration(d time.Duration) string {
	if d < 100*time.Millisecond || d > 2*time.Minute {
		return formatDuration(d)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// A calendar formats times in the zone of now.
type calendar struct{ now time.Time }

// at formats t to the second, without the date if that is today; "-" for the zero
// time.
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

// zoned is at with the zone.
func (c calendar) zoned(t time.Time) string { return c.at(t) + c.now.Format(" MST") }

// minute formats t to the minute, with the date.
func (c calendar) minute(t time.Time) string {
	return t.In(c.now.Location()).Format("2006-01-02 15:04")
}
