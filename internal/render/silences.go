package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// A Silence is a silence in the JSON of the API.
type Silence struct {
	ID      string      `json:"id"`
	Cluster string      `json:"cluster"` // "": every cluster
	Node    string      `json:"node"`    // "": every node, and findings about none
	Code    checks.Code `json:"code"`    // "": every code
	Reason  string      `json:"reason"`
	Author  string      `json:"author"`
	From    time.Time   `json:"from"`
	To      time.Time   `json:"to"`
	Active  bool        `json:"active"`
}

// wireSilences is the list of the API, with a schema.
type wireSilences struct {
	Schema   int       `json:"schema"`
	Silences []Silence `json:"silences"`
}

// Silences writes silences to w in one of ListFormats.
func Silences(w io.Writer, format string, silences []Silence, now time.Time, opts Options) error {
	if format == "json" {
		return writeJSON(w, wireSilences{wire.Schema, append([]Silence{}, silences...)}) // never null
	}
	s := NewText(opts)
	s.silences(silences, now)
	_, err := io.WriteString(w, s.String())
	return err
}

// silences writes a table of silences.
func (s *Text) silences(silences []Silence, now time.Time) {
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
			{bold, CleanName(one.ID)}, {t, one.Scope()}, {t, one.When(now)}, {t, CleanSentence(one.Reason)}, {t, CleanName(one.Author)},
		})
	}
	s.matrix(rows)
}

// Scope is the cluster, node and code of a silence; "everything" for none.
func (s Silence) Scope() string {
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

// When is the time that a silence covers, relative to now.
func (s Silence) When(now time.Time) string {
	days := calendar{now}
	if now.Before(s.From) {
		return fmt.Sprintf("from %s to %s", days.at(s.From), days.at(s.To))
	}
	return fmt.Sprintf("until %s (%s left)", days.at(s.To), formatDuration(max(0, s.To.Sub(now))))
}
