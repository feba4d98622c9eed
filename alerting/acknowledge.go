package alerting

import (
	"cmp"
	"errors"
	"time"

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

// signed returns the name of somebody, and what they say.
func signed(by, note string) string {
	by = cmp.Or(by, "somebody")
	if note != "" {
		return by + ": " + note
	}
	return by
}

// ErrNotOpen is the error of a change of an incident that is not open.
var ErrNotOpen = errors.New("no such open incident")

// An AcknowledgedError says that somebody else has acknowledged the incident.
type AcknowledgedError struct{ Existing Acknowledgement }

func (e AcknowledgedError) Error() string {
	return signed(e.Existing.By, "") + " has acknowledged it"
}

// Acknowledge records an acknowledgement of an open incident and notifies the receivers
// that were notified of the incident. Its errors are ErrNotOpen and AcknowledgedError. People
// may repeat their own acknowledgement, and takeOver replaces that of somebody else. All of
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
		At: at, Kind: EventAcknowledged, Author: a.By, Detail: a.Note, Reason: ReasonAsked, Text: "acknowledged by " + signed(a.By, a.Note),
	}, true)
	return m.decide(at), nil
}

// NewNote returns a note for the timeline of an incident. by may be "".
func NewNote(at time.Time, by, text string) Event {
	by, text = probes.Clean(by, MaxAuthor), probes.Clean(text, MaxNote)
	return Event{At: at, Kind: EventNoted, Author: by, Detail: text, Reason: ReasonAsked, Text: "note by " + signed(by, text)}
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
