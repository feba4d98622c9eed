package message

import (
	"cmp"
	"fmt"
	"net/url"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A Writer writes messages. The zero Writer writes English, without links, with
// times in UTC.
type Writer struct {
	Language alerting.Language // "": English
	Page     *url.URL          // stickwatch's own page; nil: no links to it
	Grafana  *url.URL          // the dashboard; nil: no links to it
	Zone     *time.Location    // of times; nil: UTC
}

// Write says what a notice tells.
func (w Writer) Write(n alerting.Notification) Message {
	if n.Deployment != nil {
		return w.writeDeployment(n)
	}
	l, i := w.labels(), n.Incident
	i.Cause.Summary = i.Cause.Summary.InZone(w.zone())
	m := Message{
		Kind:         n.Kind,
		Severity:     i.Severity,
		Resolved:     n.Kind == alerting.NotificationResolved || i.State == alerting.Resolved,
		Summary:      probes.Clean(w.Language.Summary(i), maxLine),
		Facts:        w.facts(i),
		Evidence:     Section{l.evidence, w.evidence(i)},
		Consequences: Section{l.consequences, w.consequences(i)},
		News:         Section{l.news, w.news(n.News)},
		Links:        w.links(i),
		colon:        l.colon,
	}
	if remedy := probes.Clean(w.Language.Advice(i), maxLine); remedy != "" && !m.Resolved {
		m.Remedy = Section{l.remedy, []string{remedy}}
	}
	m.Headline = w.headline(m, i)
	m.Closing = w.closing(m, n)
	return m
}

func (w Writer) headline(m Message, i alerting.Incident) string {
	l := w.labels()
	state := l.severities[i.Severity]
	if m.Resolved {
		state = l.resolved
	}
	return fmt.Sprintf(l.headline, state, w.clusters(i), w.title(i.Cause.Code))
}

// clusters names what an incident concerns, the worst affected first.
func (w Writer) clusters(i alerting.Incident) string {
	if i.Cluster == "" {
		return "stickwatch"
	}
	return w.names(unique(append([]string{i.Cluster}, i.Clusters...)))
}

func (w Writer) closing(m Message, n alerting.Notification) string {
	l, i := w.labels(), n.Incident
	switch {
	case i.MergedInto != "":
		return fmt.Sprintf(l.merged, name(i.MergedInto))
	case m.Resolved:
		return fmt.Sprintf(l.over, w.duration(i.Duration(n.At)), len(i.Findings), l.severities[i.Severity])
	case m.Kind == alerting.NotificationReminder:
		return fmt.Sprintf(l.goesOn, w.duration(i.Duration(n.At)))
	default:
		return ""
	}
}

// evidence is what the cause was seen by; of several nodes, what each was.
func (w Writer) evidence(i alerting.Incident) []string {
	alike, _ := i.Alike()
	var lines []string
	for _, m := range alike {
		for n, e := range m.Evidence {
			switch {
			case len(alike) == 1:
				lines = append(lines, w.translate(e))
			case n == 0:
				lines = append(lines, probes.Clean(w.Language.Of(i, m.Cluster, m.Node)+w.labels().colon+w.translate(e), maxLine))
			}
		}
	}
	return w.bounded(lines, maxEvidence)
}

// news drops the oldest: how things stand matters more than how they came about.
func (w Writer) news(events []alerting.Event) []string {
	var lines []string
	for _, e := range events[max(0, len(events)-maxNews):] {
		lines = append(lines, w.clock(e.At)+" "+w.event(e))
	}
	return lines
}

// bounded cuts lines, and counts what is cut. A single line more is no longer
// than the line that would count it.
func (w Writer) bounded(lines []string, most int) []string {
	rest := len(lines) - most
	if rest <= 1 {
		return lines
	}
	return append(lines[:most:most], fmt.Sprintf(w.labels().more, rest))
}

// translate renders a message, with its times in the zone of the others.
func (w Writer) translate(m checks.Message) string {
	return probes.Clean(w.Language.Say(m.InZone(w.zone())), maxLine)
}

func (w Writer) event(e alerting.Event) string { return probes.Clean(w.Language.Event(e), maxLine) }

func (w Writer) title(c checks.Code) string {
	return cmp.Or(probes.Clean(w.Language.Title(c), maxName), "?")
}
