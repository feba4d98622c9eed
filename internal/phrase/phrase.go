// Package phrase has texts of the command line that are shown in the reader's language and
// time zone. Code writes them in English, as a format of package fmt with arguments; the
// format is the key of the translation (chinese.go).
package phrase

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// A Phrase is a text with its arguments. An argument may have a method In, as a Phrase has, or be
// a checks.Message or a Reason: these are translated, too. A duration has the units of the
// language, and a time is shown as a time of day in the reader's zone. Phrases without arguments are equal if their texts are.
type Phrase struct {
	text string
	args *[]any // a pointer, so that a Phrase can be compared
}

// A Reason is an argument: why a request failed.
type Reason string

// New returns a phrase. The text must be a literal, so that a test finds its translation.
func New(text string, args ...any) Phrase {
	if len(args) == 0 {
		return Phrase{text: text}
	}
	return Phrase{text, &args}
}

// Quote returns a phrase that shows a text unchanged in every language.
func Quote(text string) Phrase { return New("%s", text) }

// String returns the phrase in English, with times in UTC.
func (p Phrase) String() string { return p.In(Reader{}) }

// In returns the phrase for a reader.
func (p Phrase) In(r Reader) string {
	if p.args == nil {
		return r.Translate(p.text)
	}
	return r.Translate(p.text, *p.args...)
}

// IsZero reports whether the phrase is empty.
func (p Phrase) IsZero() bool { return p == Phrase{} }

// Join returns phrases as one, with a separator such as "; " between them.
func Join(phrases []Phrase, separator string) Phrase {
	var all Phrase
	for _, p := range phrases {
		if all.IsZero() {
			all = p
		} else {
			all = New("%s%s%s", all, New(separator), p)
		}
	}
	return all
}

// A Reader is the language and the time zone in which texts are written. The zero Reader reads English and UTC.
type Reader struct {
	Language checks.Language
	Zone     *time.Location // nil: UTC
}

// Translate returns a text with its arguments. The text must be a literal, or an identifier such as a
// severity.
func (r Reader) Translate(text string, args ...any) string {
	if translated, ok := chinese[text]; ok && r.Language == checks.Chinese {
		text = translated
	}
	if len(args) == 0 {
		return text
	}
	args = slices.Clone(args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case interface{ In(r Reader) string }:
			args[i] = arg.In(r)
		case Reason:
			args[i] = r.Language.Reason(string(arg))
		case checks.Message:
			args[i] = r.Message(arg)
		case time.Duration:
			args[i] = r.Language.Span(arg)
		case time.Time:
			args[i] = r.In(arg).Format("15:04:05.000")
		}
	}
	return fmt.Sprintf(text, args...)
}

// Message returns a message of a check.
func (r Reader) Message(m checks.Message) string { return m.InZone(r.zone()).In(r.Language) }

// In returns a time in the zone of the reader.
func (r Reader) In(t time.Time) time.Time { return t.In(r.zone()) }

func (r Reader) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// Count returns a number with its noun. A test finds the translation of "%d MANY".
func (r Reader) Count(n int, one, many string) string {
	if n == 1 && r.Language != checks.Chinese {
		return "1 " + one
	}
	return r.Translate("%d "+many, n)
}
