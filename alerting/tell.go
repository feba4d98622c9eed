package alerting

import (
	"slices"
	"time"
)

// Gather is how long an incident's developments are gathered: a receiver is told
// of them that long after its last notice at the earliest, unless it has become worse.
const Gather = 30 * time.Second

// mostRepeat bounds the time between two reminders.
const mostRepeat = 24 * time.Hour

// tell writes the notices that are due. Silences hold back all but the end: who
// knows of an incident is told that it is over, and nobody else.
func (d *Desk) tell(at time.Time, i *Incident) []Notice {
	var notices []Notice
	switch {
	case i.State == Resolved:
		for n := range i.Told {
			notices = d.write(notices, at, i, &i.Told[n], NoticeResolved, ReasonToldBefore)
		}
	case i.State == Firing && i.Holds() && i.Silenced == "":
		for n := range i.Told {
			t := &i.Told[n]
			if kind, reason := d.due(at, *t); kind != "" {
				notices = d.write(notices, at, i, t, kind, reason)
			}
		}
		for _, receiver := range d.router.receiversOf(i) {
			if i.told(receiver) == nil {
				i.Told = append(i.Told, Told{Receiver: receiver})
				notices = d.write(notices, at, i, i.told(receiver), NoticeFired, ReasonFirst)
			}
		}
	}
	return notices
}

// due is what a receiver that knows of an incident is to be told now; "": nothing.
func (d *Desk) due(at time.Time, t Told) (NoticeKind, Reason) {
	quiet := at.Sub(t.Last)
	switch {
	case len(t.News) > 0 && (quiet >= Gather || slices.ContainsFunc(t.News, Event.worsens)):
		return NoticeDeveloped, ReasonNews
	case d.config.Repeat > 0 && quiet >= repeatAfter(d.config.Repeat, t.Reminders):
		return NoticeReminder, ReasonStillFiring
	default:
		return "", ""
	}
}

// repeatAfter is how long to wait for the next reminder after so many.
func repeatAfter(repeat time.Duration, reminders int) time.Duration {
	most := max(repeat, mostRepeat)
	for range reminders {
		if repeat >= most {
			break
		}
		repeat *= 2
	}
	return min(repeat, most)
}

// write writes a notice for a receiver, if there still is one of that name.
func (d *Desk) write(notices []Notice, at time.Time, i *Incident, t *Told, kind NoticeKind, reason Reason) []Notice {
	if !d.router.knows(t.Receiver) {
		return notices
	}
	n := Notice{Receiver: t.Receiver, Kind: kind, At: at}
	n.News, t.News = t.News, nil
	t.Last = at
	t.Notices++
	if kind == NoticeReminder {
		t.Reminders++
	}
	n.ID = NoticeID(i.ID, t.Receiver, t.Notices)
	d.docket.note(i, Event{At: at, Kind: EventTold, Detail: t.Receiver, Reason: reason, Text: t.Receiver + ": " + string(kind)}, false)
	n.Incident = i.clone()
	n.Incident.Told = nil // between us and the receivers
	return append(notices, n)
}
