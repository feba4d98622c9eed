package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// An Acknowledgement says that somebody takes care of an incident. It ends the reminders
// and prevents escalations. It ends itself when the severity of the incident rises.
type Acknowledgement struct {
	At   time.Time
	By   string // a name; "": unknown
	Note string // "": none
}

// Bounds of an acknowledgement in bytes.
const (
	MaxAuthor = 64
	MaxNote   = 300
)

// IsZero reports whether nobody has acknowledged the incident.
func (a Acknowledgement) IsZero() bool { return a.At.IsZero() }

// text returns the name and the note.
func (a Acknowledgement) text() string {
	by := cmp.Or(a.By, "somebody")
	if a.Note != "" {
		return by + ": " + a.Note
	}
	return by
}

// Acknowledge records an acknowledgement of an open incident, or replaces its earlier
// one, and notifies the receivers that were notified of the incident. It returns false if
// there is no such open incident.
func (d *Manager) Acknowledge(at time.Time, id string, a Acknowledgement) (Step, bool) {
	for _, i := range d.openIncidents.open {
		if i.ID != id || i.State == Resolved {
			continue
		}
		i.Acknowledged = Acknowledgement{At: at, By: probes.Clean(a.By, MaxAuthor), Note: probes.Clean(a.Note, MaxNote)}
		d.openIncidents.record(i, Event{
			At: at, Kind: EventAcknowledged, Detail: i.Acknowledged.text(), Reason: ReasonAsked, Text: "acknowledged by " + i.Acknowledged.text(),
		}, true)
		return d.step(at), true
	}
	return Step{}, false
}

// An Escalation notifies a further receiver of a critical incident that nobody has
// acknowledged.
type Escalation struct {
	After time.Duration // from the first notification of a critical incident to the receiver of its route
	To    string        // the receiver; "": the route has no escalation
}

// escalate notifies the receivers to which an incident escalates.
func (d *Manager) escalate(notifications []Notification, at time.Time, i *Incident) []Notification {
	if i.Severity != checks.Critical || !i.Acknowledged.IsZero() {
		return notifications
	}
	for _, route := range d.router.routesOf(i) {
		told, to := i.notified(route.Receiver), route.Escalation.To
		switch {
		case to == "" || i.notified(to) != nil || !d.router.knows(to):
			continue
		case told == nil || told.Critical.IsZero() || at.Sub(told.Critical) < route.Escalation.After:
			continue
		}
		e := Event{At: at, Kind: EventEscalated, Detail: to, Reason: ReasonNobodyAcknowledged, Text: fmt.Sprintf("nobody has acknowledged it for %s: %s is notified", route.Escalation.After, to)}
		d.openIncidents.record(i, e, false)
		i.Notified = append(i.Notified, Notified{Receiver: to, News: []Event{e}})
		notifications = d.newNotification(notifications, at, i, i.notified(to), NotificationFired, ReasonNobodyAcknowledged)
	}
	return notifications
}

// urgent reports whether events are notified without waiting for more.
func urgent(news []Event) bool {
	return slices.ContainsFunc(news, func(e Event) bool { return e.worsens() || e.Kind == EventAcknowledged })
}
