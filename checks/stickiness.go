package checks

import (
	"maps"
	"math"
	"slices"
	"time"

	"stickwatch/probes"
)

// This file decides for each address of the balancer whether it keeps clients on
// their node. One move proves little: the balancer may have retried, a node may have
// been out for a moment, or the list of servers may have changed. Therefore three
// hypotheses are compared: the balancer keeps no clients and places each request by
// chance; it does not keep the clients of some nodes; or it keeps clients, and
// something happened once.

// A frontendStickiness is how one address of the balancer treats returning clients.
type frontendStickiness struct {
	frontend   *frontend
	byOpener   map[string]*openerCount // by the node that opened the session
	moves      []move                  // of nodes whose clients it does not keep
	afterFirst []move                  // of clients that left their node after their first request, as all do
	scatters   bool                    // it keeps the clients of no node
	scattered  []string                // the nodes whose clients it does not keep
}

// An openerCount counts the answers to returning clients whose session one node
// opened.
type openerCount struct {
	stays, moves int
	scattered    bool // some client moved more than once
	chance       float64
	answers      []*answer // the counted ones
}

// retryRate is how often another node answers although the balancer keeps clients,
// because of a retry after a lost packet or a reload.
const retryRate = 1e-3

// scattersByLikelihood reports whether a balancer that sends each request to any node
// explains the answers better than one that keeps clients.
func (o openerCount) scattersByLikelihood() bool {
	if !o.scattered || o.moves == 0 || o.chance <= 0 || o.chance >= 1 {
		return o.scattered && o.moves > 0
	}
	chance := float64(o.stays)*math.Log(o.chance) + float64(o.moves)*math.Log(1-o.chance)
	return chance > float64(o.moves)*math.Log(retryRate)
}

// plausible is the probability down to which something that happened by chance is no
// surprise.
const plausible = 0.05

// mostlyStays reports whether clients moved so rarely that a balancer which places each
// request by chance is excluded to a confidence. By Chernoff's bound, chance moves at
// most a share q of n requests with a probability of at most exp(-n·D), where D is the
// relative entropy of q and the share that chance moves.
func (o openerCount) mostlyStays(confidence float64) bool {
	n := float64(o.stays + o.moves)
	q, byChance := float64(o.moves)/n, 1-o.chance
	if o.moves == 0 || q >= byChance {
		return o.moves == 0
	}
	return n*(q*math.Log(q/byChance)+(1-q)*math.Log((1-q)/o.chance)) > -math.Log(1-confidence)
}

// absences counts the times in which a node was left out: other nodes answered all of its
// clients, and it answered no client of theirs.
func absences(node string, answers []*answer) (count int) {
	away := false
	for _, a := range answers {
		left := a.servingNode != node
		if left && !away {
			count++
		}
		away = left
	}
	return count
}

// fitsAbsences reports whether a balancer that leaves nodes out for a while and takes
// them back explains the answers better than one that places each request by chance:
// other nodes then answer all clients of a node for some time, and none before and
// after. Each absence may have begun and ended at any answer.
func (f *frontendStickiness) fitsAbsences() bool {
	chance, absent := 0.0, 0.0 // logarithms of the likelihoods
	for node, count := range f.byOpener {
		if count.chance <= 0 || count.chance >= 1 {
			continue
		}
		chance += float64(count.stays)*math.Log(count.chance) + float64(count.moves)*math.Log(1-count.chance)
		answers := f.answersAbout(node)
		n := float64(len(answers))
		absent -= float64(absences(node, answers)) * math.Log(n*(n+1)/2)
	}
	return absent > chance
}

// answersAbout returns the answers that show whether the balancer uses a node, by time: those
// to its clients, and its own answers to clients of others.
func (f *frontendStickiness) answersAbout(node string) []*answer {
	answers := slices.Clone(f.byOpener[node].answers)
	for _, count := range f.byOpener {
		for _, a := range count.answers {
			if a.servingNode == node && a.trace.holder != node {
				answers = append(answers, a)
			}
		}
	}
	slices.SortStableFunc(answers, func(a, b *answer) int { return a.At.Compare(b.At) })
	return answers
}

