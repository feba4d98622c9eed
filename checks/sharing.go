package checks

import (
	"slices"
	"strconv"

	"stickwatch/probes"
)

// sessionsShared reports whether the nodes know each other's sessions.
func sessionsShared(r *Round) Tristate {
	answer := Unknown
	if r.AcceptsAnyID && !slices.ContainsFunc(r.FailoverChecks, func(c probes.FailoverCheck) bool { return c.Counter > 0 }) {
		return Unknown // an accepted unknown id proves nothing, and no value was stored
	}
	for _, c := range r.FailoverChecks {
		switch c.SessionOutcome() {
		case probes.SessionKept, probes.SessionStale:
			answer = Yes
		case probes.SessionLost:
			return No
		}
	}
	return answer
}

// sharing finds nodes that would lose the sessions of another node at a failover.
func sharing(oc *outcomes) []Finding {
	if oc.round.policy() != probes.PolicyShared && oc.round.policy() != probes.PolicyReplicated {
		return nil
	}
	ignorant := make(map[string]bool)
	var evidence []Message
	for _, c := range oc.round.FailoverChecks {
		if c.SessionOutcome() == probes.SessionLost && oc.nodes.ready(c.To) && !oc.nodes.page.isWrong(c.There) && !oc.nodes.showsAnotherPage(c.To) && oc.foreignAt(c) == nil {
			ignorant[c.To] = true
			evidence = append(evidence, msg(MsgNotKnownThere, Args{Session: c.Session, Node: c.From, Other: c.To}))
		}
	}
	if len(ignorant) == 0 {
		return nil
	}
	f := aboutAll(SessionNotShared, Warning, oc.round.nodesWhere(func(id string) bool { return ignorant[id] }))
	f.Summary = msg(MsgNotShared, Args{Nodes: f.Nodes})
	if slices.ContainsFunc(oc.allAnswers, func(a *answer) bool { return a.moved() && a.sessionOutcome == probes.SessionLost }) {
		f.Summary = msg(MsgNotSharedNow, Args{Nodes: f.Nodes})
	}
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgRepairReplication, Args{})
	return []Finding{f}
}

// showsAnotherPage reports whether a node answers with another page when asked directly, which
// says nothing of the sessions that it knows.
func (ns *nodeStates) showsAnotherPage(node string) bool {
	o := ns.direct[node]
	return o != nil && o.Session != nil && ns.page.isWrong(*o.Session)
}

// writerOf returns the client other than reader that has stored a value; nil: none.
func (oc *outcomes) writerOf(value int, reader *trace) *trace {
	if reader != nil && value > reader.Base && value <= reader.Base+probes.ValuesPerClient-1 {
		return nil
	}
	for _, tr := range oc.traces {
		if tr == reader || value <= tr.Base || value > tr.Base+probes.ValuesPerClient-1 {
			continue
		}
		if slices.ContainsFunc(tr.Steps, func(s probes.Step) bool { return s.Counter >= value }) {
			return tr
		}
	}
	return nil
}

// foreignAt returns the client whose value a node showed for another client's
// session; nil: none.
func (oc *outcomes) foreignAt(c probes.FailoverCheck) *trace {
	n, err := strconv.Atoi(c.There.Value)
	if err != nil || n <= 0 || n > c.Base && n <= c.Base+probes.ValuesPerClient-1 {
		return nil
	}
	return oc.writerOf(n, nil)
}

// givenSessions returns the first client that was given each session, by the id. An id that
// several nodes give to everybody when asked directly does not identify a session and is left
// out.
func (oc *outcomes) givenSessions() map[probes.Fingerprint]*trace {
	given := make(map[probes.Fingerprint]*trace)
	for _, tr := range oc.traces {
		id := tr.First().Session
		if id == "" || constantID(oc.nodes, id) {
			continue
		}
		if other := given[id]; other == nil || tr.First().At.Before(other.First().At) {
			given[id] = tr
		}
	}
	return given
}

// A sharedID is two clients that hold one session.
type sharedID struct{ a, b *trace }

// sharedIDs finds clients that were given the same session, of which a was the first.
func sharedIDs(oc *outcomes) (list []sharedID) {
	given := oc.givenSessions()
	for _, tr := range oc.traces {
		if other := given[tr.First().Session]; other != nil && !sameClient(other, tr) {
			list = append(list, sharedID{other, tr})
		}
	}
	return list
}

