package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// A Silence is a silence in JSON, as the API has it.
type Silence struct {
	ID      string      `json:"id"`
	Cluster string      `json:"cluster"` // "": every cluster
	Node    string      `json:"node"`    // "": every node, and what is about none
	Code    checks.Code `json:"code"`    // "": every code
	Reason  string      `json:"reason"`
	Author  string      `json:"author"`
	From    time.Time   `json:"from"`
	To      time.Time   `json:"to"`
	Active  bool        `json:"active"`
}

// A wireSilences is what the API lists, and what -o json prints.
type wireSilences struct {
	Schema   int       `json:"schema"`
	Silences []Silence `json:"silences"`
}

// Silences writes silences to w in one of ListFormats.
func Silences(w io.Writer, format string, silences []Silence, now time.Time, opts Options) error {
	if format == "json" {
		return writeJSON(w, wireSilences{wire.Schema, silences})
	}
	s := NewText(opts)
	s.silences(silences, now)
	_, err := io.WriteString(w, s.String())
	return err
}

// silences writes them as a table.
func (s *Text) silences(silences []Silence, now time.Time) {
	if len(silences) == 0 {
		s.Line("No silence is active or planned.")
		return
	}
	rows := [][]span{headings("id", "what", "when", "reason", "author")}
	for _, one := range silences {
		m := dim
		if one.Active {
			m = plain
		}
		rows = append(rows, []span{
			{bold, CleanName(one.ID)}, {m, one.Scope()}, {m, one.When(now)}, {m, CleanSentence(one.Reason)}, {m, CleanName(one.Author)},
		})
	}
	s.matrix(rows)
}

// Scope is the cluster, node and code of a silence; "everything" for none.
func (w Silence) Scope() string {
	var parts []string
	for _, part := range []string{w.Cluster, w.Node, string(w.Code)} {
		if part != "" {
			parts = append(parts, CleanName(part))
		}
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, " ")
}

// When is the time that a silence covers, as seen at now.
func (w Silence) When(now time.Time) string {
	days := calendar{now}
	if now.Before(w.From) {
		return fmt.Sprintf("from %s to %s", days.at(w.From), days.at(w.To))
	}
	return fmt.Sprintf("until %s (%s left)", days.at(w.To), Duration(max(0, w.To.Sub(now))))
}
