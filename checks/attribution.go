package checks

import (
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

// This file attributes each lost session to one cause. A session was lost at some
// moment between the last answer that had it and the first that had not: seconds for
// a canary that comes all the time, minutes for one that pauses. Whatever is known to
// have happened in that time competes, and what is known of this very client wins
// over what is known of its nodes, and that over what is known of the balancer.

// attribution is the last stage before findings: the cause of each lost session.
type attribution struct {
	*movement

	history History // for the next round, this one included
}

// attribute returns the last stage of a round.
func attribute(moved *movement) *attribution {
	v := &attribution{movement: moved, history: History{Nodes: maps.Clone(moved.nodeHistory), Pool: moved.pool}}
	for id, m := range v.history.Nodes {
		m.ScatteredSince, m.ScatteredLast = v.scattered[id].From, v.scattered[id].To
		v.history.Nodes[id] = m
	}
	v.countLosses()
	return v
}

// A lossCause is what a lost session is attributed to.
type lossCause string

const (
	lossUnexplained lossCause = ""         // nothing known explains it: a finding of its own
	lossByDrift     lossCause = "drift"    // the balancer sends the client to and fro
	lossBySplit     lossCause = "split"    // parts of the balancer disagree about the client
	lossByRemapping lossCause = "remapped" // the balancer changed where it sends clients
	lossByNode      lossCause = "node"     // a node restarted or failed
	lossByReturn    lossCause = "return"   // the hash sends the client home from the node that stood in
	lossEarlier     lossCause = "earlier"  // an earlier answer to the same client had lost it
	lossReported    lossCause = "reported" // session_lost was found while the client paused
)

// causeOfLoss is what the loss of a session is attributed to. Only under sticky a node
// may take sessions along, and a balancer that moves clients loses them.
func (v *attribution) causeOfLoss(a *answer) lossCause {
	reported := a.pauseBefore() >= shortestPause && a.lostIn().contains(v.past().Pool.Lost)
	if v.policy() == probes.PolicySticky {
		switch pool := v.pool; {
		case v.drifted(a.trace):
			return lossByDrift
		case v.separatedByBalancer(a.trace):
			return lossBySplit
		case v.remap.includes(a.trace):
			return lossByRemapping
		case v.lostWithNode(a):
			return lossByNode
		case v.returnsToOwner(a):
			return lossByReturn
		case v.lostBefore(a):
			return lossEarlier
		case a.moved() && v.followed(a, pool.Drifted):
			return lossByDrift
		case a.moved() && (v.followed(a, pool.Remapped.At) || v.followed(a, pool.Remapped.Last)):
			return lossByRemapping
		}
	}
	if reported {
		return lossReported
	}
	return lossUnexplained
}

// lostIn is the time in which a session was lost: since the last answer before this
// one that had it.
func (a *answer) lostIn() Span {
	s := Span{a.trace.First().At, a.At}
	for i, step := range a.trace.Steps {
		if step.At.Before(a.At) && step.At.After(s.From) && a.trace.SessionOutcome(i) == probes.SessionKept {
			s.From = step.At
		}
	}
	return s
}

// contains reports whether a moment is in the span; one that never was is in none.
func (s Span) contains(moment time.Time) bool {
	return !moment.IsZero() && !moment.Before(s.From) && moment.Before(s.To)
}

// overlaps reports whether what a client lost within a span may be a consequence.
func (d Disruption) overlaps(s Span, aftermath time.Duration) bool {
	return !s.To.Before(d.From) && !s.From.After(d.To.Add(aftermath))
}

// lostWithNode reports whether a session went with its node: under sticky that is
// nobody's promise. A node that was merely left out has its sessions still, and
// its clients lose them all the same.
func (v *attribution) lostWithNode(a *answer) bool {
	if v.policy() != probes.PolicySticky {
		return false
	}
	lost := a.lostIn()
	for _, node := range []string{a.trace.holder, a.trace.owner} {
		if v.restartedSince(node, a.trace.First().At) || !v.ready(node) && node != "" && a.moved() {
			return true
		}
		if v.disruptedIn(node, lost, func(d Disruption) bool { return d.mayTakeSession(a) }) {
			return true
		}
	}
	return a.moved() && v.byRestartElsewhere(a, lost)
}

// mayTakeSession reports whether a disruption of its node may have cost a client its
// session. A node that answers, and has lost what it opened after it was back, has
// another trouble.
func (d Disruption) mayTakeSession(a *answer) bool {
	return d.failed() && (a.moved() || a.trace.Opened.Before(d.Gone))
}

// failed reports whether the node itself was gone, and not only left out.
func (d Disruption) failed() bool { return d.Kind != DisruptionEjected }

// byRestartElsewhere: while nodes restart one after the other, the heir of a
// client may be any node, and what it began there goes when it moves on. A balancer
// whose arithmetic is not known may hash over the nodes that are left: then the
// clients of others move, too. Those that come all the time show that at once, and
// their losses are reported; one that paused finds what was reported meanwhile.
func (v *movement) byRestartElsewhere(a *answer, lost Span) bool {
	out := v.disruptedWithin(lost)
	failed := slices.ContainsFunc(out, func(id string) bool { return v.disruptedIn(id, lost, Disruption.failed) })
	return failed && (v.sentBy(a, out) || v.rehashes() && a.pauseBefore() >= shortestPause)
}

// rehashes reports whether the balancer may place the clients of all nodes anew when
// one of them comes or goes.
func (v *nodeStates) rehashes() bool {
	return v.oracle == nil && v.Cluster.Balancer.Method == probes.MethodUnknown
}

// returnsToOwner reports whether a hash sends a client back to the node that it names,
// from the one that stood in while that was out: what it had there goes with the
// ejection that moved it.
func (v *attribution) returnsToOwner(a *answer) bool {
	owner, _, ok := v.ownerAndSuccessor(a.trace)
	return ok && a.moved() && a.servingNode == owner && v.byEjection(a)
}

// drifted reports whether the balancer sends a client to and fro: a session of it
// may then be replaced by another node's, and its own does not know it any more.
func (v *attribution) drifted(w *trace) bool {
	return slices.ContainsFunc(v.drifts, func(m move) bool {
		return m.trace == w || m.trace.Balancer == w.Balancer && m.trace.URL == w.URL
	})
}

// separatedByBalancer reports whether parts of the balancer disagree about a client.
func (v *attribution) separatedByBalancer(w *trace) bool {
	return slices.ContainsFunc(v.separations, func(s separation) bool { return s.trace == w })
}

// lostBefore reports whether an earlier answer to the same client had lost the
// session already, on a move.
func (v *attribution) lostBefore(a *answer) bool {
	if a.moved() {
		return false
	}
	return slices.ContainsFunc(slices.Concat(a.trace.earlier, a.trace.answers), func(b *answer) bool {
		return b.At.Before(a.At) && b.moved() && b.sessionOutcome == probes.SessionLost
	})
}

// countLosses adds the sessions that went with their nodes to the disruptions
// that took them. Only sessions of earlier rounds count: those of this round were
// opened while it went on.
func (v *attribution) countLosses() {
	for _, w := range v.traces {
		answers := slices.Concat(w.earlier, w.answers)
		lost := slices.IndexFunc(answers, func(a *answer) bool {
			return a.sessionOutcome == probes.SessionLost && v.causeOfLoss(a) == lossByNode
		})
		if !w.Continued || lost < 0 {
			continue
		}
		for _, node := range []string{w.owner, w.holder} {
			if v.addLoss(node, answers[lost].lostIn()) {
				break
			}
		}
	}
}

// addLoss counts a session that was lost within a span with the newest disruption of
// a node in that time, and reports whether there was one.
func (v *attribution) addLoss(node string, lost Span) bool {
	m := v.history.Nodes[node]
	for i, d := range slices.Backward(m.Disruptions) {
		if d.overlaps(lost, v.aftermath) {
			m.Disruptions = slices.Clone(m.Disruptions)
			m.Disruptions[i].Lost++
			v.history.Nodes[node] = m
			return true
		}
	}
	return false
}
