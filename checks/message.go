package checks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	"stickwatch/probes"
)

// A Message is a sentence of the catalogue with its arguments. Checks make messages,
// histories store them, and the reader's language is chosen when one is shown.
type Message struct {
	ID   MessageID
	Args Args
	// Text is shown as it is if ID is no sentence of this version: a text of a
	// target, or of an older version.
	Text string
}

// Args are the arguments of a sentence; each sentence uses some. Names, paths and
// reasons may come from a target and are quoted unchanged in every language.
type Args struct {
	Node       string             `json:",omitzero"` // its id, or an unlisted node's label in quotes
	Other      string             `json:",omitzero"` // another node
	Nodes      []string           `json:",omitzero"` // ids
	Name       string             `json:",omitzero"` // of a dependency, a cookie, a header, a source of evidence
	Server     string             `json:",omitzero"` // a node as the balancer names it
	Address    string             `json:",omitzero"` // of the balancer, or of a node
	Addresses  []string           `json:",omitzero"` // of the balancer
	Client     string             `json:",omitzero"` // the address or key that a client presented; "": our own
	Session    probes.Fingerprint `json:",omitzero"`
	NewSession probes.Fingerprint `json:",omitzero"` // of another client, or that replaced Session
	Path       string             `json:",omitzero"`
	Status     int                `json:",omitzero"` // HTTP
	Method     probes.Method      `json:",omitzero"`
	Setting    string             `json:",omitzero"` // configuration key
	State      string             `json:",omitzero"` // of a server or a node
	Value      string             `json:",omitzero"`
	Was        string             `json:",omitzero"` // the value before
	Values     []string           `json:",omitzero"`
	Reason     string             `json:",omitzero"` // as reported by a target, a product or the operating system
	Count      int                `json:",omitzero"`
	Of         int                `json:",omitzero"` // total that Count is a part of
	Lost       int                `json:",omitzero"` // sessions
	Rate       float64            `json:",omitzero"`
	Duration   time.Duration      `json:",omitzero"`
	Limit      time.Duration      `json:",omitzero"`
	Longest    time.Duration      `json:",omitzero"`
	Timing     probes.Timing      `json:",omitzero"`
	Since      time.Time          `json:",omitzero"` // like At, shown in its own zone
	At         time.Time          `json:",omitzero"`
	Why        *Message           `json:",omitzero"` // explanation or quoted sentence
	But        *Message           `json:",omitzero"` // contradiction of Why
}

// A Language is a language that messages are shown in.
type Language string

// The languages. Any other value means English.
const (
	English Language = "en"
	Chinese Language = "zh"
)

func msg(id MessageID, args Args) Message { return Message{ID: id, Args: args}.InZone(time.UTC) }

// Quote returns a message that shows a text unchanged in every language.
func Quote(text string) Message { return Message{Text: text} }

// In renders m as one line without control characters, of at most maxLine bytes.
func (m Message) In(l Language) string {
	sentences := inEnglish()
	if l == Chinese {
		sentences = inChinese()
		m = m.withReasons(l.Reason)
	}
	return probes.Clean(render(sentences, &m), maxLine)
}

// withReasons returns m with its reasons changed.
func (m Message) withReasons(change func(string) string) Message {
	m.Args.Reason = change(m.Args.Reason)
	for _, part := range []**Message{&m.Args.Why, &m.Args.But} {
		if *part != nil {
			*part = new((*part).withReasons(change))
		}
	}
	return m
}

// String renders m in English.
func (m Message) String() string { return m.In(English) }

// InZone returns m with its times in a zone. They are in UTC otherwise.
func (m Message) InZone(zone *time.Location) Message {
	return m.withTimes(func(t time.Time) time.Time { return t.In(zone) })
}

// withTimes returns m with its times changed.
func (m Message) withTimes(change func(time.Time) time.Time) Message {
	a := &m.Args
	a.Since, a.At = change(a.Since), change(a.At)
	for _, part := range []**Message{&a.Why, &a.But} {
		if *part != nil {
			*part = new((*part).withTimes(change))
		}
	}
	return m
}

// InZone returns f with the times of its messages in a zone.
func (f Finding) InZone(zone *time.Location) Finding {
	return f.withTexts(func(m Message) Message { return m.InZone(zone) })
}

