package alerting

import (
	"cmp"
	"fmt"
	"strings"

	"stickwatch/checks"
)

// A Language is what people are told in. What was seen is told as it was seen:
// summaries and evidence stay as the checks wrote them.
type Language string

// The languages. Any other value speaks English.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Title is what a code is called: "Session drift". A code that has no name in
// the language is read aloud.
func (l Language) Title(c checks.Code) string {
	if title := titlesInChinese[c]; l == Chinese && title != "" {
		return title
	}
	words := strings.ReplaceAll(string(c), "_", " ")
	return strings.ToUpper(words[:min(1, len(words))]) + words[min(1, len(words)):]
}

// Remedy is what to do about a finding, in a sentence or two. The check that made
// it knows more than its code tells, and says so in English; in other languages it
// is what to do as a rule. It may hold names that came from a target.
func (l Language) Remedy(f checks.Finding) string {
	if l != Chinese {
		return f.Remedy
	}
	text := cmp.Or(remediesInChinese[string(f.Code)+"/"+f.Target], remediesInChinese[string(f.Code)])
	if text == "" {
		return f.Remedy
	}
	node := cmp.Or(f.Node, strings.Join(f.Nodes, "、"), "相关节点")
	return strings.NewReplacer("{node}", node, "{dependency}", cmp.Or(f.Dependency, "该依赖服务")).Replace(text)
}

// Event tells what happened in an incident, in one sentence. It may hold names
// that came from a target.
func (l Language) Event(e Event) string {
	if l == Chinese {
		return cmp.Or(eventInChinese(e), e.Text)
	}
	if format := eventsInEnglish[e.Kind]; format != "" {
		return fmt.Sprintf(format, e.Text)
	}
	return e.Text
}

// eventsInEnglish are about a finding, which is all that their texts tell.
var eventsInEnglish = map[EventKind]string{
	EventOpened:    "it began: %s",
	EventJoined:    "joined: %s",
	EventLeft:      "over: %s",
	EventReturned:  "again: %s",
	EventMoved:     "it has another cause: %s",
	EventAltered:   "changed: %s",
	EventExplained: "this is the cause: %s",
}
