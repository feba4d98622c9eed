package checks

import (
	"math"
	"slices"

	"stickwatch/probes"
)

// movement is the fifth stage: which clients another node than their own answered,
// and what that shows about the balancer.
type movement struct {
	round    *Round
	nodes    *nodeStates
	outcomes *outcomes
	rotation *rotation
	timeline *timeline

	stickiness  []frontendStickiness // in the order of frontends
	scattered   map[string]Span      // by node id: from when to when its clients were answered by it and by other nodes in turns
	drifts      []move
	failovers   []move
	separations []separation
}

// findMoves returns the fifth stage of a round.
func findMoves(tl *timeline) *movement {
	mov := &movement{
		round: tl.round, nodes: tl.nodes, outcomes: tl.outcomes, rotation: tl.rotation, timeline: tl,
		scattered: make(map[string]Span),
	}
	mov.stickiness = mov.stickinessOfFrontends()
	for _, n := range mov.round.Cluster.Nodes {
		mov.scattered[n.ID] = mov.scatteredSpan(n)
	}
	mov.drifts, mov.failovers = mov.moves()
	mov.separations = mov.separate()
	return mov
}

// A move is an answer of another node than the session's own.
type move struct {
	from, to string
	*answer
}

// moves classifies the moves away from each node. Drifts are those that the balancer
// makes again and again. Failovers leave a node that fails, did not answer a try, or
// was out. A move that is neither happened once.
func (mov *movement) moves() (drifts, failovers []move) {
	drifting := make(map[*answer]bool)
	for _, s := range mov.stickiness {
		for _, m := range s.afterFirst {
			drifting[m.answer] = true
		}
		for _, m := range s.moves {
			if s.scatters || mov.scatteredForLong(m.from) {
				drifting[m.answer] = true
			}
		}
	}
	for _, tr := range mov.outcomes.traces {
		for _, a := range tr.answers {
			if a.Kind == probes.StepFirst || !a.OK() || !a.moved() {
				continue
			}
			switch m := (move{tr.holder, a.servingNode, a}); {
			case drifting[a]:
				drifts = append(drifts, m)
			case mov.excused(a):
				failovers = append(failovers, m)
			}
		}
	}
	return drifts, failovers
}

// scatteredForLong reports whether the clients of a node have been scattered for longer than
// an unseen disruption would explain. In a single round, which has no earlier ones,
// it is true.
func (mov *movement) scatteredForLong(node string) bool {
	since := mov.scattered[node].From
	return mov.round.Past == nil || since.IsZero() || mov.round.Started.Sub(since) > mov.timeline.consequencesFor
}

// scatteredSpan returns from when to when a node's clients have been answered by it
// and by others in turns. It is zero when they are not.
func (mov *movement) scatteredSpan(n probes.Node) Span {
	timeline := mov.timeline.nodeTimelines[n.ID]
	scattered := slices.ContainsFunc(mov.stickiness, func(s frontendStickiness) bool { return !s.scatters && slices.Contains(s.scattered, n.ID) })
	switch recent := mov.round.Started.Sub(timeline.ScatteredLast) <= mov.timeline.consequencesFor; {
	case scattered && !timeline.ScatteredSince.IsZero() && recent:
		return Span{timeline.ScatteredSince, mov.round.Started}
	case scattered:
		return Span{mov.round.Started, mov.round.Started}
	case recent:
		return Span{timeline.ScatteredSince, timeline.ScatteredLast}
	default:
		return Span{}
	}
}

// byEjection reports whether a hash moved a session because an ejection began or
// ended: once, between the node that it names for the client and the node that it
// names without that one.
func (mov *movement) byEjection(a *answer) bool {
	owner, successor, ok := mov.rotation.ownerAndSuccessor(a.trace)
	if !ok || mov.answeredBetween(owner, successor, a.trace) {
		return false
	}
	holder := a.trace.holder
	return a.servingNode == owner && holder == successor || a.servingNode == successor && holder == owner
}

// withoutSplit returns the moves without those of clients that a split of the
// balancer sends back and forth. These have a finding of their own.
func withoutSplit(mov *movement, moves []move) []move {
	return slices.DeleteFunc(slices.Clone(moves), func(m move) bool {
		return slices.ContainsFunc(mov.separations, func(s separation) bool { return s.trace == m.trace })
	})
}

