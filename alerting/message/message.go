// Package message has the content of a notification that all receivers show. Each
// receiver renders it in its own format.
//
// Text in a finding came from a target and may contain anything. This package cleans
// it and bounds its length; escaping for a format is up to the receiver.
package message

import (
	"math"
	"slices"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A Message is the content of a notification: the problem, its place, time, cause,
// and remedy.
type Message struct {
	Kind     alerting.NotificationKind
	Severity checks.Severity // the highest of the incident so far
	Resolved bool            // the incident is resolved, for all kinds of notification

	Headline     string // "[Critical] shop: Dependency down"
	Closing      string // the state: resolved, merged, or ongoing; "": the other fields show it
	Summary      string // the cause in one sentence
	Facts        []Fact // place and time
	Evidence     Section
	Consequences Section // one line for each code that the cause explains
	Remedy       Section // empty when resolved
	News         Section // events since the last notification, oldest first
	Links        []Link

	colon string // between a label and what it labels
}

// A Section has lines below a label. A Section without lines is not shown.
type Section struct {
	Label string
	Lines []string
}

// Sections returns the sections that have lines, in reading order.
func (m Message) Sections() []Section {
	all := []Section{m.Evidence, m.Consequences, m.Remedy, m.News}
	return slices.DeleteFunc(all, func(s Section) bool { return len(s.Lines) == 0 })
}

// A Fact is a labelled value.
type Fact struct{ Label, Value string }

// A Link leads to a page about the incident.
type Link struct {
	Text, URL string
	// Action names what a reader does at the page, for channels with buttons; "": reading.
	Action string
}

// The bounds of a message. It has the number of omitted lines; the linked page has
// all of them.
const (
	maxEvidence     = 3
	maxConsequences = 10
	maxNews         = 15

	maxName = 100 // bytes of a name
	maxLine = 480 // bytes of a sentence, as in findings
)

// Plain formats the message as lines of text.
func (m Message) Plain() string { return m.Render(Text, math.MaxInt) }
