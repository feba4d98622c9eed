package render

import (
	"io"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/internal/wire"
)

// wireSilences is the list of the API, with a schema.
type wireSilences struct {
	Schema   int            `json:"schema"`
	Silences []wire.Silence `json:"silences"`
}

// Silences writes silences to w in one of ListFormats.
func Silences(w io.Writer, format string, silences []wire.Silence, now time.Time, opts Options) error {
	if format == "json" {
		return writeJSON(w, wireSilences{wire.SchemaVersion, append([]wire.Silence{}, silences...)}) // never null
	}
	s := NewText(opts)
	s.silences(silences, now)
	_, err := io.WriteString(w, s.String())
	return err
}

// Silenced returns what a silence holds back, and until when.
func Silenced(s wire.Silence, now time.Time, r phrase.Reader) string {
	f := formatter{r}
	return f.Translate("%s: silenced %s", f.silenceScope(s), f.silenceTime(s, now))
}

// silences writes a table of silences.
func (t *Text) silences(silences []wire.Silence, now time.Time) {
	if len(silences) == 0 {
		t.Line(t.Translate("No silence is active or planned."))
		return
	}
	rows := [][]span{t.headings("id", "what", "when", "reason", "author")}
	for _, silence := range silences {
		tint := dim
		if silence.Active {
			tint = plain
		}
		rows = append(rows, []span{
			{bold, CleanName(silence.ID)}, {tint, t.silenceScope(silence)}, {tint, t.silenceTime(silence, now)}, {tint, CleanSentence(silence.Reason)}, {tint, CleanName(silence.Author)},
		})
	}
	t.matrix(rows)
}

// silenceScope returns the cluster, node and code of a silence; "everything" for none.
func (f formatter) silenceScope(s wire.Silence) string {
	var parts []string
	for _, part := range []string{s.Cluster, s.Node, string(s.Code)} {
		if part != "" {
			parts = append(parts, CleanName(part))
		}
	}
	if len(parts) == 0 {
		return f.Translate("everything")
	}
	return strings.Join(parts, " ")
}

// silenceTime returns when a silence is active, relative to now.
func (f formatter) silenceTime(s wire.Silence, now time.Time) string {
	days, from, to := calendar{f.In(now)}, s.From.Time(), s.To.Time()
	if now.Before(from) {
		return f.Translate("from %s to %s", days.at(from), days.zoned(to))
	}
	return f.Translate("until %s (%s left)", days.zoned(to), durationPhrase(max(0, to.Sub(now))))
}
