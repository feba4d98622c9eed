package checks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	"stickwatch/probes"
)

// A Message is a sentence of the catalogue and what it speaks of. Checks make
// messages, histories keep them, and whoever shows one chooses the language.
type Message struct {
	ID   MessageID
	Args Args
	// Text is shown as it is where ID names no sentence of this version: words of a
	// target, or what an older version wrote down.
	Text string
}

// Args are what a sentence speaks of; each takes what it needs. Names, paths and
// reasons may come from a target: they are quoted in every language as they are.
type Args struct {
	Node       string             `json:",omitzero"` // its id, or a stranger's label in quotes
	Other      string             `json:",omitzero"` // another node
	Nodes      []string           `json:",omitzero"` // ids
	Name       string             `json:",omitzero"` // of a dependency, a cookie, a header, a source of evidence
	Server     string             `json:",omitzero"` // a node as the balancer names it
	Address    string             `json:",omitzero"` // of the balancer, or of a node
	Addresses  []string           `json:",omitzero"` // of the balancer
	Client     string             `json:",omitzero"` // the address or key that a client presented; "": our own
	Session    probes.Fingerprint `json:",omitzero"`
	NewSession probes.Fingerprint `json:",omitzero"` // that another client holds, or that took the place of Session
	Path       string             `json:",omitzero"`
	Status     int                `json:",omitzero"` // HTTP
	Method     probes.Method      `json:",omitzero"`
	Setting    string             `json:",omitzero"` // a key of a configuration
	State      string             `json:",omitzero"` // of a server or a node
	Value      string             `json:",omitzero"`
	Was        string             `json:",omitzero"` // the value before
	Values     []string           `json:",omitzero"`
	Reason     string             `json:",omitzero"` // in the words of a target, a product or the operating system
	Count      int                `json:",omitzero"`
	Of         int                `json:",omitzero"` // how many Count is a part of
	Lost       int                `json:",omitzero"` // sessions
	Rate       float64            `json:",omitzero"`
	Duration   time.Duration      `json:",omitzero"`
	Limit      time.Duration      `json:",omitzero"`
	Longest    time.Duration      `json:",omitzero"`
	Timing     probes.Timing      `json:",omitzero"`
	Since      time.Time          `json:",omitzero"` // shown in its zone, as At is
	At         time.Time          `json:",omitzero"`
	Why        *Message           `json:",omitzero"` // what the sentence tells further
	But        *Message           `json:",omitzero"` // what contradicts Why
}

// A Language is what people are told in.
type Language string

// The languages. Any other value speaks English.
const (
	English Language = "en"
	Chinese Language = "zh"
)

func msg(id MessageID, args Args) Message { return Message{ID: id, Args: args}.InZone(time.UTC) }

// Quote is a message of words that are shown as they are in every language.
func Quote(text string) Message { return Message{Text: text} }

// In renders m as one harmless line of at most maxLine bytes.
func (m Message) In(l Language) string {
	sentences := inEnglish()
	if l == Chinese {
		sentences = inChinese()
	}
	return probes.Clean(render(sentences, &m), maxLine)
}

// String renders m in English.
func (m Message) String() string { return m.In(English) }

// InZone is m with its times in a zone; they are in UTC until then.
func (m Message) InZone(zone *time.Location) Message {
	a := &m.Args
	a.Since, a.At = a.Since.In(zone), a.At.In(zone)
	for _, part := range []**Message{&a.Why, &a.But} {
		if *part != nil {
			*part = new((*part).InZone(zone))
		}
	}
	return m
}

// IsZero reports whether m says nothing.
func (m Message) IsZero() bool { return m.ID == "" && m.Text == "" }

// sanitized bounds and cleans what m quotes.
func (m Message) sanitized() Message {
	a := &m.Args
	for _, text := range []*string{
		&a.Node, &a.Other, &a.Name, &a.Server, &a.Address, &a.Client, &a.Path, &a.Setting, &a.State, &a.Value, &a.Was, &a.Reason, &m.Text,
	} {
		*text = probes.Clean(*text, maxLine)
	}
	for _, list := range []*[]string{&a.Nodes, &a.Addresses, &a.Values} {
		*list = slices.Clone(*list)
		for i, text := range *list {
			(*list)[i] = probes.Clean(text, maxLine)
		}
	}
	for _, part := range []**Message{&a.Why, &a.But} {
		if *part != nil {
			*part = new((*part).sanitized())
		}
	}
	return m
}

