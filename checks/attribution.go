package checks

import (
	"maps"
	"slices"

	"stickwatch/probes"
)

// This file attributes each lost session to one cause. A session was lost between the
// last answer that had it and the first that had not: seconds apart for an active
// canary, minutes for an idle one. Every known event in that time is a candidate.
// What this client met wins over what its nodes met, and that over what other clients
// of the balancer met.

// attribution is the last stage before findings: the cause of each lost session, and
// the history that results from it.
type attribution struct {
	*remaps

	history History // for the next round, this one included
}

// attribute returns the last stage of a round.
func attribute(r *remaps) *attribution {
	v := &attribution{remaps: r, history: History{Nodes: maps.Clone(r.nodeHistory), Pool: r.pool, SlowConnects: r.slowConnects}}
	for id, m := range v.history.Nodes {
		m.ScatteredSince, m.ScatteredLast = v.scattered[id].From, v.scattered[id].To
		v.history.Nodes[id] = m
	}
	v.history.Pool.Unlisted = v.unlistedSince()
	v.countLosses()
	return v
}

// A lossCause is the cause that a lost session is attributed to.
type lossCause string

const (
	lossUnexplained lossCause = ""         // no known cause: a finding of its own
	lossByDrift     lossCause = "drift"    // the balancer sends the client back and forth
	lossBySplit     lossCause = "split"    // parts of the balancer disagree about the client
	lossByRemapping lossCause = "remapped" // the balancer changed where it sends clients
	lossByNode      lossCause = "node"     // a node restarted or failed
	lossByReturn    lossCause = "return"   // the hash returns the client to its owner from the successor
	lossEarlier     lossCause = "earlier"  // an earlier request of the client had already lost it
	lossReported    lossCause = "reported" // session_lost was reported while the client paused
)

// causeOfLoss returns the cause of a lost session, the most certain one if several fit.
// Only under the sticky policy may sessions be lost with a node, or by a balancer that
// moves clients.
func (attribution *attribution) causeOfLoss(a *answer) lossCause {
	reported := a.pauseBefore() >= shortestPause && a.lostIn().contains(attribution.past().Pool.Lost)
	if attribution.policy() == probes.PolicySticky {
		switch pool := attribution.pool; {
		// What the balancer does at this moment shows these, and the nodes were well.
		case attribution.drifted(a.trace):
			return lossByDrift
		case attribution.separatedByBalancer(a.trace):
			return lossBySplit
		case attribution.remap.includes(a.trace):
			return lossByRemapping
		// A node failed at that time, which would have cost the session in any case.
		case attribution.lostWithNode(a):
			return lossByNode
		// The policy allows no loss by an ejection alone, so that it is reported, also if
		// the client has returned by now.
		case attribution.leftOut(a) != "":
			return lossUnexplained
		// No finding reported the ejection, but only one moves clients like this.
		case attribution.returnsToOwner(a):
			return lossByReturn
		case attribution.lostBefore(a):
			return lossEarlier
		// That the balancer moved other clients recently is the weakest reason: nothing
		// shows that it moved this one.
		case a.moved() && attribution.followed(a, pool.Drifted):
			return lossByDrift
		case a.moved() && (attribution.followed(a, pool.Remapped.At) || attribution.followed(a, pool.Remapped.Last)):
			return lossByRemapping
		}
	}
	if reported {
		return lossReported
	}
	return lossUnexplained
}

// lostIn returns the time in which a session was lost: since the last earlier answer
// that had it.
func (a *answer) lostIn() Span {
	s := Span{a.trace.First().At, a.At}
	for i, step := range a.trace.Steps {
		if step.At.Before(a.At) && step.At.After(s.From) && a.trace.SessionOutcome(i) == probes.SessionKept {
			s.From = step.At
		}
	}
	return s
}

// lostWithNode reports whether a session was lost with its node, which the sticky
// policy allows. A node that was only left out still has its sessions, but its
// clients lose them all the same.
func (attribution *attribution) lostWithNode(a *answer) bool {
	if attribution.policy() != probes.PolicySticky {
		return false
	}
	lost := a.lostIn()
	for _, node := range []string{a.trace.holder, a.trace.owner} {
		if attribution.restartedSince(node, a.trace.First().At) || !attribution.ready(node) && node != "" && a.moved() {
			return true
		}
		if attribution.wasDisruptedIn(node, lost, func(d Disruption) bool { return d.mayTakeSession(a) }) {
			return true
		}
	}
	return a.moved() && attribution.byRestartElsewhere(a, lost)
}

// byRestartElsewhere reports whether a client moved, and lost its session, because
// other nodes failed. While nodes restart one after the other, the successor of a
// client may be any node, and the session that it opens there is lost when it moves
// on. A balancer whose arithmetic is not known may hash over the remaining nodes, so
// that clients of other nodes move as well. Active canaries show that at once, and
// their losses are reported; this function excuses the canaries that paused
// meanwhile.
func (movement *movement) byRestartElsewhere(a *answer, lost Span) bool {
	out := movement.nodesDisruptedIn(lost)
	failed := slices.ContainsFunc(out, func(id string) bool { return movement.wasDisruptedIn(id, lost, Disruption.failed) })
	return failed && (movement.sentBy(a, out) || movement.rehashes() && a.pauseBefore() >= shortestPause)
}

