package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// inRotation finds healthy nodes that get nobody, and failing ones that do.
func inRotation(v *timeline) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		place := v.rotationStates[n.ID]
		if place.Sure && v.ready(n.ID) {
			list = append(list, ejected(v, n, "", place))
		}
		if f, ok := wasEjected(v, n); ok {
			list = append(list, f)
		}
		if v.ready(n.ID) {
			for _, e := range place.Elsewhere {
				list = append(list, ejected(v, n, e.frontend, e.rotationState))
			}
		}
		if f, ok := failingInRotation(v.outcomes, n); ok {
			list = append(list, f)
		}
	}
	return list
}

// ejected: by the whole balancer, or by one of its addresses.
func ejected(v *timeline, n probes.Node, frontend string, p rotationState) Finding {
	f := about(NodeEjected, Warning, n.ID)
	f.Target = frontend
	f.Summary = msg(MsgEjected, Args{Node: n.ID, Address: frontend})
	if m := v.nodeHistory[n.ID]; passing(v, m) {
		f.Severity, f.passing = Info, true
		if v.Started.Sub(m.Back) <= v.aftermath {
			f.Summary = msg(MsgNotTakenBackYet, Args{Node: n.ID, Address: frontend, Since: m.Back})
		}
	}
	f.Evidence = append([]Message{says(p.Voice, p.Reason), askedDirectly(v.direct[n.ID].Primary)}, limited(evidenceRecords(v.nodeStates, n, p.Reason))...)
	if t := v.Cluster.Balancer.FailTimeout; t > 0 && v.Cluster.Balancer.Method != probes.MethodCookie {
		f.Remedy = msg(MsgWaitFailTimeout, Args{Duration: t, Server: n.ServerName()})
		return f
	}
	f.Remedy = msg(MsgCheckServerState, Args{Server: n.ServerName()})
	return f
}

// longestPassing is how long a node that fails again and again may be left out before
// that is worth a warning of its own; where httpd balances also one that does not.
const (
	longestPassing = 2 * time.Minute
	longestDebt    = 5 * time.Minute
)

// passing reports whether the balancer leaves a node out for no longer than it does
// after any failure, from when that began or the node was well again: it will take the
// node back by itself. httpd counts the requests of clients that have a route against
// their node (mod_proxy_balancer, proxy_balancer_pre_request): one that has lost its
// clients to others gets new ones only when it has caught up, and so looks left out.
func passing(v *timeline, m NodeHistory) bool {
	since, wait, longest := m.Out, v.aftermath, longestPassing+v.aftermath
	if m.Back.After(since) {
		since = m.Back
	}
	if v.Cluster.Balancer.Method == probes.MethodCookie && slices.ContainsFunc(v.answers, func(a *answer) bool { return a.HasRoute }) {
		wait, longest = longestDebt, longestDebt
	}
	return v.Started.Sub(since) <= wait && v.Started.Sub(m.Out) <= longest
}
