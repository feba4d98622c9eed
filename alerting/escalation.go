package alerting

import (
	"fmt"
	"time"

	"stickwatch/checks"
)

// An Escalation notifies a further receiver of a critical incident that nobody has
// acknowledged.
type Escalation struct {
	After time.Duration // since the receiver of its route was first notified that the incident is critical
	To    string        // the receiver; "": the route has no escalation
}

// escalate adds the notifications of escalations that are due, and records them in the incident.
func (m *Manager) escalate(notifications []Notification, at time.Time, incident *Incident) []Notification {
	if incident.Severity != checks.Critical || !incident.Acknowledged.IsZero() {
		return notifications
	}
	for _, route := range m.router.routesOf(incident) {
		notified, to := incident.notified(route.Receiver), route.Escalation.To
		switch {
		case to == "" || incident.notified(to) != nil || !m.router.knows(to):
			continue
		case notified == nil || notified.Critical.IsZero() || at.Sub(notified.Critical) < route.Escalation.After:
			continue
		}
		e := Event{At: at, Kind: EventEscalated, Detail: to, Reason: ReasonNobodyAcknowledged, Text: fmt.Sprintf("nobody has acknowledged it for %s: %s is notified", route.Escalation.After, to)}
		m.openIncidents.record(incident, e, false)
		incident.Notified = append(incident.Notified, Notified{Receiver: to, News: []Event{e}})
		notifications = m.newNotification(notifications, at, incident, incident.notified(to), NotificationFired, ReasonNobodyAcknowledged)
	}
	return notifications
}
