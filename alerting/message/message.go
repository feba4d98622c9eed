// Package message is what receivers show of a notice: one content, bounded and
// cleaned, that each of them puts into its own format.
//
// What stands in a finding came from a target, and may say anything. Here it
// becomes harmless lines of bounded length; what is harmless in a format is
// that format's own business.
package message

import (
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A Message says what, where, since when, why, and what to do.
type Message struct {
	Kind     alerting.NotificationKind
	Severity checks.Severity // the worst so far
	Resolved bool            // the incident is over, whichever kind of notice says so

	Headline     string // "[Critical] shop: Dependency down"
	Closing      string // how it stands: over, merged, still so; "": as the rest says
	Summary      string // the cause, in one sentence
	Facts        []Fact // where, and since when
	Evidence     Section
	Consequences Section // what the cause explains, a line a code
	Remedy       Section // empty once it is over
	News         Section // what developed since the last notice, oldest first
	Links        []Link

	colon string // between a label and what it labels
}

// A Section is lines below a label; without lines there is none.
type Section struct {
	Label string
	Lines []string
}

// Sections are those that say something, in the order in which they are read.
func (m Message) Sections() []Section {
	all := []Section{m.Evidence, m.Consequences, m.Remedy, m.News}
	return slices.DeleteFunc(all, func(s Section) bool { return len(s.Lines) == 0 })
}

// A Fact is a labelled value.
type Fact struct {
	Label, Value string
	At           time.Time // what Value tells, if that is a time; zero: it is not
}

// A Link goes to a page about the incident.
type Link struct{ Text, URL string }

// The bounds of a message. What is beyond them is counted, and is on the page
// that the links go to.
const (
	maxEvidence     = 3
	maxConsequences = 10
	maxNews         = 15

	maxName = 100 // bytes of a name of something
	maxLine = 480 // bytes of a sentence: as findings are bounded
)

// Plain is the message as lines of text, for whatever shows nothing else.
func (m Message) Plain() string {
	lines := []string{m.Headline, m.Closing, m.Summary}
	for _, f := range m.Facts {
		lines = append(lines, f.Label+m.colon+f.Value)
	}
	for _, s := range m.Sections() {
		lines = append(lines, s.Label+strings.TrimSpace(m.colon))
		for _, line := range s.Lines {
			lines = append(lines, "- "+line)
		}
	}
	for _, link := range m.Links {
		lines = append(lines, link.Text+m.colon+link.URL)
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	return strings.Join(lines, "\n")
}
