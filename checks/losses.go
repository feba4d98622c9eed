package checks

import (
	"cmp"
	"slices"
	"time"

	"stickwatch/probes"
)

// afterMove is the target of findings about sessions that were lost when another node
// answered. Sessions that their own node lost have other causes and remedies.
const afterMove = "after a move"

// LostByMove reports whether a finding is about sessions that were lost when another node answered.
func (f Finding) LostByMove() bool { return f.Code == SessionLost && f.Target == afterMove }

// losses finds sessions that were gone, or older, at a request which they should
// survive by the policy. Losses that are attributed to a restart, a drift or a
// changed list of servers are left out.
func losses(att *attribution) []Finding {
	if att.round.policy() == probes.PolicyNone {
		return nil
	}
	var own, moved, back []*answer
	for _, a := range att.outcomes.allAnswers {
		switch {
		case a.foreign != nil:
			// the session or value is another client's, which leaks reports
		case a.sessionOutcome == probes.SessionStale && !att.lostWithNode(a):
			back = append(back, a)
		case a.sessionOutcome != probes.SessionLost || att.causeOfLoss(a) != lossUnexplained:
		case a.elsewhere() || att.lostBefore(a):
			moved = append(moved, a)
		default:
			own = append(own, a)
		}
	}
	if att.round.policy() == probes.PolicyShared && (len(own) > 0 || att.lostByAll(moved) || sessionsShared(att.round) == Yes) {
		own, moved = append(own, moved...), nil // any node may answer: a session that is gone everywhere is lost once
	}
	var list []Finding
	if len(own) > 0 {
		list = append(list, lostAtNode(att, own))
	}
	if len(moved) > 0 {
		list = append(list, lostAfterMove(att, moved))
	}
	if len(back) > 0 {
		list = append(list, rolledBack(att.outcomes, back))
	}
	return list
}

// lostAtNode returns the finding of sessions that their own node did not know.
func lostAtNode(att *attribution, own []*answer) Finding {
	f := lossOf(att.outcomes, SessionLost, own)
	f.observed.pause = sharedPause(own)
	f.Summary = msg(MsgLost, Args{Duration: f.observed.pause, Nodes: f.Nodes})
	f.Remedy = msg(MsgFindLoss, Args{})
	if slices.ContainsFunc(own, (*answer).knownAgain) {
		f.Remedy = msg(MsgShareWithinNode, Args{})
	}
	if known := att.knownDirectly(own); len(known) > 0 {
		f.Evidence, f.Remedy = append(f.Evidence, known...), msg(MsgPassCookie, Args{})
	}
	if att.lostByAll(own) {
		f.Summary, f.Remedy = msg(MsgLostByAll, Args{Nodes: f.Nodes}), msg(MsgFindEmptied, Args{})
		f.Affected = Affected{Share: 1, Of: clientsOf(own)} // newer clients have not come back yet
	}
	if age := att.outcomes.ageAtLoss(own); age > 0 {
		f.Evidence = append(f.Evidence, msg(MsgLostAtAge, Args{Duration: age}))
	}
	if att.outcomes.routeless() {
		f.Remedy = msg(MsgSetJVMRoute, Args{})
	}
	return f
}

// ageAtLoss returns how old the lost sessions were, if all were equally old and none that is known to be older was
// kept: sessions may end at that age although they are used. 0: they do not, or it is not known.
func (oc *outcomes) ageAtLoss(lost []*answer) time.Duration {
	const least, spread = time.Minute, 0.1
	var youngest, oldest time.Duration
	for _, a := range firstOfClients(lost) {
		age := a.At.Sub(a.trace.Opened)
		if a.trace.Opened.IsZero() || age < least {
			return 0
		}
		oldest = max(oldest, age)
		if youngest == 0 || age < youngest {
			youngest = age
		}
	}
	kept := slices.ContainsFunc(oc.allAnswers, func(a *answer) bool {
		return a.sessionOutcome == probes.SessionKept && a.At.Sub(a.trace.Opened) > oldest
	})
	if kept || float64(oldest-youngest) > spread*float64(oldest) {
		return 0
	}
	return youngest.Round(time.Second)
}