// withTexts returns f with its messages changed.
func (f Finding) withTexts(change func(Message) Message) Finding {
	f.Summary, f.Remedy = change(f.Summary), change(f.Remedy)
	f.Evidence = slices.Clone(f.Evidence)
	for i, m := range f.Evidence {
		f.Evidence[i] = change(m)
	}
	return f
}

// WithTimes returns f with all its times changed, as for another clock.
func (f Finding) WithTimes(change func(time.Time) time.Time) Finding {
	f = f.withTexts(func(m Message) Message { return m.withTimes(change) })
	f.When, f.Began = change(f.When), change(f.Began)
	f.observed.firstEvidence, f.observed.checkedAt = change(f.observed.firstEvidence), change(f.observed.checkedAt)
	f.facts.firstPacketLost = change(f.facts.firstPacketLost)
	f.observed.harm.From, f.observed.harm.To, f.Times = change(f.observed.harm.From), change(f.observed.harm.To), slices.Clone(f.Times)
	for i, t := range f.Times {
		f.Times[i] = change(t)
	}
	return f
}

// HasTimes reports whether the text of m depends on a zone.
func (m Message) HasTimes() bool {
	a := m.Args
	return !a.Since.IsZero() || !a.At.IsZero() || a.Why != nil && a.Why.HasTimes() || a.But != nil && a.But.HasTimes()
}

// IsZero reports whether m is empty.
func (m Message) IsZero() bool { return m.ID == "" && m.Text == "" }

// sanitized returns m with quoted texts bounded and cleaned.
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

// MarshalJSON adds the English text to the id, for programs and for versions that do
// not know the id.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	m.Text = m.String()
	return json.Marshal(plain(m))
}

// UnmarshalJSON reads the output of MarshalJSON, or a plain text as written by
// versions before the catalogue. If this version does not know the sentence or its
// arguments, the text remains.
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
	words     template.FuncMap  // template functions of the language
	parts     map[string]string // templates that several sentences use
	sentences map[MessageID]string
}

// words are the template functions that all languages share.
var words = template.FuncMap{
	"quote":  quote,
	"clock":  clock,
	"second": second,
	"date":   func(t time.Time) string { return t.Format(time.DateTime) },
	"stamp":  func(t time.Time) string { return t.Format(time.RFC3339) },
	"days":   days,
	"mentions": func(text string, status int) bool {
		return regexp.MustCompile(fmt.Sprintf(`HTTP (status )?%d\b`, status)).MatchString(text)
	},
}

// Each language is parsed when it is first used.
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
		return m.Text // cannot happen: a test renders every sentence
	}
	return b.String()
}

// describe returns the result of an exchange in a few words.
func describe(ex probes.Exchange) Message {
	return msg(MsgExchange, Args{Path: ex.Path, Status: ex.Status, Reason: why(ex), At: ex.At})
}

// why returns the reason for which an exchange failed; "": it did not.
func why(ex probes.Exchange) string {
	if ex.Failure == "" {
		return ""
	}
	return cmp.Or(ex.Error, string(ex.Failure))
}

// askedDirectly returns the result of asking a node directly.
func askedDirectly(ex probes.Exchange) Message {
	return msg(MsgAskedDirectly, Args{Why: new(describe(ex))})
}

// clock formats a time of day with milliseconds.
func clock(t time.Time) string { return t.Format("15:04:05.000") }

// second formats a time of day with seconds, which is the precision of logs.
func second(t time.Time) string { return t.Format(time.TimeOnly) }

// days formats a duration in days.
func days(d time.Duration) string { return fmt.Sprintf("%.1f", d.Hours()/24) }

// quote puts a text in quotes and escapes invisible characters.
func quote(text string) string { return strconv.Quote(text) }

// maxEvidenceLines is the maximum number of evidence lines of one kind.
const maxEvidenceLines = 3

// limited returns the first lines of evidence, and a line with the number of the
// others.
func limited(evidence []Message) []Message {
	return fewOf(evidence, func(m Message) Message { return m })
}

// fewOf is limited for items of which only the first are formatted.
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

// phrase puts nodes before a verb: "node1 says", "node1, node2 say".
func phrase(nodes []string, one, many string) string {
	if len(nodes) == 1 {
		return nodes[0] + " " + one
	}
	return join(nodes) + " " + many
}

func join(items []string) string { return strings.Join(items, ", ") }
