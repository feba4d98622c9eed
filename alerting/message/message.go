// Package message builds the content of a notification, which is the same for all receivers. Each receiver
// renders it in its own format.
//
// Text in a finding came from a target and may contain anything. This package cleans
// it and bounds its length; escaping for a format is up to the receiver.
package message

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A Message is the content of a notification: the problem, what is affected, when, the cause, and the remedy.
type Message struct {
	Kind     alerting.NotificationKind
	Severity checks.Severity // the highest of the incident so far
	Resolved bool            // the incident is resolved, whatever the kind; of a deployment: no finding is active and no session was lost

	Headline     string // "[Critical] shop: Dependency down"
	Closing      string // the state: resolved, merged, or ongoing; "": the other fields show it
	Summary      string // the cause in one sentence
	Facts        []Fact // what is affected and since when
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

// The maximum numbers of lines. Evidence and consequences end with the number of omitted lines; older
// news is dropped. The linked page shows everything.
const (
	maxEvidence     = 3
	maxConsequences = 10
	maxNews         = 15

	maxName = 100 // bytes of a name
	maxLine = 480 // bytes of a sentence, as in findings
)

// Plain formats the message as lines of text.
func (m Message) Plain() string { return m.Render(Text, math.MaxInt) }

// writeDeployment creates the message of a deployment summary.
func (w Writer) writeDeployment(notification alerting.Notification) Message {
	labels, s := w.labels(), *notification.Deployment
	message := Message{
		Kind:     notification.Kind,
		Severity: s.Severity(),
		Resolved: len(s.Active) == 0 && s.Lost == 0,
		Headline: fmt.Sprintf(labels.headline, labels.deployment, name(s.Cluster), name(s.Name)),
		Summary:  probes.Clean(w.Language.Deployment(s), maxLine),
		Facts: []Fact{
			{Label: labels.cluster, Value: name(s.Cluster)},
			{Label: labels.nodesChanged, Value: w.names(s.Touched)},
			{Label: labels.since, Value: w.moment(s.From)},
			{Label: labels.until, Value: w.moment(s.End())},
		},
		Consequences: Section{labels.stillActive, w.active(s)},
		colon:        labels.colon,
	}
	message.Facts = slices.DeleteFunc(message.Facts, func(f Fact) bool { return f.Value == "" })
	if w.Grafana != nil {
		message.Links = []Link{{Text: labels.grafana, URL: grafana(*w.Grafana, notification.Incident)}}
	}
	return message
}

// active returns a line for each active finding.
func (w Writer) active(s alerting.Summary) []string {
	var lines []string
	for _, f := range s.Active {
		parts := []string{w.title(f.Code), w.translate(f.Summary)}
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
		lines = append(lines, strings.Join(parts, w.labels().colon))
	}
	if s.More > 0 {
		lines = append(lines, fmt.Sprintf(w.labels().more, s.More))
	}
	return lines
}
