package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// afterMove tells sessions that were lost because another node answered from
// those that their own node lost: causes and remedies differ.
const afterMove = "after a move"

// losses finds sessions whose state was gone, or older, at a request that the
// policy says it must survive. What a restart, a drift or a changed pool has cost
// is counted there.
func losses(v *view) []Finding {
	if v.policy() == probes.PolicyNone {
		return nil
	}
	var own, moved, back []*answer
	for _, a := range v.everyAnswer() {
		switch {
		case a.foreign != nil:
			// what it read is another client's, which has a finding of its own
		case a.fate == probes.FateRolledBack && !v.lostWithNode(a):
			back = append(back, a)
		case a.fate != probes.FateLost || v.counted(a):
		case a.moved() || v.lostBefore(a):
			moved = append(moved, a)
		default:
			own = append(own, a)
		}
	}
	if len(own) > 0 && v.policy() == probes.PolicyShared {
		own, moved = append(own, moved...), nil // any node may answer: what is gone everywhere is gone once
	}
	var list []Finding
	if len(own) > 0 {
		f := v.lossOf(SessionLost, own)
		f.Summary = msg(MsgLost, Args{Duration: sharedPause(own), Nodes: f.Nodes})
		f.Remedy = msg(MsgFindLoss, Args{})
		list = append(list, f)
	}
	if len(list) > 0 && v.routeless() {
		list[0].Remedy = msg(MsgSetJVMRoute, Args{})
	}
	if len(moved) > 0 {
		f := v.lossOf(SessionLost, moved)
		f.Target = afterMove
		f.Summary = msg(MsgLostAfterMove, Args{Nodes: f.Nodes})
		f.Remedy = msg(MsgShareOrHold, Args{})
		if v.routeless() {
			f.Remedy = msg(MsgSetJVMRoute, Args{})
		}
		list = append(list, f)
	}
	if len(back) > 0 {
		f := v.lossOf(SessionRollback, back)
		f.Summary = msg(MsgRolledBack, Args{Nodes: f.Nodes})
		f.Remedy = msg(MsgFindStaleCopy, Args{})
		list = append(list, f)
	}
	return list
}

// counted reports whether a lost session is counted elsewhere: with its node,
// with a drift, with a change of the pool, or with the answer of the same client
// that lost it first.
func (v *view) counted(a *answer) bool {
	sticky := v.policy() == probes.PolicySticky
	return v.lostWithNode(a) || sticky && v.comesHome(a) || a.overslept(v.past().Pool.Lost) ||
		sticky && a.moved() && (a.overslept(v.afterwards(v.history.Pool.Remapped.At)) || a.overslept(v.afterwards(v.history.Pool.Drifted))) ||
		sticky && (v.drifted(a.walk) || a.moved() && v.past().Pool.drifting(a.At, v.aftermath) || v.remap.concerns(a.walk) || v.splitOff(a.walk) || v.lostBefore(a))
}

// lostWithNode reports whether a session went with its node: under sticky that is
// nobody's promise. A node that was merely left out has its sessions still, and
// its clients lose them all the same.
func (v *view) lostWithNode(a *answer) bool {
	if v.policy() != probes.PolicySticky {
		return false
	}
	for _, node := range []string{a.walk.home, a.walk.owner} {
		if v.beganAnew(node, a.walk.First().At) || !v.well(node) && node != "" && a.moved() {
			return true
		}
		if d, ok := v.disruptionAt(node, a.At); ok && d.takes(a) {
			return true
		}
	}
	return a.moved() && v.byRestartElsewhere(a)
}

// comesHome reports whether a hash sends a client back to the node that it names,
// from the one that stood in while that was out: what it had there goes with the
// ejection that moved it.
func (v *view) comesHome(a *answer) bool {
	owner, _, ok := v.ownerAndHeir(a.walk)
	return ok && a.moved() && a.servingNode == owner && v.byEjection(a)
}

// takes reports whether a disruption of its node may have cost a client its
// session. A node that answers, and has lost what it opened after it was back, has
// another trouble.
func (d Disruption) takes(a *answer) bool {
	if d.Kind == DisruptionEjected {
		return false
	}
	return a.moved() || a.walk.Opened.Before(d.Gone)
}

// byRestartElsewhere: while nodes restart one after the other, the heir of a
// client may be any node, and what it began there goes when it moves on.
func (v *view) byRestartElsewhere(a *answer) bool {
	if !v.byDisruption(a) {
		return false
	}
	return slices.ContainsFunc(v.disruptedAt(a.At), func(id string) bool {
		d, ok := v.disruptionAt(id, a.At)
		return ok && d.Kind != DisruptionEjected
	})
}

// drifted reports whether the balancer sends a client to and fro: a session of it
// may then be replaced by another node's, and its own does not know it any more.
func (v *view) drifted(w *walk) bool {
	return slices.ContainsFunc(v.drifts, func(m move) bool {
		return m.walk == w || m.walk.Balancer == w.Balancer && m.walk.URL == w.URL
	})
}

