package alertmanager

import (
	"maps"
	"time"

	"stickwatch/alerting"
)

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
