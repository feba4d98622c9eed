package alerting

import (
	"cmp"
	"errors"
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

// Bounds of an acknowledgement and a note in bytes.
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

// ErrNotOpen is the error of a change of an incident that is not open.
var ErrNotOpen = errors.New("no such open incident")

// An AcknowledgedError says that somebody else has acknowledged the incident.
type AcknowledgedError struct{ By Acknowledgement }

func (e AcknowledgedError) Error() string {
	return cmp.Or(e.By.By, "somebody") + " has acknowledged it"
}

// Acknowledge records an acknowledgement of an open incident and notifies the receivers
// that were notified of the incident. Its errors are ErrNotOpen and AcknowledgedError. A
// person may repeat the own acknowledgement, and takeOver replaces that of another. All of
// them stay in the timeline.
func (m *Manager) Acknowledge(at time.Time, id string, a Acknowledgement, takeOver bool) (Decision, error) {
	i := m.openIncidents.withID(id)
	if i == nil {
		return Decision{}, ErrNotOpen
	}
	a = Acknowledgement{At: at, By: probes.Clean(a.By, MaxAuthor), Note: probes.Clean(a.Note, MaxNote)}
	before := i.Acknowledged
	if mine := a.By != "" && a.By == before.By; !before.IsZero() && !mine && !takeOver {
		return Decision{}, AcknowledgedError{before}
	}
	i.Acknowledged = a
	m.openIncidents.record(i, Event{
		At: at, Kind: EventAcknowledged, Author: a.By, Detail: a.Note, Reason: ReasonAsked, Text: "acknowledged by " + a.text(),
	}, true)
	return m.decide(at), nil
}

// NewNote returns a note for the timeline of an incident. by may be "".
func NewNote(at time.Time, by, text string) Event {
	a := Acknowledgement{By: probes.Clean(by, MaxAuthor), Note: probes.Clean(text, MaxNote)}
	return Event{At: at, Kind: EventNoted, Author: a.By, Detail: a.Note, Reason: ReasonAsked, Text: "note by " + a.text()}
}

// AddNote adds a note to an open incident, of which nobody is notified. Its error is
// ErrNotOpen.
func (m *Manager) AddNote(id string, note Event) (Decision, error) {
	i := m.openIncidents.withID(id)
	if i == nil {
		return Decision{}, ErrNotOpen
	}
	m.openIncidents.record(i, note, false)
	return m.decide(note.At), nil
}

// WithNote returns a copy of a resolved incident with a note in its timeline.
func (i *Incident) WithNote(note Event) Incident {
	c := i.clone()
	c.Timeline = appendEvent(c.Timeline, note)
	return c
}

// An Escalation notifies a further receiver of a critical incident that nobody has
// acknowledged.
type Escalation struct {
	After time.Duration // from the first notification of a critical incident to the receiver of its route
	To    string        // the receiver; "": the route has no escalation
}

// escalate notifies the receivers to which an incident escalates.
func (m *Manager) escalate(notifications []Notification, at time.Time, incident *Incident) []Notification {
	if incident.Severity != checks.Critical || !incident.Acknowledged.IsZero() {
		return notifications
	}
	for _, route := range m.router.routesOf(incident) {
		told, to := incident.notified(route.Receiver), route.Escalation.To
		switch {
		case to == "" || incident.notified(to) != nil || !m.router.knows(to):
			continue
		case told == nil || told.Critical.IsZero() || at.Sub(told.Critical) < route.Escalation.After:
			continue
		}
		e := Event{At: at, Kind: EventEscalated, Detail: to, Reason: ReasonNobodyAcknowledged, Text: fmt.Sprintf("nobody has acknowledged it for %s: %s is notified", route.Escalation.After, to)}
		m.openIncidents.record(incident, e, false)
		incident.Notified = append(incident.Notified, Notified{Receiver: to, News: []Event{e}})
		notifications = m.newNotification(notifications, at, incident, incident.notified(to), NotificationFired, ReasonNobodyAcknowledged)
	}
	return notifications
}

// urgent reports whether events are notified without waiting for more.
func urgent(news []Event) bool {
	return slices.ContainsFunc(news, func(e Event) bool { return e.worsens() || e.Kind == EventAcknowledged })
}
