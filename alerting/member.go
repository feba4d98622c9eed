package alerting

import (
	"slices"
	"time"

	"stickwatch/checks"
)

// A Member is a finding's part in an incident.
type Member struct {
	checks.ActiveFinding
	Cluster  string      // "": of the monitor itself
	Ended    time.Time   // zero: it holds
	CameBack []time.Time `json:"Came"` // when it last appeared, oldest first, at most FlapTimes; earlier incidents included
}

// Holds reports whether the finding still stands.
func (m Member) Holds() bool { return m.Ended.IsZero() }

// raises reports whether the finding is worth an incident. Information is
// listed with what it explains, or is explained by, and tells nobody anything
// by itself.
func (m Member) raises() bool { return m.Severity.AtLeast(checks.Warning) }

// flaps reports whether the finding had come and gone too often when it
// appeared last.
func (m Member) flaps() bool { return len(m.CameBack) >= FlapTimes }

// isNews reports whether those who know of the incident want to hear that the
// finding comes or goes. That it flaps is said once, and then no more.
func (m Member) isNews() bool { return m.raises() && !m.flaps() }

// refresh takes over what the newest round says of a finding that holds, and
// reports whether it differs in more than its evidence. The earlier of two
// beginnings stays, unless it was mere information until now: a monitor that was
// restarted may count anew. So does the cause
// unless the round changed the finding: another one that does not stand yet may be
// named in every round.
func (m *Member) refresh(s checks.ActiveFinding, changed bool) (altered bool) {
	if !changed {
		s.ExplainedBy = m.ExplainedBy
	}
	altered = m.Severity != s.Severity || m.ExplainedBy != s.ExplainedBy || !slices.Equal(m.Nodes, s.Nodes)
	if m.raises() && m.Since.Before(s.Since) {
		s.Since = m.Since
	}
	m.ActiveFinding = s
	return altered
}

// event begins a line of the timeline about the finding.
func (m Member) event(at time.Time, kind EventKind, reason Reason) Event {
	return Event{At: at, Kind: kind, Cluster: m.Cluster, Finding: m.Key(), Text: m.Summary.String(), Reason: reason}
}
