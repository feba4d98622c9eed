package alerting

import (
	"time"

	"stickwatch/checks"
)

// Gather is how long the news of an incident are collected: the minimum time between
// two notifications for a receiver, unless the severity rises.
const Gather = 30 * time.Second

// maxRepeat bounds the time between two reminders.
const maxRepeat = 24 * time.Hour

// notify returns the notifications that are due. Silences suppress all but the last:
// receivers that were notified of an incident are notified of its end.
func (d *Manager) notify(at time.Time, i *Incident) []Notification {
	var notifications []Notification
	switch {
	case i.State == Resolved:
		for n := range i.Notified {
			notifications = d.newNotification(notifications, at, i, &i.Notified[n], NotificationResolved, ReasonNotifiedBefore)
		}
	case i.State == Firing && i.Active() && i.Silenced == "":
		for n := range i.Notified {
			t := &i.Notified[n]
			if kind, reason := d.due(at, i, *t); kind != "" {
				notifications = d.newNotification(notifications, at, i, t, kind, reason)
			}
		}
		for _, receiver := range d.router.receiversOf(i) {
			if i.notified(receiver) == nil {
				i.Notified = append(i.Notified, Notified{Receiver: receiver})
				notifications = d.newNotification(notifications, at, i, i.notified(receiver), NotificationFired, ReasonFirst)
			}
		}
		notifications = d.escalate(notifications, at, i)
	}
	return notifications
}

// due returns which notification of an incident is due for a receiver that was notified
// before; "": none.
func (d *Manager) due(at time.Time, i *Incident, t Notified) (NotificationKind, Reason) {
	quiet := at.Sub(t.Last)
	switch {
	case len(t.News) > 0 && (quiet >= Gather || urgent(t.News)):
		return NotificationDeveloped, ReasonNews
	case d.config.Repeat > 0 && i.Acknowledged.IsZero() && quiet >= repeatAfter(d.config.Repeat, t.Reminders):
		return NotificationReminder, ReasonStillFiring
	default:
		return "", ""
	}
}

// repeatAfter returns the time until the next reminder after a number of reminders.
func repeatAfter(repeat time.Duration, reminders int) time.Duration {
	most := max(repeat, maxRepeat)
	for range reminders {
		if repeat >= most {
			break
		}
		repeat *= 2
	}
	return min(repeat, most)
}

// newNotification adds a notification for a receiver, if the receiver still exists.
func (d *Manager) newNotification(notifications []Notification, at time.Time, i *Incident, t *Notified, kind NotificationKind, reason Reason) []Notification {
	if !d.router.knows(t.Receiver) {
		return notifications
	}
	n := Notification{Receiver: t.Receiver, Kind: kind, At: at}
	n.News, t.News = t.News, nil
	t.Last = at
	t.Notifications++
	if i.Severity == checks.Critical && t.Critical.IsZero() {
		t.Critical = at
	}
	if kind == NotificationReminder {
		t.Reminders++
	}
	n.ID = NotificationID(i.ID, t.Receiver, t.Notifications)
	d.openIncidents.record(i, Event{At: at, Kind: EventNotified, Detail: t.Receiver, Reason: reason, Text: t.Receiver + ": " + string(kind)}, false)
	n.Incident = i.clone()
	n.Incident.Notified = nil // internal
	return append(notifications, n)
}

// Notified is the notification state of one receiver and one incident.
type Notified struct {
	Receiver      string
	Notifications int       `json:"Notices"` // created so far; histories have it under this name
	Last          time.Time // when the latest was created
	Critical      time.Time `json:",omitzero"` // when the first of the critical incident was created
	Reminders     int       // the number of reminders among them
	News          []Event   // events for the next notification, oldest first, the latest MaxNews
}

// MaxNews bounds the events in one notification. The incident in it has the current
// state.
const MaxNews = 20

// addNews adds an event to the next notification of the receiver.
func (t *Notified) addNews(e Event) {
	t.News = append(t.News, e)
	t.News = t.News[max(0, len(t.News)-MaxNews):]
}
