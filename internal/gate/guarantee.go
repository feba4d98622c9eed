package gate

import (
	"fmt"
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Guarantee is a condition that users, or the operator of a deployment, rely on.
type Guarantee struct {
	Name     string
	Code     checks.Code     // finding that a breach is in a single round; "": none
	Severity checks.Severity // severity of a breach
	Kept     checks.Answer
	Reasons  []string // why it is not kept, or not known to be kept; for a number, its value
}

// broken returns p with a reason for which it is not kept.
func (g Guarantee) broken(severity checks.Severity, reason string) Guarantee {
	if g.Kept != checks.No || severity.AtLeast(g.Severity) {
		g.Severity = severity
	}
	g.Kept = checks.No
	g.Reasons = append(g.Reasons, reason)
	return g
}

func (g Guarantee) unknown(reason string) Guarantee {
	if g.Kept != checks.No {
		g.Kept = checks.Unknown
		g.Reasons = append(g.Reasons, reason)
	}
	return g
}

// maxReasons limits the reasons of a guarantee.
const maxReasons = 20

// trimmed returns p with a readable number of reasons.
func (g Guarantee) trimmed() Guarantee {
	if more := len(g.Reasons) - maxReasons; more > 0 {
		g.Reasons = append(slices.Clip(g.Reasons[:maxReasons]), fmt.Sprintf("and %d more like it", more))
	}
	for i, r := range g.Reasons {
		g.Reasons[i] = probes.Clean(r, 2*probes.MaxError)
	}
	return g
}

// guarantees returns the guarantees of the policy and of the limits, the most important
// first.
func (j *judge) guarantees(report Report) []Guarantee {
	var list []Guarantee
	switch policy := j.policy(); {
	case policy != probes.PolicyNone:
		list = append(list, j.sessionsKept(report.Moves), j.sessionsCurrent(report.Moves))
		if policy != probes.PolicyShared {
			list = append(list, j.clientsSticky(report.Moves))
		}
	case j.limits.NoLoss:
		list = append(list, newGuarantee("no session is lost", checks.SessionLost).unknown("no session was held: the cluster has none to lose"))
	}
	list = append(list, j.requestsServed("sessions are answered", report.Session), j.requestsServed("newcomers are answered", report.NewClient))
	if len(j.Sessions) == 0 {
		list = slices.DeleteFunc(list, func(p Guarantee) bool { return p.Name == "sessions are answered" })
	}
	if j.limits.Drain != "" {
		list = append(list, j.drainGuarantees(report.Moves)...)
	}
	list = slices.DeleteFunc(list, func(p Guarantee) bool {
		insisted := j.limits.NoLoss && (p.Code == checks.SessionLost || p.Code == checks.SessionRollback)
		return p.Code != "" && slices.Contains(j.limits.Ignore, p.Code) && !insisted
	})
	for i, p := range list {
		list[i] = p.trimmed()
	}
	return list
}

func newGuarantee(name string, code checks.Code) Guarantee {
	return Guarantee{Name: name, Code: code, Severity: checks.Critical, Kept: checks.Yes}
}

// sessionsKept checks that no session is lost. A loss that the policy allows is a
// warning, unless the limits allow none: users lost their session even if it was not
// guaranteed.
func (j *judge) sessionsKept(moves []Move) Guarantee {
	p := newGuarantee("no session is lost", checks.SessionLost)
	for _, m := range moves {
		switch {
		case m.SessionOutcome != probes.SessionLost:
		case m.Allowed && !j.limits.NoLoss:
			p = p.broken(checks.Warning, m.String())
		default:
			p = p.broken(checks.Critical, m.String())
		}
	}
	return p
}

// sessionsCurrent checks that a session contains the value that was written last.
func (j *judge) sessionsCurrent(moves []Move) Guarantee {
	p := newGuarantee("sessions keep what they hold", checks.SessionRollback)
	if s := j.Cluster.Session; s.Write == "" {
		p.Reasons = []string{"the application stores no values: only ids were compared"}
	}
	for _, m := range moves {
		if m.SessionOutcome == probes.SessionStale {
			p = p.broken(checks.Critical, m.String())
		}
	}
	return p
}

// clientsSticky checks that the balancer keeps clients on their node while it is
// healthy.
func (j *judge) clientsSticky(moves []Move) Guarantee {
	p := newGuarantee("sessions stay while their node is well", checks.SessionDrift)
	for _, m := range moves {
		if m.Moved() && m.Cause == CauseUnexplained {
			p = p.broken(checks.Critical, m.String())
		}
	}
	return p
}

// requestsServed checks that requests are answered. The limits define the tolerated
// duration of an outage; without a limit, any outage is a warning.
func (j *judge) requestsServed(name string, o Outage) Guarantee {
	p := newGuarantee(name, "")
	limit := j.limits.MaxOutage
	switch {
	case o.IsZero():
	case limit == nil:
		p = p.broken(checks.Warning, o.String())
	case o.AtMost() > *limit:
		p = p.broken(checks.Critical, fmt.Sprintf("%s; %s is put up with", o.String(), *limit))
	default:
		p.Reasons = []string{fmt.Sprintf("%s; %s is put up with", o.String(), *limit)}
	}
	return p
}

// String formats a move in one line.
func (m Move) String() string { return fmt.Sprintf("%s (%s)", m.Describe(), m.Reason) }

// Describe formats a move in one line without its cause, which may change until the
// watch ends.
func (m Move) Describe() string {
	what := map[probes.SessionOutcome]string{
		probes.SessionKept: "moved and was kept", probes.SessionLost: "was lost", probes.SessionStale: "came back older",
		probes.SessionUnknown: "moved",
	}[m.SessionOutcome]
	way := "on " + m.From
	if m.Moved() {
		way = "from " + m.From + " to " + m.To
	}
	return fmt.Sprintf("%s: session %s %s %s", clock(m.At), m.Session, what, way)
}

// String formats an outage in one line.
func (o Outage) String() string {
	where, why := "", o.Error
	if o.Node != "" {
		where = " on " + o.Node
	}
	if why == "" {
		why = fmt.Sprintf("HTTP %d", o.Status)
	}
	text := fmt.Sprintf("%s: no good answer%s for %d to %d ms (%s)",
		clock(o.FirstBad), where, o.AtLeast().Milliseconds(), o.AtMost().Milliseconds(), why)
	if o.Ongoing {
		text += ", and to the end"
	}
	return text
}