// knownDirectly returns, as evidence, the sessions that their nodes know when asked directly, while
// none survives a request through the balancer: it passes no session cookie to them.
func (att *attribution) knownDirectly(own []*answer) []Message {
	if !noSessionSurvives(att.outcomes) {
		return nil
	}
	var known []Message
	for _, c := range att.round.OwnerChecks {
		lost := slices.ContainsFunc(own, func(a *answer) bool { return a.servingNode == c.To && a.At.Before(c.There.At) })
		switch {
		case !lost || c.Void:
		case c.SessionOutcome() == probes.SessionLost:
			return nil
		case c.SessionOutcome() == probes.SessionKept || c.SessionOutcome() == probes.SessionStale:
			known = append(known, msg(MsgKnownDirectly, Args{Session: c.Session, Node: c.To, At: c.There.At}))
		}
	}
	return known
}

// lostAfterMove returns the finding of sessions that another node did not know.
func lostAfterMove(att *attribution, moved []*answer) Finding {
	f := lossOf(att.outcomes, SessionLost, moved)
	f.Target = afterMove
	for _, a := range moved { // the node may be back
		f.ExplainedBy = cmp.Or(f.ExplainedBy, att.timeline.leftOut(a))
	}
	f.observed.pause = sharedPause(moved)
	f.Summary = msg(MsgLostAfterMove, Args{Nodes: f.Nodes})
	f.Remedy = msg(MsgShareOrHold, Args{})
	if out := att.takenOutOf(moved); len(out) > 0 {
		f.Remedy = msg(MsgDrainBeforeOut, Args{Nodes: out})
	}
	if pause := att.movement.forgottenAfter(firstOfClients(moved)).Round(time.Second); pause > 0 {
		f.Summary = msg(MsgLostAfterMove, Args{Duration: pause, Nodes: f.Nodes})
		f.Remedy = msg(MsgOutlastSession, Args{Duration: pause, Limit: att.round.Cluster.SessionTimeout()})
	}
	if att.outcomes.routeless() {
		f.Remedy = msg(MsgSetJVMRoute, Args{})
	}
	if att.outcomes.onlyWritesMove() {
		f.Summary, f.Remedy = att.outcomes.movedByURL(len(moved)), msg(MsgHashNoURL, Args{})
	}
	return f
}

// takenOutOf returns the nodes that operators have taken out of the balancer, of those that clients moved away from.
func (att *attribution) takenOutOf(moved []*answer) []string {
	return att.round.nodesWhere(func(id string) bool {
		return att.nodes.recordedAs(att.round.Cluster.Nodes[att.round.index(id)], probes.ServerMaintenance) &&
			slices.ContainsFunc(moved, func(a *answer) bool { return a.trace.holder == id || a.trace.opener == id })
	})
}

// rolledBack returns the finding of sessions that came back older.
func rolledBack(oc *outcomes, back []*answer) Finding {
	f := lossOf(oc, SessionRollback, back)
	f.facts.roamed = !slices.ContainsFunc(back, func(a *answer) bool { return !a.roamed() })
	f.Summary = msg(MsgRolledBack, Args{Nodes: f.Nodes})
	f.Remedy = msg(MsgFindStaleCopy, Args{})
	return f
}

// knownAgain reports whether the node that did not know the session knew it at a later request.
func (a *answer) knownAgain() bool {
	return slices.ContainsFunc(a.trace.allAnswers(), func(b *answer) bool {
		return b.sessionOutcome == probes.SessionKept && b.servingNode != "" && b.servingNode == a.servingNode && b.At.After(a.At)
	})
}

// lostByAll reports whether every client that came back has lost its session at one moment,
// on several nodes: after the first loss, no client still had its own.
func (att *attribution) lostByAll(lost []*answer) bool {
	first := make(map[*trace]time.Time)
	var earliest time.Time // end of the first answer that shows a loss
	for _, a := range lost {
		if at, known := first[a.trace]; !known || a.At.Before(at) {
			first[a.trace] = a.At
		}
		if end := a.At.Add(a.Timing.Total); earliest.IsZero() || end.Before(earliest) {
			earliest = end
		}
	}
	older := slices.ContainsFunc(lost, func(a *answer) bool { return a.trace.Continued })
	later := slices.ContainsFunc(lost, func(a *answer) bool { return a.trace.Opened.After(earliest) }) // that moment was not the last
	return older && !later && len(holders(att.round, lost)) > 1 && !slices.ContainsFunc(att.outcomes.traces, func(tr *trace) bool {
		returned := slices.ContainsFunc(tr.answers, (*answer).isFollowUp)
		at, lostIt := first[tr]
		return tr.Continued && (returned && !lostIt || slices.ContainsFunc(tr.allAnswers(), func(a *answer) bool {
			return a.sessionOutcome == probes.SessionKept && a.At.After(earliest) && a.At.Before(at)
		}))
	})
}

