package message

import (
	"fmt"
	"slices"
	"strings"

	"stickwatch/alerting"
	"stickwatch/probes"
)

// writeDeployment creates the message of a deployment summary.
func (w Writer) writeDeployment(n alerting.Notification) Message {
	l, s := w.labels(), *n.Deployment
	m := Message{
		Kind:     n.Kind,
		Severity: s.Severity(),
		Resolved: len(s.Active) == 0 && s.Lost == 0,
		Headline: fmt.Sprintf(l.headline, l.deployment, name(s.Cluster), name(s.Name)),
		Summary:  probes.Clean(w.Language.Deployment(s), maxLine),
		Facts: []Fact{
			{Label: l.cluster, Value: name(s.Cluster)},
			{Label: l.touched, Value: w.names(s.Touched)},
			{Label: l.since, Value: w.moment(s.From)},
			{Label: l.until, Value: w.moment(s.End())},
		},
		Consequences: Section{l.active, w.active(s)},
		colon:        l.colon,
	}
	m.Facts = slices.DeleteFunc(m.Facts, func(f Fact) bool { return f.Value == "" })
	if w.Grafana != nil {
		m.Links = []Link{{Text: l.grafana, URL: grafana(*w.Grafana, n.Incident)}}
	}
	return m
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