// splitOff reports whether parts of the balancer disagree about a client.
func (v *view) splitOff(w *walk) bool {
	return slices.ContainsFunc(v.separations, func(s separation) bool { return s.walk == w })
}

// lostBefore reports whether an earlier answer to the same client had lost the
// session already, on a move.
func (v *view) lostBefore(a *answer) bool {
	if a.moved() {
		return false
	}
	return slices.ContainsFunc(slices.Concat(a.walk.earlier, a.walk.answers), func(b *answer) bool {
		return b.At.Before(a.At) && b.moved() && b.fate == probes.FateLost
	})
}

// shortestPause is the shortest time without a request that is worth telling.
const shortestPause = 20 * time.Second

// pauseBefore is how long a client had sent no request before one.
func (a *answer) pauseBefore() time.Duration {
	last := a.walk.First().At
	for _, s := range a.walk.Steps {
		if s.At.Before(a.At) && s.At.After(last) {
			last = s.At
		}
	}
	return a.At.Sub(last)
}

// sharedPause is for how long clients had paused, if all of them had; else 0.
func sharedPause(answers []*answer) time.Duration {
	shortest := answers[0].pauseBefore()
	for _, a := range answers {
		shortest = min(shortest, a.pauseBefore())
	}
	if shortest < shortestPause {
		return 0
	}
	return shortest.Round(time.Second)
}

// afterwards is the end of what may follow from an event; zero for none.
func (v *view) afterwards(event time.Time) time.Time {
	if event.IsZero() {
		return event
	}
	return event.Add(v.aftermath)
}

// overslept reports whether a client had paused since before a moment: what it
// finds now happened then.
func (a *answer) overslept(moment time.Time) bool {
	return !moment.IsZero() && a.pauseBefore() >= shortestPause && a.At.Add(-a.pauseBefore()).Before(moment)
}

// lossOf begins a finding about answers that show a loss.
func (v *view) lossOf(code Code, answers []*answer) Finding {
	f := aboutAll(code, Critical, v.holders(answers))
	f.Evidence = evidenceOf(answers)
	clients := make(map[*walk]bool)
	for _, a := range answers {
		clients[a.walk] = true
	}
	f.Affected = v.shareOf(len(clients))
	return f
}

// countLosses adds the sessions that went with their nodes to the disruptions
// that took them. Only sessions of earlier rounds count: those of this round were
// opened while it went on.
func (v *view) countLosses() {
	for _, w := range v.walks {
		lost := slices.IndexFunc(slices.Concat(w.earlier, w.answers), func(a *answer) bool {
			return a.fate == probes.FateLost && v.lostWithNode(a)
		})
		if !w.Carried || lost < 0 {
			continue
		}
		at := slices.Concat(w.earlier, w.answers)[lost].At
		for _, node := range []string{w.owner, w.home} {
			if v.addLoss(node, at) {
				break
			}
		}
	}
}

func (v *view) addLoss(node string, at time.Time) bool {
	m := v.history.Nodes[node]
	for i, d := range slices.Backward(m.Disruptions) {
		if d.covers(at, v.aftermath) {
			m.Disruptions = slices.Clone(m.Disruptions)
			m.Disruptions[i].Lost++
			v.note(node, m)
			return true
		}
	}
	return false
}

// shareOf is which part of the clients that came back n of them are.
func (v *view) shareOf(n int) Affected {
	of := 0
	for _, w := range v.walks {
		if slices.ContainsFunc(slices.Concat(w.earlier, w.answers), (*answer).cameBack) {
			of++
		}
	}
	if of == 0 || n == 0 {
		return Affected{}
	}
	return Affected{Share: min(1, float64(n)/float64(of)), Of: of}
}

// holders are the nodes that gave the answers, or that held the sessions where
// answers do not tell.
func (v *view) holders(answers []*answer) []string {
	held := make(map[string]bool)
	for _, a := range answers {
		held[holder(a)] = true
	}
	return v.nodesWhere(func(id string) bool { return held[id] })
}

func holder(a *answer) string { return orElse(a.servingNode, a.walk.home) }

// evidenceOf says what sessions held before, and what their answers showed.
func evidenceOf(answers []*answer) []Message {
	var list []Message
	for _, a := range answers {
		args := Args{Session: a.walk.First().Session, Client: a.walk.Client, Node: holder(a), At: a.At}
		if a.Counter > 0 && a.Kind != probes.StepWrite {
			args.Count, args.Value = a.Counter, probes.Clean(a.Value, 32)
			list = append(list, msg(MsgHeldValue, args))
			continue
		}
		args.NewSession = a.Session
		list = append(list, msg(MsgHeldID, args))
	}
	return firstFew(list)
}