// sessionMoves returns every move once for each session and node, including moves
// before this round of sessions that are carried over rounds.
func sessionMoves(rem *remaps) []Move {
	type way struct {
		trace *trace
		to    string
	}
	seen := make(map[way]bool)
	var list []Move
	for _, a := range rem.outcomes.allAnswers {
		w := way{a.trace, a.servingNode}
		if a.Kind == probes.StepFirst || !a.OK() || !a.moved() || seen[w] {
			continue
		}
		seen[w] = true
		list = append(list, Move{
			At: a.At, Cluster: rem.round.Cluster.Name, From: a.trace.holder, To: a.servingNode,
			Kept: a.sessionOutcome == probes.SessionKept, Session: a.trace.First().Session, Cause: causeOfMove(rem, a),
		})
	}
	return list
}

// causeOfMove returns why a session moved.
func causeOfMove(rem *remaps, a *answer) Message {
	holder := a.trace.holder
	d, disrupted := rem.timeline.disruptionAt(holder, a.At)
	switch {
	case rem.round.delisted(holder):
		return msg(MsgMovedLeft, Args{Node: holder})
	case IsUnlisted(holder): // it was not asked
		return msg(MsgMovedUnexplained, Args{})
	case !rem.nodes.up[holder]:
		return msg(MsgMovedSilent, Args{Node: holder})
	case rem.timeline.sessionsGoneSince(holder, a.trace.First().At), disrupted && d.Kind == DisruptionRestart:
		return msg(MsgMovedRestarted, Args{Node: holder})
	case rem.nodes.direct[holder].Status.Paused():
		return msg(MsgMovedPaused, Args{Node: holder})
	case slices.Contains(a.upstreamsTried, holder):
		return msg(MsgMovedTried, Args{Node: holder})
	case disrupted && d.Kind == DisruptionDown:
		return msg(MsgMovedDown, Args{Node: holder})
	case rem.rotation.states[holder].ProvenOut || disrupted:
		return msg(MsgMovedOut, Args{Node: holder})
	case a.servingNode == a.trace.opener && a.servingNode != holder:
		return msg(MsgMovedBack, Args{Node: a.servingNode})
	case rem.remap != nil && slices.Contains(rem.remap.traces, a.trace):
		return msg(MsgMovedRemapped, Args{})
	case rem.round.policy() == probes.PolicyShared:
		return msg(MsgMovedShared, Args{})
	default:
		return msg(MsgMovedUnexplained, Args{})
	}
}

// byDisruption reports whether another node answered a client because of a disruption
// of the node that owns its session, or that held it last. If the balancer hashes,
// the answering node must be the one that the hash names without some of the
// disrupted nodes.
func (mov *movement) byDisruption(a *answer) bool {
	return mov.byDisruptionOf(a, mov.timeline.nodesDisruptedAt(a.At))
}

// byDisruptionOf reports whether another node answered a client because the nodes in out were
// disrupted.
func (mov *movement) byDisruptionOf(a *answer, out []string) bool {
	if mov.round.delisted(a.trace.holder) || mov.round.delisted(a.trace.opener) {
		return true
	}
	if len(out) == 0 {
		return false
	}
	key := mov.round.key(a.trace)
	if mov.nodes.oracle != nil && key != "" && !mov.nodes.rehashes() && !mov.round.Past.listDiffers() {
		own := func(id string) int {
			if id == a.trace.holder || id == a.trace.opener {
				return 0
			}
			return 1
		}
		out = slices.Clone(out) // the client's own nodes first, as only so many are tried
		slices.SortStableFunc(out, func(a, b string) int { return own(a) - own(b) })
		return mov.namedWithoutNodes(key, out, a.listedNode)
	}
	hashes := mov.nodes.oracle != nil || mov.nodes.rehashes()
	return slices.Contains(out, a.trace.holder) || slices.Contains(out, a.trace.opener) || hashes && mov.timeline.openedMeanwhile(a)
}

