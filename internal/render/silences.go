package render

import (
	"fmt"
	"io"
	"strings"
	"time"

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

// silences writes a table of silences.
func (s *Text) silences(silences []wire.Silence, now time.Time) {
	if len(silences) == 0 {
		s.Line("No silence is active or planned.")
		return
	}
	rows := [][]span{headings("id", "what", "when", "reason", "author")}
	for _, one := range silences {
		t := dim
		if one.Active {
			t = plain
		}
		rows = append(rows, []span{
			{bold, CleanName(one.ID)}, {t, SilenceScope(one)}, {t, SilenceTime(one, now)}, {t, CleanSentence(one.Reason)}, {t, CleanName(one.Author)},
		})
	}
	s.matrix(rows)
}

// SilenceScope returns the cluster, node and code of a silence; "everything" for none.
func SilenceScope(s wire.Silence) string {
	var parts []string
	for _, part := range []string{s.Cluster, s.Node, string(s.Code)} {
		if part != "" {
			parts = append(parts, CleanName(part))
		}
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, " ")
}

// SilenceTime returns when a silence is active, relative to now.
func SilenceTime(s wire.Silence, now time.Time) string {
	days, from, to := calendar{now}, s.From.Time(), s.To.Time()
	if now.Before(from) {
		return fmt.Sprintf("from %s to %s", days.at(from), days.at(to))
	}
	return fmt.Sprintf("until %s (%s left)", days.at(to), formatDuration(max(0, to.Sub(now))))
}
