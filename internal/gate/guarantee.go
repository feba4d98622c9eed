package gate

import (
	"slices"

	"stickwatch/checks"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A Guarantee is a condition that users, or the operator of a deployment, rely on.
type Guarantee struct {
	Name     phrase.Phrase
	Code     checks.Code     // finding that a breach is in a single round; "": none
	Severity checks.Severity // severity of a breach
	Kept     checks.Tristate
	Reasons  []phrase.Phrase // why it is not kept, or not known to be kept; for a number, its value
}

// broken returns the guarantee with a reason for which it is not kept.
func (g Guarantee) broken(severity checks.Severity, reason phrase.Phrase) Guarantee {
	if g.Kept != checks.No || severity.AtLeast(g.Severity) {
		g.Severity = severity
	}
	g.Kept = checks.No
	g.Reasons = append(g.Reasons, reason)
	return g
}

// unknown returns the guarantee as not known to be kept, unless it is broken.
func (g Guarantee) unknown(reason phrase.Phrase) Guarantee {
	if g.Kept != checks.No {
		g.Kept = checks.Unknown
		g.Reasons = append(g.Reasons, reason)
	}
	return g
}

// maxReasons limits the reasons of a guarantee.
const maxReasons = 20

// trimmed returns the guarantee with a readable number of reasons.
func (g Guarantee) trimmed() Guarantee {
	if more := len(g.Reasons) - maxReasons; more > 0 {
		g.Reasons = append(slices.Clip(g.Reasons[:maxReasons]), phrase.New("and %d more like it", more))
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
		list = append(list, newGuarantee(phrase.New("no session is lost"), checks.SessionLost).unknown(phrase.New("no session was held: the cluster has none to lose")))
	}
	if len(j.Sessions) > 0 {
		list = append(list, j.requestsServed(phrase.New("sessions are answered"), report.Session))
	}
	list = append(list, j.requestsServed(phrase.New("newcomers are answered"), report.NewClient))
	if j.limits.Drain != "" {
		list = append(list, j.drainGuarantees(report.Moves)...)
	}
	list = slices.DeleteFunc(list, func(guarantee Guarantee) bool {
		insisted := j.limits.NoLoss && (guarantee.Code == checks.SessionLost || guarantee.Code == checks.SessionRollback)
		return guarantee.Code != "" && slices.Contains(j.limits.Ignore, guarantee.Code) && !insisted
	})
	for i, guarantee := range list {
		list[i] = guarantee.trimmed()
	}
	return list
}

func newGuarantee(name phrase.Phrase, code checks.Code) Guarantee {
	return Guarantee{Name: name, Code: code, Severity: checks.Critical, Kept: checks.Yes}
}

// sessionsKept checks that no session is lost. A loss that the policy allows is a
// warning, unless the limits allow none: users lost their session even if it was not
// guaranteed.
func (j *judge) sessionsKept(moves []Move) Guarantee {
	guarantee := newGuarantee(phrase.New("no session is lost"), checks.SessionLost)
	for _, m := range moves {
		switch {
		case m.SessionOutcome != probes.SessionLost:
		case m.Allowed && !j.limits.NoLoss:
			guarantee = guarantee.broken(checks.Warning, m.Explained())
		default:
			guarantee = guarantee.broken(checks.Critical, m.Explained())
		}
	}
	return guarantee
}

// sessionsCurrent checks that a session contains the value that was written last.
func (j *judge) sessionsCurrent(moves []Move) Guarantee {
	guarantee := newGuarantee(phrase.New("sessions keep what they hold"), checks.SessionRollback)
	if s := j.Cluster.Session; s.Write == "" {
		guarantee.Reasons = []phrase.Phrase{phrase.New("the application stores no values: only ids were compared")}
	}
	for _, m := range moves {
		if m.SessionOutcome == probes.SessionStale {
			guarantee = guarantee.broken(checks.Critical, m.Explained())
		}
	}
	return guarantee
}

// clientsSticky checks that the balancer keeps clients on their node while it is
// healthy. A client that moves once, as when the list of servers changes, is a warning.
func (j *judge) clientsSticky(moves []Move) Guarantee {
	guarantee := newGuarantee(phrase.New("sessions stay while their node is healthy"), checks.SessionDrift)
	for _, m := range moves {
		switch {
		case !m.Moved() || m.Cause != CauseUnexplained:
		case m.drifts:
			guarantee = guarantee.broken(checks.Critical, m.Explained())
		default:
			guarantee = guarantee.broken(checks.Warning, m.Explained())
		}
	}
	return guarantee
}

// requestsServed checks that requests are answered. The limits define the tolerated
// duration of an outage; without a limit, any outage is a warning.
func (j *judge) requestsServed(name phrase.Phrase, o Outage) Guarantee {
	guarantee := newGuarantee(name, "")
	limit := j.limits.MaxOutage
	switch {
	case o.IsZero():
	case limit == nil:
		guarantee = guarantee.broken(checks.Warning, o.Describe())
	case o.AtMost() > *limit:
		guarantee = guarantee.broken(checks.Critical, phrase.New("%s; %s is put up with", o.Describe(), *limit))
	default:
		guarantee.Reasons = []phrase.Phrase{phrase.New("%s; %s is put up with", o.Describe(), *limit)}
	}
	return guarantee
}

// String returns Explained in English.
func (m Move) String() string { return m.Explained().String() }

// Explained describes a move with its cause.
func (m Move) Explained() phrase.Phrase { return phrase.New("%s (%s)", m.Describe(), m.Reason) }

// Describe describes a move without its cause, which may change until the watch ends.
func (m Move) Describe() phrase.Phrase {
	way := phrase.New("on %s", m.From)
	if m.Moved() {
		way = phrase.New("from %s to %s", m.From, m.To)
	}
	switch m.SessionOutcome {
	case probes.SessionKept:
		return phrase.New("%s: session %s moved and was kept %s", m.At, m.Session, way)
	case probes.SessionLost:
		return phrase.New("%s: session %s was lost %s", m.At, m.Session, way)
	case probes.SessionStale:
		return phrase.New("%s: session %s came back older %s", m.At, m.Session, way)
	default:
		return phrase.New("%s: session %s moved %s", m.At, m.Session, way)
	}
}

// String returns Describe in English.
func (o Outage) String() string { return o.Describe().String() }

// Describe describes an outage.
func (o Outage) Describe() phrase.Phrase {
	reason := phrase.New("%s", phrase.Reason(probes.Clean(o.Error, probes.MaxError)))
	if o.Error == "" {
		reason = phrase.New("HTTP %d", o.Status)
	}
	least, most := o.AtLeast().Milliseconds(), o.AtMost().Milliseconds()
	text := phrase.New("%s: no good answer for %d to %d ms (%s)", o.FirstBad, least, most, reason)
	if o.Node != "" {
		text = phrase.New("%s: no good answer on %s for %d to %d ms (%s)", o.FirstBad, o.Node, least, most, reason)
	}
	if o.Ongoing {
		text = phrase.New("%s, and to the end", text)
	}
	return text
}
