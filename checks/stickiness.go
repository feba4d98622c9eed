package checks

import (
	"math"
	"slices"

	"stickwatch/probes"
)

// stickiness says whether sessions stay on their node, and how sure that is.
func stickiness(v *movement) SessionReport {
	s := SessionReport{Policy: v.policy(), Sticky: Unknown, Shared: sessionsShared(v.nodeStates)}
	for _, count := range v.newClients() {
		s.NewClients += count
	}
	if v.Cluster.Session == nil {
		s.Reason = msg(MsgNoSessionTest, Args{})
		return s
	}
	s.Canaries, s.Moves = canaries(v.outcomes), sessionMoves(v)
	stayedCount, sure := leastStayed(v.outcomes)
	switch {
	case s.Policy == probes.PolicyNone:
		s.Reason = msg(MsgNothingPromised, Args{})
	case len(v.drifts) > 0:
		s.Sticky, s.Confidence = No, 1
		s.Reason = msg(MsgFollowUpsMoved, Args{Count: len(v.drifts), Of: v.followUps()})
	case len(v.destinations()) < 2:
		s.Reason = msg(MsgNowhereToDrift, Args{})
	case slices.ContainsFunc(v.failovers, func(m move) bool { return !m.trace.Continued }):
		s.Reason = msg(MsgMovedWhileLeaving, Args{})
	case v.followUps() == 0:
		s.Reason = msg(MsgNoSession, Args{})
	case unattributed(v.outcomes):
		s.Reason = msg(MsgAnswersUnsigned, Args{})
	case stayedCount == 0:
		s.Reason = msg(MsgNoOwnAnswer, Args{})
	case sure < v.Confidence-1e-12:
		s.Confidence = sure
		s.Reason = msg(MsgStayedByLuck, Args{Count: stayedCount, Rate: 1 / (1 - sure)})
	default:
		s.Sticky, s.Confidence = Yes, sure
		s.Reason = msg(MsgStays, Args{Count: stayedCount})
	}
	return s
}

// destinations are the nodes between which a session could drift: those that
// serve, but for those that the balancer surely sends nobody.
func (v *rotation) destinations() []probes.Node {
	return slices.DeleteFunc(slices.Clone(v.serving), func(n probes.Node) bool { return v.rotationStates[n.ID].Sure })
}

// stayedCount is the least number of follow-ups that any canary got from its own
// node, and how sure it is that none of them stayed by luck: a chain is as
// strong as its weakest link. A node that gets nearly everybody keeps nearly
// everybody by luck, too; its canary is as sure as all of them together.
func leastStayed(v *outcomes) (least int, sure float64) {
	met := make(map[string]bool)
	for id := range v.newClients() {
		met[id] = true
	}
	least, sure = -1, 1
	together, heavy := 1.0, false
	for _, w := range v.traces {
		count, ok := w.stayedCount()
		if !ok || w.Continued { // its few answers are one more chance to see a move, and no sample
			continue
		}
		if least < 0 || count < least {
			least = count
		}
		luck := ChanceProbability(w.holder, v.serving, met)
		together *= math.Pow(luck, float64(count))
		if FollowUps(luck, DefaultConfidence) > MaxFollowUps {
			heavy = true
			continue
		}
		sure = min(sure, confidenceOf(luck, count))
	}
	if heavy {
		sure = min(sure, 1-together)
	}
	return max(0, least), sure
}

// unattributed reports whether some session that was followed does not tell its node.
func unattributed(v *outcomes) bool {
	return slices.ContainsFunc(v.traces, func(w *trace) bool {
		_, followed := w.stayedCount()
		return followed && w.holder == ""
	})
}