// givenAnother returns the other client of ours whose session an answer gives its client; nil:
// none. A new client is given one by its first answer, and others by an id that they did not have.
func (a *answer) givenAnother(given map[probes.Fingerprint]*trace) *trace {
	other := given[a.Session]
	if other == nil || sameClient(other, a.trace) || a.Kind != probes.StepFirst && a.Session == a.trace.First().Session {
		return nil
	}
	return other
}

// sameClient reports whether two traces belong to one client: a new client of the
// previous round may continue as a canary.
func sameClient(a, b *trace) bool {
	return a == b || a.Opened.Equal(b.Opened) && !a.Opened.IsZero()
}

// constantID reports whether several nodes gave the same id when asked directly.
func constantID(ns *nodeStates, id probes.Fingerprint) bool {
	nodes := 0
	for _, o := range ns.enabled {
		if o.Session != nil && o.Session.Session == id {
			nodes++
		}
	}
	return nodes > 1
}

// LeaksSessions reports whether Judge finds SessionLeaked in a round. It takes a fraction of the
// time of Judge.
func LeaksSessions(round Round) bool {
	return !slices.Contains(round.Ignore, SessionLeaked) && len(leaks(readTraces(readNodes(round)))) > 0
}

// leaks finds sessions that several clients hold.
func leaks(oc *outcomes) []Finding {
	if oc.round.Cluster.Session == nil || oc.round.policy() == probes.PolicyNone {
		return nil
	}
	var evidence []Message
	clients := make(map[*trace]bool)
	nodes := make(map[string]bool)
	note := func(reader, other *trace, node string, shown Message) {
		evidence = append(evidence, shown)
		clients[reader], clients[other] = true, true
		nodes[node] = true
	}
	for _, s := range sharedIDs(oc) {
		if noSessionSurvives(oc) {
			break // the id is no session's, such as that of a balancer's cookie with the same name
		}
		note(s.b, s.a, s.b.firstListed, msg(MsgSameSession, Args{Session: s.b.First().Session, Since: s.a.Opened, At: s.b.Opened}))
	}
	for _, a := range oc.allAnswers {
		shown := MsgReadForeign
		switch {
		case a.foreign == nil || !a.readForeign && a.Kind == probes.StepFirst: // a shared id
			continue
		case !a.readForeign:
			shown = MsgGivenForeign
		}
		note(a.trace, a.foreign, a.listedNode, msg(shown, Args{
			Session: a.trace.First().Session, Value: a.Value, At: a.At, NewSession: a.foreign.First().Session,
		}))
	}
	for _, c := range oc.round.FailoverChecks {
		if tr := oc.foreignAt(c); tr != nil {
			evidence = append(evidence, msg(MsgShowedForeign, Args{
				Session: c.Session, Node: c.To, Value: c.There.Value, NewSession: tr.First().Session,
			}))
			clients[tr], nodes[c.To] = true, true
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	f := aboutAll(SessionLeaked, Critical, oc.round.nodesWhere(func(id string) bool { return nodes[id] }))
	f.Summary = msg(MsgLeaked, Args{})
	f.Evidence = limited(evidence)
	f.Affected = Affected{Share: min(1, float64(len(clients))/float64(max(1, len(oc.traces)))), Of: len(oc.traces)}
	f.Remedy = msg(MsgFindCache, Args{})
	return []Finding{f}
}

// stores finds sessions that moved from one store to another and were kept, such as
// with memcached-session-manager, where ID-n1 becomes ID-n2.
func stores(oc *outcomes) []Finding {
	var evidence []Message
	for _, tr := range oc.traces {
		from := tr.First().Store
		for _, a := range tr.answers {
			if from == "" || a.Store == "" || a.Store == from {
				continue
			}
			if a.sessionOutcome == probes.SessionKept || (a.Session != "" && a.Session == tr.First().Session) {
				evidence = append(evidence, msg(MsgSessionStoreMoved, Args{Session: tr.First().Session, Name: from, Server: a.Store, At: a.At}))
				from = a.Store
			}
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	f := Finding{Code: StoreFailover, Severity: Info}
	f.Summary = msg(MsgStoreMoved, Args{Count: len(evidence)})
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgBringStoreBack, Args{})
	return []Finding{f}
}
