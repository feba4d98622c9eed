package checks

import (
	"slices"

	"stickwatch/probes"
)

// This file finds ejections that began and ended between two rounds. No client
// of ours met them; but the balancer itself tells of them afterwards.

// ejectionReportedFor is for how long such an ejection is told.
const ejectionReportedFor = restartReportedFor

// An Ejection is one that no round has seen.
type Ejection struct {
	Span          // From is zero where only the end is told
	Words Message // whose word it is, and what it says
}

// addBalancerEvents takes in what the balancer says of n's past. What a round has found by
// itself, be it the ejection or that the node fails, is told already.
func (v *timeline) addBalancerEvents(n probes.Node, m NodeHistory) NodeHistory {
	m.Ejections = slices.DeleteFunc(slices.Clone(m.Ejections), func(e Ejection) bool { return v.Started.Sub(e.To) > ejectionReportedFor })
	told := !v.ready(n.ID) || n.Down || v.rotationStates[n.ID].Sure
	return v.readStatistics(n, v.readLog(n, m, told), told)
}

// wasEjected finds that n was ejected, and is back.
func wasEjected(v *timeline, n probes.Node) (Finding, bool) {
	past := v.nodeHistory[n.ID].Ejections
	if len(past) == 0 || !v.ready(n.ID) || v.rotationStates[n.ID].Sure {
		return Finding{}, false
	}
	last := past[len(past)-1]
	f := about(NodeEjected, Warning, n.ID)
	f.over = true
	f.Summary = msg(MsgWasEjected, Args{Node: n.ID, Since: last.From, At: last.To})
	for _, e := range slices.Backward(past) {
		f.Evidence = append(f.Evidence, says(byBalancer, e.Words))
	}
	f.Evidence = append(limited(f.Evidence), askedDirectly(v.direct[n.ID].Primary))
	if d, ok := v.disruptionAt(n.ID, last.To); ok && !d.Gone.IsZero() {
		f.Severity, f.passing = Info, true
	}
	f.Remedy = msg(MsgFindMoment, Args{Node: n.ID})
	return f, true
}