// openedMeanwhile reports whether a client came while the node that answers it now
// was out, so that a hash over the remaining nodes had placed it. The node may have got it back
// at any time since the client's last answer.
func (tl *timeline) openedMeanwhile(a *answer) bool {
	d, ok := tl.disruptionAt(a.servingNode, a.trace.Opened)
	return ok && d.overlaps(a.sinceLastKept(), tl.consequencesFor)
}

// maxNodesOut is the maximum number of nodes of which every combination is tried.
const maxNodesOut = 6

// namedWithoutNodes reports whether the hash names node for a key without some of the
// nodes in out. Workers may disagree about which nodes are out.
func (mov *movement) namedWithoutNodes(key string, out []string, node string) bool {
	out = out[:min(len(out), maxNodesOut)]
	indexes := make([]int, len(out))
	for i, id := range out {
		indexes[i] = mov.round.index(id)
	}
	for mask := range 1 << len(out) {
		if at, ok := mov.nodes.oracle.Pick(key, subset(indexes, mask)...); ok && mov.round.Cluster.Nodes[at].ID == node {
			return true
		}
	}
	return false
}

// drift finds a balancer, or an address of it, that does not keep clients on nodes
// which are ready.
func drift(mov *movement) []Finding {
	if mov.round.policy() == probes.PolicyNone || mov.round.policy() == probes.PolicyShared {
		return nil
	}
	drifts := withoutSplit(mov, mov.drifts)
	if len(drifts) == 0 {
		return nil
	}
	lost := 0
	clients := make(map[*trace]bool)
	severity := Warning // a client that moves and keeps its session is not harmed
	for _, m := range drifts {
		if m.sessionOutcome == probes.SessionLost && m.isFollowUp() {
			lost++
		}
		if m.outcome.Harmful() {
			severity = Critical
		}
		clients[m.trace] = true
	}
	if slices.ContainsFunc(mov.stickiness, func(s frontendStickiness) bool { return s.scatters }) {
		severity = Critical // nothing keeps clients on their node, which the policy relies on
	}
	finding := aboutAll(SessionDrift, severity, mov.round.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(drifts, func(m move) bool { return m.from == id })
	}))
	finding.facts.frontends = driftingAddresses(mov.outcomes, drifts)
	finding.Evidence = fewOf(drifts, func(m move) Message {
		return msg(MsgAnsweredElsewhere, Args{Session: m.trace.First().Session, Node: m.from, Other: m.to, At: m.At})
	})
	var where []string
	if len(finding.facts.frontends) > 0 && len(finding.facts.frontends) < len(mov.outcomes.frontends) {
		where = finding.facts.frontends
		finding.Evidence = append(finding.Evidence, msg(MsgOthersHold, Args{Count: len(mov.outcomes.frontends) - len(finding.facts.frontends)}))
	}
	finding.Affected = shareOf(mov.outcomes, len(clients))
	finding.Summary = msg(MsgDrift, Args{Addresses: where, Count: followUpsAmong(drifts), Of: mov.outcomes.followUps(), Lost: lost})
	if finding.Remedy = driftRemedy(mov, drifts, where); finding.Remedy.ID == MsgHashNoURL {
		finding.Summary = mov.outcomes.movedByURL(len(drifts))
	}
	return []Finding{finding}
}

// onlyWritesMove reports whether other nodes answer requests that store a value, and the session's own
// node answers those that only return: the balancer chooses the node by the URL.
func (oc *outcomes) onlyWritesMove() bool {
	stayed, writeMoved := false, false
	for _, a := range oc.answers {
		if a.isFollowUp() && a.moved() {
			return false
		}
		stayed = stayed || a.isFollowUp() && a.servingNode != ""
		writeMoved = writeMoved || a.Kind == probes.StepWrite && a.moved()
	}
	return stayed && writeMoved
}

// movedByURL returns the summary of moves at a balancer that chooses the node by the URL.
func (oc *outcomes) movedByURL(count int) Message {
	return msg(MsgDriftByURL, Args{Count: count, Of: oc.followUps(), Path: oc.round.Cluster.ClientPath()})
}

