package message

import (
	"fmt"
	"slices"
	"strings"

	"stickwatch/alerting"
	"stickwatch/probes"
)

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
			{Label: labels.touched, Value: w.names(s.Touched)},
			{Label: labels.since, Value: w.moment(s.From)},
			{Label: labels.until, Value: w.moment(s.End())},
		},
		Consequences: Section{labels.active, w.active(s)},
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