// stickinessOfFrontends returns the stickiness of every address.
func (mov *movement) stickinessOfFrontends() []frontendStickiness {
	met := make(map[string]bool)
	for id := range mov.outcomes.newClients() {
		met[id] = true
	}
	var list []frontendStickiness
	for i := range mov.outcomes.frontends {
		list = append(list, mov.stickinessAt(&mov.outcomes.frontends[i], met))
	}
	return list
}

func (mov *movement) stickinessAt(f *frontend, met map[string]bool) frontendStickiness {
	s := frontendStickiness{frontend: f, byOpener: make(map[string]*openerCount)}
	moves := make(map[string][]move)
	for _, trace := range f.traces {
		if trace.holder == "" {
			continue
		}
		count := s.byOpener[trace.holder]
		if count == nil {
			count = &openerCount{chance: ChanceOfStaying(trace.holder, mov.nodes.eligible, met)}
			s.byOpener[trace.holder] = count
		}
		stayed, moved, switches := mov.returns(trace)
		if switches == 1 && len(moved) > 0 {
			continue // it moved once and stayed: see remapping
		}
		count.stays += len(stayed)
		count.moves += len(moved)
		count.answers = append(count.answers, stayed...)
		for _, m := range moved {
			count.answers = append(count.answers, m.answer)
		}
		count.scattered = count.scattered || switches > 1
		moves[trace.holder] = append(moves[trace.holder], moved...)
	}
	s.afterFirst = mov.movedAfterFirst(f)
	s.decide(moves, mov.round.Confidence)
	if s.scatters && mov.round.Past != nil && (mov.outcomes.losesPackets() || s.fitsAbsences()) {
		// The balancer leaves nodes out for a while: moves that depend on each other are
		// no sample of placing by chance.
		s.scatters = false
	}
	return s
}

// decide chooses between the hypotheses.
func (f *frontendStickiness) decide(moves map[string][]move, confidence float64) {
	luck := 1.0                                                   // probability that the clients that stayed did so by chance
	kept := false                                                 // the clients of some node are mostly kept
	for _, holder := range slices.Sorted(maps.Keys(f.byOpener)) { // in order, so that evidence does not change with it
		count := f.byOpener[holder]
		switch {
		case count.scattersByLikelihood():
			f.scattered = append(f.scattered, holder)
			f.moves = append(f.moves, moves[holder]...)
			kept = kept || count.mostlyStays(confidence)
		case count.stays > 0:
			luck *= math.Pow(count.chance, float64(count.stays))
		}
	}
	if len(f.scattered) > 0 && !kept && luck > plausible {
		f.scatters = true
	}
}

// returns separates the answers of a client's own node from those of other nodes, and
// counts how often the node changed. Moves that a disruption explains are left out.
func (mov *movement) returns(tr *trace) (stayed []*answer, moved []move, switches int) {
	at := tr.holder
	for _, a := range followUpsInOrder(tr) {
		if a.servingNode != tr.holder && mov.excused(a) {
			continue
		}
		if a.servingNode != at {
			switches++
			at = a.servingNode
		}
		if a.servingNode == tr.holder {
			stayed = append(stayed, a)
		} else {
			moved = append(moved, move{tr.holder, a.servingNode, a})
		}
	}
	return stayed, moved, switches
}

// excused reports whether a known reason explains that another node answered a
// client: its node is not ready, did not answer a try, has been out, or the client
// returns to the node that opened its session.
func (mov *movement) excused(a *answer) bool {
	holder := a.trace.holder
	return !mov.nodes.ready(holder) || slices.Contains(a.upstreamsTried, holder) || a.servingNode == a.trace.opener ||
		!mov.outcomes.answeredSince(holder, a.trace.Balancer, a.At) || mov.byDisruption(a) || mov.byEjection(a)
}