// followUpsAmong counts the moves that a follow-up shows. A request that stores a value is none.
func followUpsAmong(moves []move) (count int) {
	for _, m := range moves {
		if m.isFollowUp() {
			count++
		}
	}
	return count
}

// driftingAddresses returns the names of the balancer addresses at which sessions drifted.
func driftingAddresses(oc *outcomes, drifts []move) []string {
	var names []string
	for _, front := range oc.frontends {
		if slices.ContainsFunc(drifts, func(m move) bool { return front.isOf(m.trace) }) {
			names = append(names, front.name)
		}
	}
	return names
}

// routeless reports whether Tomcats write no route into their session ids, although
// the balancer needs it to distinguish them.
func (oc *outcomes) routeless() bool {
	named := func(a *answer) bool { return a.OK() && a.Session != "" }
	return oc.round.Cluster.Profile == "tomcat" && slices.ContainsFunc(oc.answers, named) &&
		!slices.ContainsFunc(oc.answers, func(a *answer) bool { return a.HasRoute })
}

// splitOffTo returns the node that is not listed and gave all of these answers; "": there is none.
func splitOffTo(mov *movement, drifts []move) string {
	to := drifts[0].to
	if mov.round.index(to) >= 0 || slices.ContainsFunc(drifts, func(m move) bool { return m.to != to }) {
		return ""
	}
	return to
}

// keepsSomeClients reports whether the clients of some node stay there so often that chance does not explain it.
func (mov *movement) keepsSomeClients() bool {
	return slices.ContainsFunc(mov.stickiness, func(s frontendStickiness) bool {
		for _, count := range s.byOpener {
			if count.mostlyStays(1-plausible) && math.Pow(count.chance, float64(count.stays)) <= plausible {
				return true
			}
		}
		return false
	})
}

// driftRemedy returns the remedy of drifts at the addresses in where; empty: at all of them.
func driftRemedy(mov *movement, drifts []move, where []string) Message {
	oc := mov.outcomes
	method := oc.round.Cluster.Balancer.Method
	unlisted := splitOffTo(mov, drifts)
	allAfterFirst := !slices.ContainsFunc(drifts, func(m move) bool { return !mov.leftAfterFirst(m.answer) })
	switch {
	case unlisted != "":
		return msg(MsgSplitToUnlisted, Args{Node: unlisted})
	case allAfterFirst && sharesRoute(drifts) && !oc.round.Cluster.Balancer.HashesCookie():
		return msg(MsgRouteOfOther, Args{Node: drifts[0].from, Other: drifts[0].to})
	case allAfterFirst:
		return msg(MsgFirstPlacedOtherwise, Args{})
	case oc.onlyWritesMove():
		return msg(MsgHashNoURL, Args{})
	case len(where) > 0:
		return msg(MsgCompareAddresses, Args{Addresses: where})
	case method == probes.MethodSource:
		return msg(MsgCheckSource, Args{})
	case method.Hashes():
		return msg(MsgCheckHashing, Args{Method: method})
	case method == probes.MethodCookie && oc.routeless():
		return msg(MsgSetJVMRoute, Args{})
	case method == probes.MethodCookie:
		return msg(MsgCheckStickyCookie, Args{})
	case mov.keepsSomeClients():
		return msg(MsgKeepsSomeClients, Args{})
	default:
		return msg(MsgMakeSticky, Args{})
	}
}

// byRestartElsewhere reports whether a client moved, and lost its session, because
// other nodes failed. While nodes restart one after the other, the successor of a
// client may be any node, and the session that it opens there is lost when it moves
// on. A balancer whose arithmetic is not known may hash over the remaining nodes, so
// that clients of other nodes move as well. Active canaries show that at once, and
// their losses are reported; this function excuses the canaries that paused
// meanwhile.
func (mov *movement) byRestartElsewhere(a *answer, lost Span) bool {
	failed := slices.DeleteFunc(mov.timeline.nodesDisruptedIn(lost), func(id string) bool {
		return !mov.timeline.wasDisruptedIn(id, lost, Disruption.failed) // a healthy node that was left out excuses no loss
	})
	return len(failed) > 0 && (mov.byDisruptionOf(a, failed) || mov.nodes.rehashes() && a.pauseBefore() >= shortestPause)
}
