package alerting

import (
	"time"

	"stickwatch/checks"
)

// An Incident is findings of one cluster with one cause, from first sight to
// recovery.
type Incident struct {
	ID       string // unique, and sortable by when it was opened
	Cluster  string
	State    State
	Severity checks.Severity // the worst that any of its findings has had

	Cause    checks.Finding // the finding that explains the others
	Findings []Member       // the cause first, then in the order in which they appeared

	Started  time.Time // first sight of its first finding
	Fired    time.Time // when it had held long enough to be told; zero: it has not
	Ended    time.Time // when nothing of it held any more; zero: something does
	Timeline []Event   // oldest first
}

// A Member is a finding's part in an incident.
type Member struct {
	checks.Standing
	Ended time.Time // zero: it holds
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

// An Event is a line in an incident's timeline.
type Event struct {
	At      time.Time
	Kind    EventKind
	Finding string // its key; "": about the incident as a whole
	Text    string // one sentence for people
	Reason  string // the name of the decision behind it, such as "held for 30s"
}

// An EventKind says what happened in an incident.
type EventKind string