// sessionReport reports whether sessions stay on their node, and with what
// confidence.
func sessionReport(rem *remaps) SessionReport {
	session := SessionReport{Policy: rem.round.policy(), Sticky: Unknown, Shared: sessionsShared(rem.round)}
	for _, count := range rem.outcomes.newClients() {
		session.NewClients += count
	}
	if rem.round.Cluster.Session == nil {
		session.Reason = msg(MsgNoSessionTest, Args{})
		return session
	}
	session.Canaries, session.Moves = canaries(rem.outcomes), sessionMoves(rem)
	stayedCount, sure := leastStayed(rem.outcomes)
	switch {
	case session.Policy == probes.PolicyNone:
		session.Reason = msg(MsgNothingPromised, Args{})
	case len(rem.movement.drifts) > 0:
		session.Sticky, session.Confidence = No, 1
		session.Reason = msg(MsgFollowUpsMoved, Args{Count: followUpsAmong(rem.movement.drifts), Of: rem.outcomes.followUps()})
	case len(rem.rotation.destinations()) < 2:
		session.Reason = msg(MsgNowhereToDrift, Args{})
	case slices.ContainsFunc(rem.movement.failovers, func(m move) bool { return !m.trace.Continued }):
		session.Reason = msg(MsgMovedOnce, Args{})
		if slices.ContainsFunc(rem.movement.failovers, rem.movement.leftItsNode) {
			session.Reason = msg(MsgMovedWhileLeaving, Args{})
		}
	case rem.outcomes.followUps() == 0:
		session.Reason = msg(MsgNoSession, Args{})
	case unattributed(rem.outcomes):
		session.Reason = msg(MsgAnswersUnsigned, Args{})
	case stayedCount == 0:
		session.Reason = msg(MsgNoOwnAnswer, Args{})
	case sure < rem.round.Confidence-1e-12 && rem.wasSticky():
		before := rem.round.past().Balancer.Sticky
		session.Sticky, session.Confidence = Yes, before.Confidence
		session.Reason = msg(MsgStaysSince, Args{Count: stayedCount, At: before.At})
	case sure < rem.round.Confidence-1e-12:
		session.Confidence = sure
		session.Reason = msg(MsgStayedByLuck, Args{Count: stayedCount, Rate: 1 / (1 - sure)})
	default:
		session.Sticky, session.Confidence = Yes, sure
		session.Reason = msg(MsgStays, Args{Count: stayedCount})
	}
	return session
}

// stickyFor is how long the conclusion of a round holds for rounds that slow nodes cut short, if all of their
// clients stay as well.
const stickyFor = 10 * time.Minute

// wasSticky reports whether an earlier round has excluded chance to the confidence of this one.
func (rem *remaps) wasSticky() bool {
	before := rem.round.past().Balancer.Sticky
	return rem.round.Started.Sub(before.At) <= stickyFor && before.Confidence >= rem.round.Confidence-1e-12
}

// leftItsNode reports whether a client moved because its node failed or was left out.
func (mov *movement) leftItsNode(m move) bool {
	return !mov.readyAt(m.from, m.answer)
}

// destinations returns the nodes between which a session could drift: the serving
// nodes without those that surely get no clients.
func (rot *rotation) destinations() []probes.Node {
	return slices.DeleteFunc(slices.Clone(rot.nodes.eligible), func(n probes.Node) bool { return rot.states[n.ID].ProvenOut })
}

// leastStayed returns the smallest number of follow-ups that any canary got from its
// own node, and the confidence that none of them stayed by chance. The weakest canary
// decides. The canary of a node that gets so many clients that it cannot exclude chance by
// itself to the round's confidence counts together with all others.
func leastStayed(oc *outcomes) (least int, sure float64) {
	met := make(map[string]bool)
	for id := range oc.newClients() {
		met[id] = true
	}
	least, sure = -1, 1
	together, heavy := 1.0, false
	for _, tr := range oc.traces {
		count, ok := tr.stayedCount()
		if !ok || tr.Continued { // its few requests may show a move, and are no sample
			continue
		}
		if least < 0 || count < least {
			least = count
		}
		luck := ChanceOfStaying(tr.holder, oc.nodes.eligible, met)
		together *= math.Pow(luck, float64(count))
		if needed := FollowUps(luck, oc.round.Confidence); needed > MaxFollowUps && needed < never {
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

// unattributed reports whether some canary's node is not known.
func unattributed(oc *outcomes) bool {
	return slices.ContainsFunc(oc.traces, func(tr *trace) bool {
		_, followed := tr.stayedCount()
		return followed && tr.holder == ""
	})
}