// rehashes reports whether the balancer may place the clients of all nodes anew when
// a node joins or leaves.
func (nodeStates *nodeStates) rehashes() bool {
	return nodeStates.oracle == nil && nodeStates.Cluster.Balancer.Method == probes.MethodUnknown
}

// returnsToOwner reports whether a hash returned a client to its owner from the
// successor. The session that it had there is lost because of the ejection that moved
// it.
func (attribution *attribution) returnsToOwner(a *answer) bool {
	owner, _, ok := attribution.ownerAndSuccessor(a.trace)
	return ok && a.moved() && a.servingNode == owner && attribution.byEjection(a)
}

// leftOut returns the key of the finding that the balancer left out a node which was
// well, if that moved a client; "": it did not. Unlike a failure, the sticky policy
// allows no loss by it.
func (attribution *attribution) leftOut(a *answer) string {
	if !a.moved() {
		return ""
	}
	for _, node := range []string{a.servingNode, a.trace.holder, a.trace.owner} {
		if d, ok := attribution.disruptionAt(node, a.At); ok && !d.failed() && d.Finding != "" {
			return d.Finding
		}
	}
	return ""
}

// drifted reports whether the address of the balancer sends clients back and forth. Another
// node's session may then replace that of any of its clients.
func (attribution *attribution) drifted(w *trace) bool {
	return slices.ContainsFunc(attribution.drifts, func(m move) bool {
		return m.trace.Balancer == w.Balancer && m.trace.URL == w.URL
	})
}

// separatedByBalancer reports whether parts of the balancer disagree about a client.
func (attribution *attribution) separatedByBalancer(w *trace) bool {
	return slices.ContainsFunc(attribution.separations, func(s separation) bool { return s.trace == w })
}

// lostBefore reports whether an earlier answer to the same client had already lost
// the session, on a move.
func (attribution *attribution) lostBefore(a *answer) bool {
	if a.moved() {
		return false
	}
	return slices.ContainsFunc(slices.Concat(a.trace.earlier, a.trace.answers), func(b *answer) bool {
		return b.At.Before(a.At) && b.moved() && b.sessionOutcome == probes.SessionLost
	})
}

// countLosses adds the sessions that were lost with their nodes, or by their return, to
// the disruptions that caused it, once each. Only sessions of earlier rounds count: those of
// this round were opened during it.
func (attribution *attribution) countLosses() {
	counted := attribution.past().LossesTo
	attribution.history.LossesTo = counted
	for _, w := range attribution.traces {
		answers := slices.Concat(w.earlier, w.answers)
		lost := slices.IndexFunc(answers, func(a *answer) bool {
			return a.sessionOutcome == probes.SessionLost && len(attribution.nodesThatLost(a)) > 0
		})
		if !w.Continued || lost < 0 || !answers[lost].At.After(counted) {
			continue
		}
		if answers[lost].At.After(attribution.history.LossesTo) {
			attribution.history.LossesTo = answers[lost].At
		}
		for _, node := range attribution.nodesThatLost(answers[lost]) {
			if attribution.addLoss(node, answers[lost].lostIn()) {
				break
			}
		}
	}
}

// nodesThatLost returns the nodes of which one lost a session by its disruption; none if the
// loss has another cause.
func (attribution *attribution) nodesThatLost(a *answer) []string {
	switch attribution.causeOfLoss(a) {
	case lossByNode:
		return []string{a.trace.owner, a.trace.holder}
	case lossByReturn:
		return []string{a.servingNode}
	default:
		return nil
	}
}

// addLoss counts a session that was lost within a span with the newest disruption of
// a node in that time. It reports whether there was one.
func (attribution *attribution) addLoss(node string, lost Span) bool {
	m := attribution.history.Nodes[node]
	for i, d := range slices.Backward(m.Disruptions) {
		if d.overlaps(lost, attribution.aftermath) {
			m.Disruptions = slices.Clone(m.Disruptions)
			m.Disruptions[i].Lost++
			attribution.history.Nodes[node] = m
			return true
		}
	}
	return false
}

// disruptionFindings lists the findings that report a disruption of a node.
var disruptionFindings = []Code{NodeDown, NodePaused, NodeRestarted, Slow, NodeEjected}

// remember keeps which findings reported disruptions and remappings: their consequences
// may be found after these findings have ended.
func (attribution *attribution) remember(findings []Finding) {
	for _, f := range findings {
		m := attribution.history.Nodes[f.Node]
		switch n := len(m.Disruptions); {
		case f.Code == BalancerRemapped && attribution.history.Pool.Remapped.Cause == "":
			attribution.history.Pool.Remapped.Cause = f.ExplainedBy
		case n == 0 || f.ExplainedBy != "" || !slices.Contains(disruptionFindings, f.Code):
		case m.Disruptions[n-1].Finding == "":
			m.Disruptions = slices.Clone(m.Disruptions)
			m.Disruptions[n-1].Finding = f.Key()
			attribution.history.Nodes[f.Node] = m
		}
	}
}
