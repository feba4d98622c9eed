package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// A move is an answer that a session got from another node than its own.
type move struct {
	from, to string
	*answer
}

// moves sorts every move away from a node. Those that the balancer makes again
// and again have drifted. A failover leaves a node that fails, was tried in vain,
// or was out. What is neither happened once.
func (v *view) moves() (drifts, failovers []move) {
	drifting := make(map[*answer]bool)
	for _, h := range v.holdings {
		for _, m := range h.moves {
			if h.scatters || v.lasting(m.from) {
				drifting[m.answer] = true
			}
		}
	}
	for _, w := range v.walks {
		for _, a := range w.answers {
			if a.Kind == probes.StepFirst || !a.OK() || !a.moved() {
				continue
			}
			switch m := (move{w.home, a.servingNode, a}); {
			case drifting[a]:
				drifts = append(drifts, m)
			case v.excused(a):
				failovers = append(failovers, m)
			}
		}
	}
	return drifts, failovers
}

// lasting reports whether the clients of a node, and of no other, have been torn
// for longer than a disruption that nobody saw would explain. A single picture
// cannot wait for that.
func (v *view) lasting(node string) bool {
	since := v.history.Nodes[node].Torn
	return v.Past == nil || since.IsZero() || v.Started.Sub(since) > v.aftermath
}

// tornOf notes since when the clients of a node are torn.
func (v *view) tornOf(n probes.Node, m NodeHistory) NodeHistory {
	torn := slices.ContainsFunc(v.holdings, func(h holding) bool { return slices.Contains(h.torn, n.ID) })
	switch {
	case torn && (m.Torn.IsZero() || v.Started.Sub(m.TornLast) > v.aftermath):
		m.Torn, m.TornLast = v.Started, v.Started
	case torn:
		m.TornLast = v.Started
	case v.Started.Sub(m.TornLast) > v.aftermath:
		m.Torn, m.TornLast = time.Time{}, time.Time{}
	}
	return m
}

// byEjection reports whether a hash moved a session because an ejection began
// or ended: between the node that it names for the client and the one it names
// without that, and not to and fro.
func (v *view) byEjection(a *answer) bool {
	owner, heir, ok := v.ownerAndHeir(a.walk)
	if !ok || v.amidst(owner, heir, a.walk) {
		return false
	}
	home := a.walk.home
	return a.servingNode == owner && home == heir || a.servingNode == heir && home == owner
}

// unsplit leaves out the moves of clients whom a split of the balancer sends to
// and fro: they have a finding of their own.
func (v *view) unsplit(moves []move) []move {
	return slices.DeleteFunc(slices.Clone(moves), func(m move) bool {
		return slices.ContainsFunc(v.separations, func(s separation) bool { return s.walk == m.walk })
	})
}

// sessionMoves tells every move once, those that sessions carried over rounds
// made before this one included.
func (v *view) sessionMoves() []Move {
	type way struct {
		walk *walk
		to   string
	}
	told := make(map[way]bool)
	var list []Move
	for _, a := range v.everyAnswer() {
		w := way{a.walk, a.servingNode}
		if a.Kind == probes.StepFirst || !a.OK() || !a.moved() || told[w] {
			continue
		}
		told[w] = true
		list = append(list, Move{
			At: a.At, Cluster: v.Cluster.Name, From: a.walk.home, To: a.servingNode,
			Kept: a.fate == probes.FateKept, Session: a.walk.First().Session, Cause: v.causeOf(a),
		})
	}
	return list
}

// causeOf is why a session moved.
func (v *view) causeOf(a *answer) Message {
	home := a.walk.home
	d, disrupted := v.disruptionAt(home, a.At)
	switch {
	case !v.up[home]:
		return msg(MsgMovedSilent, Args{Node: home})
	case v.beganAnew(home, a.walk.First().At), disrupted && d.Kind == DisruptionRestart:
		return msg(MsgMovedRestarted, Args{Node: home})
	case v.direct[home].Status.Paused():
		return msg(MsgMovedPaused, Args{Node: home})
	case slices.Contains(a.tried, home):
		return msg(MsgMovedTried, Args{Node: home})
	case disrupted && d.Kind == DisruptionDown:
		return msg(MsgMovedDown, Args{Node: home})
	case v.places[home].Sure || disrupted:
		return msg(MsgMovedOut, Args{Node: home})
	case a.servingNode == a.walk.owner && a.servingNode != home:
		return msg(MsgMovedBack, Args{Node: a.servingNode})
	case v.remap != nil && slices.Contains(v.remap.walks, a.walk):
		return msg(MsgMovedRemapped, Args{})
	case v.policy() == probes.PolicyShared:
		return msg(MsgMovedShared, Args{})
	default:
		return msg(MsgMovedUnexplained, Args{})
	}
}
