package alertmanager

import (
	"maps"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/probes"
)

// maxLabel bounds the value of a label in bytes.
const maxLabel = 200

// alert is postableAlert in api/v2/openapi.yaml of Alertmanager.
type alert struct {
	Labels       labels      `json:"labels"`
	Annotations  annotations `json:"annotations"`
	StartsAt     time.Time   `json:"startsAt"`
	EndsAt       time.Time   `json:"endsAt"`
	GeneratorURL string      `json:"generatorURL,omitempty"`
}

// deploymentAlert is the name of the alert for the summary of a deployment.
const deploymentAlert = "deployment"

// labels identify and route an alert. Alertmanager ignores empty labels.
type labels struct {
	Name       checks.Code     `json:"alertname"`
	Cluster    string          `json:"cluster"`
	Node       string          `json:"node,omitempty"`
	Dependency string          `json:"dependency,omitempty"`
	Severity   checks.Severity `json:"severity"`
	Incident   string          `json:"incident"`
}

// annotations have the text for people.
type annotations struct {
	Summary     string `json:"summary,omitempty"`     // the cause in one sentence
	Description string `json:"description,omitempty"` // the whole message
	Remedy      string `json:"remedy,omitempty"`
}

// alertOf returns the alert of a notification. A firing alert ends at expires unless
// it is repeated.
func alertOf(notification alerting.Notification, w message.Writer, expires time.Time) alert {
	incident, m := notification.Incident, w.Write(notification)
	a := alert{
		Labels: labelsOf(notification),
		Annotations: annotations{
			Summary:     m.Summary,
			Description: m.Plain(),
			Remedy:      strings.Join(m.Remedy.Lines, " "),
		},
		StartsAt:     incident.Started,
		EndsAt:       expires,
		GeneratorURL: w.PageOf(incident),
	}
	if notification.Deployment != nil {
		a.StartsAt = notification.At // a summary has no end, so its alert expires
	}
	if isResolved(notification) {
		a.EndsAt = incident.Ended
		if incident.Ended.IsZero() {
			a.EndsAt = notification.At
		}
	}
	a.EndsAt = later(a.EndsAt, a.StartsAt) // Alertmanager refuses an alert that ends before it starts
	return a
}

func labelsOf(n alerting.Notification) labels {
	i, name := n.Incident, n.Incident.Cause.Code
	if n.Deployment != nil {
		name = deploymentAlert
	}
	return labels{
		Name:       name,
		Cluster:    probes.Clean(i.Cluster, maxLabel),
		Node:       probes.Clean(i.Cause.Node, maxLabel),
		Dependency: probes.Clean(i.Cause.Dependency, maxLabel),
		Severity:   i.Severity,
		Incident:   i.ID,
	}
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// A sentAlert is the last alert that was sent for an incident. It is lost when
// stickwatch ends: an alert whose labels changed meanwhile is not ended, and expires.
type sentAlert struct {
	at       time.Time // the time of the notification
	sent     time.Time
	labels   labels
	resolved bool
}

// sentAlerts has the newest alert of each incident.
type sentAlerts map[string]sentAlert

// keepSent is how long a sentAlert is kept after the last request: longer than any
// concurrent call with an older notification may take.
const keepSent = time.Hour

// newer reports whether a later state of the incident than that of a notification was
// sent.
func (s sentAlerts) newer(n alerting.Notification) bool {
	known, ok := s[n.Incident.ID]
	return ok && known.at.After(n.At) && !isResolved(n)
}

// record records the alerts that were sent.
func (s sentAlerts) record(now time.Time, notifications []alerting.Notification) {
	maps.DeleteFunc(s, func(_ string, known sentAlert) bool { return now.Sub(known.sent) > keepSent })
	for _, n := range notifications {
		s[n.Incident.ID] = sentAlert{at: n.At, sent: now, labels: labelsOf(n), resolved: isResolved(n)}
	}
}

// isResolved reports whether a notification resolves its incident.
func isResolved(n alerting.Notification) bool {
	return n.Kind == alerting.NotificationResolved || n.Kind != alerting.NotificationDeployment && n.Incident.State == alerting.Resolved
}
