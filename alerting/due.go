package alerting

import (
	"slices"
	"time"
)

// Gather is how long an incident's developments are gathered: a receiver is told
// of them that long after its last notice at the earliest, unless it has become worse.
const Gather = 30 * time.Second

// maxRepeat bounds the time between two reminders.
const maxRepeat = 24 * time.Hour

// notify writes the notices that are due. Silences hold back all but the end: who
// knows of an incident is told that it is over, and nobody else.
func (d *Manager) notify(at time.Time, i *Incident) []Notification {
	var notifications []Notification
	switch {
	case i.State == Resolved:
		for n := range i.Notified {
			notifications = d.write(notifications, at, i, &i.Notified[n], NotificationResolved, ReasonNotifiedBefore)
		}
	case i.State == Firing && i.Holds() && i.Silenced == "":
		for n := range i.Notified {
			t := &i.Notified[n]
			if kind, reason := d.due(at, *t); kind != "" {
				notifications = d.write(notifications, at, i, t, kind, reason)
			}
		}
		for _, receiver := range d.router.receiversOf(i) {
			if i.notified(receiver) == nil {
				i.Notified = append(i.Notified, Notified{Receiver: receiver})
				notifications = d.write(notifications, at, i, i.notified(receiver), NotificationFired, ReasonFirst)
			}
		}
	}
	return notifications
}

// due is what a receiver that knows of an incident is to be told now; "": nothing.
func (d *Manager) due(at time.Time, t Notified) (NotificationKind, Reason) {
	quiet := at.Sub(t.Last)
	switch {
	case len(t.News) > 0 && (quiet >= Gather || slices.ContainsFunc(t.News, Event.worsens)):
		return NotificationDeveloped, ReasonNews
	case d.config.Repeat > 0 && quiet >= repeatAfter(d.config.Repeat, t.Reminders):
		return NotificationReminder, ReasonStillFiring
	default:
		return "", ""
	}
}

// repeatAfter is how long to wait for the next reminder after so many.
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

// write writes a notice for a receiver, if there still is one of that name.
func (d *Manager) write(notifications []Notification, at time.Time, i *Incident, t *Notified, kind NotificationKind, reason Reason) []Notification {
	if !d.router.knows(t.Receiver) {
		return notifications
	}
	n := Notification{Receiver: t.Receiver, Kind: kind, At: at}
	n.News, t.News = t.News, nil
	t.Last = at
	t.Notifications++
	if kind == NotificationReminder {
		t.Reminders++
	}
	n.ID = NotificationID(i.ID, t.Receiver, t.Notifications)
	d.openIncidents.note(i, Event{At: at, Kind: EventNotified, Detail: t.Receiver, Reason: reason, Text: t.Receiver + ": " + string(kind)}, false)
	n.Incident = i.clone()
	n.Incident.Notified = nil // between us and the receivers
	return append(notifications, n)
}

// Notified is how far one receiver knows of an incident.
type Notified struct {
	Receiver      string
	Notifications int       `json:"Notices"` // written so far
	Last          time.Time // when the newest of them was written
	Reminders     int       // how many of them were reminders
	News          []Event   // developments that it has not been told yet, oldest first, the newest MaxNews
}

// MaxNews bounds how many developments one notice tells: the newest. The
// incident in it shows how everything stands.
const MaxNews = 20

// observed keeps a development for the receiver's next notice.
func (t *Notified) observed(e Event) {
	t.News = append(t.News, e)
	t.News = t.News[max(0, len(t.News)-MaxNews):]
}