// elsewhere reports whether another node answered than the one that had the contents of the
// session. That is the node which stored the expected value, or else the holder.
func (a *answer) elsewhere() bool {
	for _, b := range a.trace.allAnswers() {
		if b.Kind == probes.StepWrite && b.Counter == a.Counter && b.servingNode != "" && b.At.Before(a.At) {
			return a.answeredByOther(b.servingNode)
		}
	}
	return a.moved()
}

// roamed reports whether several nodes had answered the client by then. If nodes keep their
// own contents under one id, as PHP does by default, a client that comes back to a node sees
// what it had stored there.
func (a *answer) roamed() bool {
	return slices.ContainsFunc(a.trace.allAnswers(), func(b *answer) bool {
		return !b.At.After(a.At) && b.servingNode != "" && b.servingNode != a.servingNode
	})
}

// firstOfClients returns the first answer of each client: one that asks again at once has not paused.
func firstOfClients(answers []*answer) (first []*answer) {
	for _, a := range answers {
		switch i := slices.IndexFunc(first, func(b *answer) bool { return b.trace == a.trace }); {
		case i < 0:
			first = append(first, a)
		case a.At.Before(first[i].At):
			first[i] = a
		}
	}
	return first
}

// sharedPause returns the shortest pause if all clients had paused; otherwise 0.
func sharedPause(answers []*answer) time.Duration {
	shortest := leastPause(firstOfClients(answers))
	if shortest < shortestPause {
		return 0
	}
	return shortest.Round(time.Second)
}

// leastPause returns the shortest pause before any of the answers.
func leastPause(answers []*answer) time.Duration {
	shortest := answers[0].pauseBefore()
	for _, a := range answers {
		shortest = min(shortest, a.pauseBefore())
	}
	return shortest
}

// longestPauseKept returns the longest pause after which a client still had its session.
func longestPauseKept(answers []*answer) (longest time.Duration) {
	for _, a := range answers {
		if a.sessionOutcome == probes.SessionKept {
			longest = max(longest, a.pauseBefore())
		}
	}
	return longest
}

// lossOf returns a finding about answers that show a loss.
func lossOf(oc *outcomes, code Code, answers []*answer) Finding {
	f := aboutAll(code, Critical, holders(oc.round, answers))
	f.Evidence = evidenceOf(answers)
	f.Affected = shareOf(oc, clientsOf(answers))
	return f
}

// shareOf returns the share that n clients are of those that returned.
func shareOf(oc *outcomes, n int) Affected {
	of := 0
	for _, tr := range oc.traces {
		if slices.ContainsFunc(tr.allAnswers(), (*answer).isFollowUp) {
			of++
		}
	}
	if of == 0 || n == 0 {
		return Affected{}
	}
	return Affected{Share: min(1, float64(n)/float64(of)), Of: of}
}

// holders returns the nodes that gave the answers or, if that is not known, held the
// sessions.
func holders(r *Round, answers []*answer) []string {
	held := make(map[string]bool)
	for _, a := range answers {
		held[servingOrHolder(a)] = true
	}
	return r.nodesWhere(func(id string) bool { return held[id] })
}

func servingOrHolder(a *answer) string { return cmp.Or(a.servingNode, a.trace.holder) }

// evidenceOf returns what sessions held before, and what the answers showed.
func evidenceOf(answers []*answer) []Message {
	return fewOf(answers, func(a *answer) Message {
		args := Args{Session: a.trace.First().Session, Client: a.trace.Client, Node: servingOrHolder(a), At: a.At}
		if a.Counter > 0 && a.Kind != probes.StepWrite {
			args.Count, args.Value = a.Counter, probes.Clean(a.Value, 32)
			return msg(MsgHeldValue, args)
		}
		args.NewSession = a.Session
		return msg(MsgHeldID, args)
	})
}
