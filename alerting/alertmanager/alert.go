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

// maxLabel bounds a label's value, in bytes.
const maxLabel = 200

// alert is postableAlert of Alertmanager's api/v2/openapi.yaml.
type alert struct {
	Labels       labels      `json:"labels"`
	Annotations  annotations `json:"annotations"`
	StartsAt     time.Time   `json:"startsAt"`
	EndsAt       time.Time   `json:"endsAt"`
	GeneratorURL string      `json:"generatorURL,omitempty"`
}

// deploymentAlert is the name of the alert that sums a deployment up.
const deploymentAlert = "deployment"

// labels are what an alert is known and routed by. Alertmanager takes an empty
// one for none.
type labels struct {
	Name       checks.Code     `json:"alertname"`
	Cluster    string          `json:"cluster"`
	Node       string          `json:"node,omitempty"`
	Dependency string          `json:"dependency,omitempty"`
	Severity   checks.Severity `json:"severity"`
	Incident   string          `json:"incident"`
}

// annotations are for people.
type annotations struct {
	Summary     string `json:"summary,omitempty"`     // the cause, in one sentence
	Description string `json:"description,omitempty"` // all that a message says
	Remedy      string `json:"remedy,omitempty"`
}

// alertOf is a notice's incident. While it fires it ends at expires, if nobody
// repeats it.
func alertOf(n alerting.Notification, w message.Writer, expires time.Time) alert {
	i, m := n.Incident, w.Write(n)
	a := alert{
		Labels: labelsOf(i),
		Annotations: annotations{
			Summary:     m.Summary,
			Description: m.Plain(),
			Remedy:      strings.Join(m.Remedy.Lines, " "),
		},
		StartsAt:     i.Started,
		EndsAt:       expires,
		GeneratorURL: w.PageOf(i),
	}
	if n.Deployment != nil {
		// It is no state that ends: the alert is active for as long as one that is not
		// repeated.
		a.Labels.Name, a.StartsAt = deploymentAlert, n.At
	}
	if over(n) {
		a.EndsAt = i.Ended
		if i.Ended.IsZero() {
			a.EndsAt = n.At
		}
	}
	a.EndsAt = later(a.EndsAt, a.StartsAt)
	return a
}

func labelsOf(i alerting.Incident) labels {
	return labels{
		Name:       i.Cause.Code,
		Cluster:    probes.Clean(i.Cluster, maxLabel),
		Node:       probes.Clean(i.Cause.Node, maxLabel),
		Dependency: probes.Clean(i.Cause.Dependency, maxLabel),
		Severity:   i.Severity,
		Incident:   i.ID,
	}
}

// later is the later of two times: an alert that ends before it begins is
// refused.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// A record is what Alertmanager was told last of an incident. It is lost when
// stickwatch ends: then an alert whose labels have changed meanwhile ends by
// itself, a little later.
type record struct {
	at     time.Time // as of when
	sent   time.Time
	labels labels
	over   bool
}

// records are by incident.
type records map[string]record

// recordFor is how long a record is kept after its incident was sent last: for
// longer than any call may be under way that knows less.
const recordFor = time.Hour

// newer reports whether more is known than a notice says.
func (r records) newer(n alerting.Notification) bool {
	known, ok := r[n.Incident.ID]
	return ok && known.at.After(n.At) && !over(n)
}

// sent takes down what was sent.
func (r records) sent(now time.Time, notices []alerting.Notification) {
	maps.DeleteFunc(r, func(_ string, known record) bool { return now.Sub(known.sent) > recordFor })
	for _, n := range notices {
		r[n.Incident.ID] = record{at: n.At, sent: now, labels: labelsOf(n.Incident), over: over(n)}
	}
}

// over reports whether a notice ends its incident.
func over(n alerting.Notification) bool {
	return n.Kind == alerting.NotificationResolved || n.Kind != alerting.NotificationDeployment && n.Incident.State == alerting.Resolved
}