// MarshalJSON writes the English text beside the id, for programs and for versions
// that do not know the id.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	m.Text = m.String()
	return json.Marshal(plain(m))
}

// UnmarshalJSON reads what MarshalJSON wrote, or a mere text, as versions before
// this catalogue wrote it. Where the sentence or its arguments are of another
// version, the text is left.
func (m *Message) UnmarshalJSON(data []byte) error {
	*m = Message{}
	if data[0] == '"' {
		return json.Unmarshal(data, &m.Text)
	}
	var read struct {
		ID   MessageID
		Args json.RawMessage
		Text string
	}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	m.ID, m.Text = read.ID, read.Text
	if _, known := english.sentences[m.ID]; known && json.Unmarshal(read.Args, &m.Args) == nil {
		m.Text = ""
		return nil
	}
	*m = Quote(read.Text)
	return nil
}

// A translation is every sentence in one language, as templates over Args.
type translation struct {
	words     template.FuncMap  // by which sentences put values into words
	parts     map[string]string // templates that several sentences use
	sentences map[MessageID]string
}

// words are those that are the same in every language.
var words = template.FuncMap{
	"quote":  quote,
	"clock":  clock,
	"second": second,
	"date":   func(t time.Time) string { return t.Format(time.DateTime) },
	"stamp":  func(t time.Time) string { return t.Format(time.RFC3339) },
	"days":   days,
}

// Each language is parsed when it is first spoken.
var (
	inEnglish = sync.OnceValue(english.parse)
	inChinese = sync.OnceValue(chinese.parse)
)

// parse returns a template for each sentence, by its id.
func (t translation) parse() *template.Template {
	all := template.New("").Funcs(words).Funcs(t.words)
	all.Funcs(template.FuncMap{"say": func(m *Message) string { return render(all, m) }})
	for name, text := range t.parts {
		template.Must(all.New(name).Parse(text))
	}
	for id, text := range t.sentences {
		template.Must(all.New(string(id)).Parse(text))
	}
	return all
}

func render(sentences *template.Template, m *Message) string {
	if m == nil {
		return ""
	}
	sentence := sentences.Lookup(string(m.ID))
	if m.ID == "" || sentence == nil {
		return m.Text
	}
	var b strings.Builder
	if err := sentence.Execute(&b, m.Args); err != nil {
		return m.Text // the test of the catalogue renders every sentence
	}
	return b.String()
}

// describe says what an exchange came to, in a few words.
func describe(ex probes.Exchange) Message {
	return msg(MsgExchange, Args{Path: ex.Path, Status: ex.Status, Reason: why(ex), At: ex.At})
}

// why is why an exchange failed, in the words of whoever says so; "": it did not.
func why(ex probes.Exchange) string {
	if ex.Failure == "" {
		return ""
	}
	return cmp.Or(ex.Error, string(ex.Failure))
}

// askedDirectly is what came of asking a node directly.
func askedDirectly(ex probes.Exchange) Message {
	return msg(MsgAskedDirectly, Args{Why: new(describe(ex))})
}

// clock is a time of day as evidence gives it.
func clock(t time.Time) string { return t.Format("15:04:05.000") }

// second is a time of day to the second, which is all that logs tell.
func second(t time.Time) string { return t.Format(time.TimeOnly) }

// days is a duration in days.
func days(d time.Duration) string { return fmt.Sprintf("%.1f", d.Hours()/24) }

// quote puts a text between quotes, with what cannot be seen escaped.
func quote(text string) string { return strconv.Quote(text) }

// maxEvidenceLines is how many lines of one kind are read.
const maxEvidenceLines = 3

// limited keeps evidence readable: the first lines, and how many more there are.
func limited(evidence []Message) []Message {
	return fewOf(evidence, func(m Message) Message { return m })
}

// fewOf is limited for what is put into words only if it is among the first.
func fewOf[T any](items []T, word func(T) Message) []Message {
	var lines []Message
	for _, item := range items[:min(maxEvidenceLines, len(items))] {
		lines = append(lines, word(item))
	}
	if len(items) > maxEvidenceLines {
		lines = append(lines, msg(MsgMoreLikeIt, Args{Count: len(items) - maxEvidenceLines}))
	}
	return lines
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// phrase puts nodes before what they do: "node1 says", "node1, node2 say".
func phrase(nodes []string, one, many string) string {
	if len(nodes) == 1 {
		return nodes[0] + " " + one
	}
	return join(nodes) + " " + many
}

func join(items []string) string { return strings.Join(items, ", ") }
