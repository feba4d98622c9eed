package alerting

import (
	"time"

	"stickwatch/checks"
)

// An Incident is findings of one cluster with one cause, from first sight to
// recovery. It holds all that is needed to go on with it after a restart.
type Incident struct {
	ID       string // unique, and sortable by when it was opened
	Cluster  string
	State    State
	Severity checks.Severity // the worst that any of its findings has had

	Cause    checks.Finding // the finding that explains the others; it may be over while they hold
	Findings []Member       // the cause first, then in the order in which they appeared

	Started  time.Time // first sight of its first finding
	Fired    time.Time // when it had held long enough to be told; zero: it has not
	Ended    time.Time // when nothing of it held any more; zero: something does
	Timeline []Event   // oldest first, at most MaxEvents

	Flapping   bool   // its findings come and go; see FlapTimes
	MergedInto string // the incident that turned out to have the same cause; "": none
	Silenced   string // why nobody is told of it now; "": they are
	Told       []Told // how far each receiver knows of it
}

// A State is how far an incident has come.
type State string

// The states. Pending: it has not held long enough for anybody to be told.
// Firing: somebody is to be told. Resolved: nothing of it has held for a quiet
// time, and nothing will be added to it.
const (
	Pending  State = "pending"
	Firing   State = "firing"
	Resolved State = "resolved"
)

// MaxFindings bounds the findings of an incident: beyond it those are dropped
// that have been over for the longest. What holds is never dropped.
const MaxFindings = 200

// Holds reports whether something of the incident holds for which somebody
// would be told.
func (i *Incident) Holds() bool { return !i.heldSince().IsZero() }

// Duration is how long the incident lasted, or has lasted at a moment.
func (i *Incident) Duration(at time.Time) time.Duration {
	if !i.Ended.IsZero() {
		at = i.Ended
	}
	return max(0, at.Sub(i.Started))
}

// heldSince is from when something of the incident has held without a gap, as
// far as the findings that hold tell; zero: nothing holds.
func (i *Incident) heldSince() time.Time {
	var since time.Time
	for _, m := range i.Findings {
		if m.raises() && m.Holds() && (since.IsZero() || m.Since.Before(since)) {
			since = m.Since
		}
	}
	return since
}
