package alerting

import (
	"time"

	"stickwatch/checks"
)

// A Member is a finding's part in an incident.
type Member struct {
	checks.Standing
	Ended time.Time   // zero: it holds
	Came  []time.Time // when it last appeared, oldest first, at most FlapTimes; earlier incidents included
}

// Holds reports whether the finding still stands.
func (m Member) Holds() bool { return m.Ended.IsZero() }

// raises reports whether the finding is worth an incident. Information is
// listed with what it explains, or is explained by, and tells nobody anything
// by itself.
func (m Member) raises() bool { return raises(m.Finding) }

func raises(f checks.Finding) bool { return f.Severity.AtLeast(checks.Warning) }
