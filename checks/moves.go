package checks

import (
	"slices"

	"stickwatch/probes"
)

// A move is an answer that a session got from another node than its own.
type move struct {
	from, to string
	*answer
}

// moves finds every move away from a node. Where that node was well and in
// rotation, for it answered somebody later, the session has drifted. One that
// leaves a node which fails, was tried in vain, or has just been ejected, has
// failed over, which is no drift; nor is it one to go back when the ejection is
// over.
func (v *view) moves() (drifts, failovers []move) {
	for _, w := range v.walks {
		for _, a := range w.answers {
			if a.Kind == probes.StepFirst || !a.OK() || !a.moved() {
				continue
			}
			m := move{w.home, a.giver, a}
			tried := slices.Contains(a.tried, w.home)
			if v.well(w.home) && !tried && v.answeredSince(w.home, w.Balancer, a.At) && !v.byEjection(a) {
				drifts = append(drifts, m)
			} else {
				failovers = append(failovers, m)
			}
		}
	}
	return drifts, failovers
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
	return a.giver == owner && home == heir || a.giver == heir && home == owner
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
		w := way{a.walk, a.giver}
		if a.Kind == probes.StepFirst || !a.OK() || !a.moved() || told[w] {
			continue
		}
		told[w] = true
		list = append(list, Move{
			At: a.At, Cluster: v.Cluster.Name, From: a.walk.home, To: a.giver,
			Kept: a.fate == probes.FateKept, Session: a.walk.First().Session, Cause: v.causeOf(a),
		})
	}
	return list
}

// causeOf is why a session moved, in a few words.
func (v *view) causeOf(a *answer) string {
	home := a.walk.home
	switch {
	case !v.up[home]:
		return home + " does not answer"
	case v.beganAnew(home, a.walk.First().At):
		return home + " was restarted"
	case v.direct[home].Status.Paused():
		return home + " is paused"
	case slices.Contains(a.tried, home):
		return home + " was tried in vain"
	case v.places[home].Sure:
		return home + " is out of rotation"
	case v.policy() == probes.PolicyShared:
		return "any node may answer"
	default:
		return "unexplained"
	}
}
