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
// the timeline that results from it.
type attribution struct {
	round    *Round
	nodes    *nodeStates
	outcomes *outcomes
	rotation *rotation
	timeline *timeline
	movement *movement
	remaps   *remaps

	timelines Timelines // for the next round, this one included
}

// attribute returns the last stage of a round.
func attribute(rem *remaps) *attribution {
	att := &attribution{
		round: rem.round, nodes: rem.nodes, outcomes: rem.outcomes, rotation: rem.rotation,
		timeline: rem.timeline, movement: rem.movement, remaps: rem,
		timelines: Timelines{Nodes: maps.Clone(rem.timeline.nodeTimelines), Balancer: rem.balancerTimeline, SlowConnects: rem.outcomes.slowConnects},
	}
	for id, known := range att.timelines.Nodes {
		known.ScatteredSince, known.ScatteredLast = att.movement.scattered[id].From, att.movement.scattered[id].To
		att.timelines.Nodes[id] = known
	}
	att.timelines.Balancer.Titles = att.outcomes.titles()
	att.timelines.Balancer.Unlisted = att.outcomes.unlistedSince()
	att.timelines.Balancer.Served, att.timelines.Balancer.Waited = att.nodes.page.served, att.outcomes.waits
	for _, a := range att.outcomes.answers {
		if a.sessionOutcome == probes.SessionKept && a.At.After(att.timelines.Balancer.LastKeptAt) {
			att.timelines.Balancer.LastKeptAt = a.At
		}
	}
	att.countLosses()
	return att
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
func (att *attribution) causeOfLoss(a *answer) lossCause {
	reported := a.pauseBefore() >= shortestPause && a.sinceLastKept().contains(att.round.past().Balancer.LastLostAt)
	if att.round.policy() == probes.PolicySticky {
		switch known := att.remaps.balancerTimeline; {
		// What the balancer does at this moment shows these, and the nodes were ready.
		case att.movement.drifted(a.trace):
			return lossByDrift
		case att.movement.separatedByBalancer(a.trace):
			return lossBySplit
		case att.remaps.remap.includes(a.trace):
			return lossByRemapping
		// A node failed at that time, which would have cost the session in any case.
		case att.lostWithNode(a):
			return lossByNode
		// The policy allows no loss by an ejection alone, so that it is reported, also if
		// the client has returned by now.
		case att.timeline.leftOut(a) != "":
			return lossUnexplained
		// No finding reported the ejection, but only one moves clients like this.
		case att.returnsToOwner(a):
			return lossByReturn
		case att.lostBefore(a):
			return lossEarlier
		// That the balancer moved other clients recently is the weakest reason: nothing
		// shows that it moved this one.
		case a.moved() && att.timeline.mayFollow(a, known.LastDriftAt):
			return lossByDrift
		case a.moved() && (att.timeline.mayFollow(a, known.Remapped.At) || att.timeline.mayFollow(a, known.Remapped.Last)):
			return lossByRemapping
		}
	}
	if reported {
		return lossReported
	}
	return lossUnexplained
}

// lostWithNode reports whether a session was lost with its node, which the sticky
// policy allows. A node that was only left out still has its sessions, but its
// clients lose them all the same.
func (att *attribution) lostWithNode(a *answer) bool {
	if att.round.policy() != probes.PolicySticky {
		return false
	}
	lost := a.sinceLastKept()
	for _, node := range []string{a.trace.holder, a.trace.opener} {
		if att.timeline.sessionsGoneSince(node, a.trace.First().At) || a.moved() && att.isGone(node) {
			return true
		}
		if att.timeline.wasDisruptedIn(node, lost, func(d Disruption) bool { return d.mayTakeSession(a) }) {
			return true
		}
	}
	return a.moved() && att.movement.byRestartElsewhere(a, lost)
}

// isGone reports whether a node does not serve. An unlisted name may be that of a listed node, unless
// all are known by name, or one of them is down.
func (att *attribution) isGone(node string) bool {
	if IsUnlisted(node) {
		return len(att.outcomes.unnamed) == 0 || slices.ContainsFunc(att.nodes.enabled, func(o probes.NodeObservation) bool { return !att.nodes.up[o.Node] })
	}
	return node != "" && !att.nodes.ready(node)
}

// returnsToOwner reports whether a hash returned a client to its owner from the
// successor. The session that it had there is lost because of the ejection that moved
// it.
func (att *attribution) returnsToOwner(a *answer) bool {
	owner, _, ok := att.rotation.ownerAndSuccessor(a.trace)
	return ok && a.moved() && a.servingNode == owner && att.movement.byEjection(a)
}

// leftOut returns the key of the finding that the balancer left out a node which was
// ready, if that moved a client; "": it did not. Unlike a failure, the sticky policy
// allows no loss by it.
func (tl *timeline) leftOut(a *answer) string {
	if !a.moved() {
		return ""
	}
	for _, node := range []string{a.servingNode, a.trace.holder, a.trace.opener} {
		if d, ok := tl.disruptionAt(node, a.At); ok && !d.failed() && d.Finding != "" {
			return d.Finding
		}
	}
	return ""
}

// drifted reports whether the address of the balancer sends clients back and forth. Another
// node's session may then replace that of any of its clients.
func (mov *movement) drifted(tr *trace) bool {
	return slices.ContainsFunc(mov.drifts, func(m move) bool {
		return m.trace.Balancer == tr.Balancer && m.trace.URL == tr.URL
	})
}

// separatedByBalancer reports whether parts of the balancer disagree about a client.
func (mov *movement) separatedByBalancer(tr *trace) bool {
	return slices.ContainsFunc(mov.separations, func(s separation) bool { return s.trace == tr })
}

// lostBefore reports whether an earlier answer to the same client had already lost
// the session, on a move.
func (att *attribution) lostBefore(a *answer) bool {
	if a.moved() {
		return false
	}
	return slices.ContainsFunc(a.trace.allAnswers(), func(b *answer) bool {
		return b.At.Before(a.At) && b.moved() && b.sessionOutcome == probes.SessionLost
	})
}

// countLosses adds the sessions that were lost with their nodes, or by their return, to
// the disruptions that caused it, once each. Only sessions of earlier rounds count: those of
// this round were opened during it.
func (att *attribution) countLosses() {
	counted := att.round.past().LossesTo
	att.timelines.LossesTo = counted
	for _, tr := range att.outcomes.traces {
		answers := tr.allAnswers()
		lost := slices.IndexFunc(answers, func(a *answer) bool {
			return a.sessionOutcome == probes.SessionLost && len(att.nodesThatLost(a)) > 0
		})
		if !tr.Continued || lost < 0 || !answers[lost].At.After(counted) {
			continue
		}
		if answers[lost].At.After(att.timelines.LossesTo) {
			att.timelines.LossesTo = answers[lost].At
		}
		for _, node := range att.nodesThatLost(answers[lost]) {
			if att.addLoss(node, answers[lost].sinceLastKept()) {
				break
			}
		}
	}
}

// nodesThatLost returns the nodes of which one lost a session by its disruption; none if the
// loss has another cause.
func (att *attribution) nodesThatLost(a *answer) []string {
	switch att.causeOfLoss(a) {
	case lossByNode:
		return []string{a.trace.opener, a.trace.holder}
	case lossByReturn:
		return []string{a.servingNode}
	default:
		return nil
	}
}

// addLoss counts a session that was lost within a span with the newest disruption of
// a node in that time. It reports whether there was one.
func (att *attribution) addLoss(node string, lost Span) bool {
	known := att.timelines.Nodes[node]
	for i, d := range slices.Backward(known.Disruptions) {
		if d.overlaps(lost, att.timeline.consequencesFor) {
			known.Disruptions = slices.Clone(known.Disruptions)
			known.Disruptions[i].Lost++
			att.timelines.Nodes[node] = known
			return true
		}
	}
	return false
}

// disruptionFindings lists the findings that report a disruption of a node.
var disruptionFindings = []Code{NodeDown, NodePaused, NodeRestarted, Slow, NodeEjected}

// remember keeps which findings reported disruptions and remappings: their consequences
// may be found after these findings have ended.
func (att *attribution) remember(findings []Finding) {
	for _, f := range findings {
		known := att.timelines.Nodes[f.Node]
		switch n := len(known.Disruptions); {
		case f.Code == BalancerRemapped && att.timelines.Balancer.Remapped.Cause == "":
			att.timelines.Balancer.Remapped.Cause = f.ExplainedBy
		case n == 0 || f.ExplainedBy != "" || !slices.Contains(disruptionFindings, f.Code):
		case known.Disruptions[n-1].Finding == "":
			known.Disruptions = slices.Clone(known.Disruptions)
			known.Disruptions[n-1].Finding = f.Key()
			att.timelines.Nodes[f.Node] = known
		}
	}
}
