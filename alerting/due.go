package alerting

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// groupInterval is the minimum time from a notification to the next one about news. Events within it are
// sent together. A higher severity, an acknowledgement, and the resolution are sent at once.
const groupInterval = 30 * time.Second

// maxRepeat bounds the time between two reminders, unless the configured time is longer.
const maxRepeat = 24 * time.Hour

// notify creates the due notifications of an incident for all receivers, and records them in the incident. A
// silence suppresses all but the resolution: a receiver that was notified of an incident is notified of its end.
func (m *Manager) notify(at time.Time, incident *Incident) []Notification {
	var notifications []Notification
	switch {
	case incident.State == Resolved:
		for n := range incident.Notified {
			notifications = m.appendNotification(notifications, at, incident, &incident.Notified[n], NotificationResolved, ReasonNotifiedBefore)
		}
	case incident.State == Firing && incident.Active() && incident.Silenced == "":
		for n := range incident.Notified {
			notified := &incident.Notified[n]
			if kind, reason := m.due(at, incident, *notified); kind != "" {
				notifications = m.appendNotification(notifications, at, incident, notified, kind, reason)
			}
		}
		for _, receiver := range m.router.receiversOf(incident) {
			if incident.notified(receiver) == nil {
				incident.Notified = append(incident.Notified, Notified{Receiver: receiver})
				notifications = m.appendNotification(notifications, at, incident, incident.notified(receiver), NotificationFired, ReasonFirst)
			}
		}
		notifications = m.escalate(notifications, at, incident)
	}
	return notifications
}

// due returns which notification of an incident is due for a receiver that was notified
// before; "": none.
func (m *Manager) due(at time.Time, i *Incident, notified Notified) (NotificationKind, Reason) {
	sinceLast := at.Sub(notified.Last)
	switch {
	case len(notified.News) > 0 && (sinceLast >= groupInterval || urgent(notified.News)):
		return NotificationDeveloped, ReasonNews
	case m.config.Repeat > 0 && i.Acknowledged.IsZero() && sinceLast >= repeatAfter(m.config.Repeat, notified.Reminders):
		return NotificationReminder, ReasonStillFiring
	default:
		return "", ""
	}
}

// repeatAfter returns the time from a notification to the next reminder. It is doubled after each
// reminder.
func repeatAfter(repeat time.Duration, reminders int) time.Duration {
	longest := max(repeat, maxRepeat)
	for range reminders {
		if repeat >= longest {
			break
		}
		repeat *= 2
	}
	return min(repeat, longest)
}

// appendNotification creates a notification for a receiver, records it in the receiver's state and in the
// timeline, and appends it. A receiver that is not configured any more gets none.
func (m *Manager) appendNotification(notifications []Notification, at time.Time, incident *Incident, notified *Notified, kind NotificationKind, reason Reason) []Notification {
	if !m.router.knows(notified.Receiver) {
		return notifications
	}
	n := Notification{Receiver: notified.Receiver, Kind: kind, At: at}
	n.News, notified.News = notified.News, nil
	notified.Last = at
	notified.Notifications++
	if incident.Severity == checks.Critical && notified.Critical.IsZero() {
		notified.Critical = at
	}
	if kind == NotificationReminder {
		notified.Reminders++
	}
	n.ID = NotificationID(incident.ID, notified.Receiver, notified.Notifications)
	m.openIncidents.record(incident, Event{At: at, Kind: EventNotified, Detail: notified.Receiver, Reason: reason, Text: notified.Receiver + ": " + string(kind)}, false)
	n.Incident = incident.clone()
	n.Incident.Notified = nil // the state of all receivers, which none of them needs
	return append(notifications, n)
}

// Notified is the notification state of one receiver and one incident.
type Notified struct {
	Receiver      string
	Notifications int       `json:"Notices"` // the number created so far; "Notices" is the name in stored histories
	Last          time.Time // when the latest was created
	Critical      time.Time `json:",omitzero"` // when the first notification while critical was created
	Reminders     int       // the number of reminders among them
	News          []Event   // events for the next notification, oldest first, the latest MaxNews
}

// MaxNews bounds the events in one notification. Older ones are dropped; the notification still has the
// current state of the incident.
const MaxNews = 20

// addNews adds an event to the next notification of the receiver.
func (n *Notified) addNews(e Event) {
	n.News = append(n.News, e)
	n.News = n.News[max(0, len(n.News)-MaxNews):]
}

// urgent reports whether events are notified without waiting for more.
func urgent(news []Event) bool {
	return slices.ContainsFunc(news, func(e Event) bool { return e.worsens() || e.Kind == EventAcknowledged })
}

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
		notifications = m.appendNotification(notifications, at, incident, incident.notified(to), NotificationFired, ReasonNobodyAcknowledged)
	}
	return notifications
}
