package alerting

import (
	"slices"

	"stickwatch/checks"
)

// A Phase is the state of an incident as people see it.
type Phase string

// The phases. A recovering incident has no active finding any more, and resolves after a
// while without a relapse.
const (
	PhaseOngoing    Phase = "ongoing"
	PhaseRecovering Phase = "recovering"
	PhaseResolved   Phase = "resolved"
)

// Phases has all phases.
var Phases = []Phase{PhaseOngoing, PhaseRecovering, PhaseResolved}

// Phase returns the phase of the incident.
func (i *Incident) Phase() Phase {
	switch {
	case i.State == Resolved:
		return PhaseResolved
	case !i.Active():
		return PhaseRecovering
	default:
		return PhaseOngoing
	}
}

// An IncidentQuery selects incidents. Zero fields are ignored.
type IncidentQuery struct {
	ID       string
	Cluster  string // one of the affected clusters
	State    State
	Phase    Phase
	Severity checks.Severity // the highest so far
	Code     checks.Code     // of the cause, or of another finding
	Span     checks.Span     // overlaps the time in which the incident was open
	Limit    int             // 0: the maximum of the source
}

// Matches reports whether an incident is selected. It ignores the limit.
func (q IncidentQuery) Matches(i *Incident) bool {
	switch {
	case q.ID != "" && q.ID != i.ID, q.Cluster != "" && !i.concerns(q.Cluster):
		return false
	case q.State != "" && q.State != i.State, q.Phase != "" && q.Phase != i.Phase():
		return false
	case q.Severity != "" && q.Severity != i.Severity:
		return false
	case q.Code != "" && q.Code != i.Cause.Code && !slices.ContainsFunc(i.Findings, func(m Member) bool { return m.Code == q.Code }):
		return false
	case !q.Span.From.IsZero() && !i.Ended.IsZero() && i.Ended.Before(q.Span.From):
		return false
	default:
		return q.Span.To.IsZero() || i.Started.Before(q.Span.To)
	}
}
