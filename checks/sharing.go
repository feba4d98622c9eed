package checks

import (
	"slices"

	"stickwatch/probes"
)

// shared says whether the nodes know each other's sessions.
func sessionsShared(v *nodeStates) Answer {
	answer := Unknown
	if v.AcceptsAnyID && !slices.ContainsFunc(v.FailoverChecks, func(x probes.FailoverCheck) bool { return x.Counter > 0 }) {
		return Unknown // that an id is taken elsewhere proves nothing, and no value was stored
	}
	for _, x := range v.FailoverChecks {
		switch x.SessionOutcome() {
		case probes.SessionKept, probes.SessionStale:
			answer = Yes
		case probes.SessionLost:
			return No
		}
	}
	return answer
}

// sharing finds nodes that would lose the users of another one at a failover.
func sharing(v *outcomes) []Finding {
	if v.policy() != probes.PolicyShared && v.policy() != probes.PolicyReplicated {
		return nil
	}
	ignorant := make(map[string]bool)
	var evidence []Message
	for _, x := range v.FailoverChecks {
		if x.SessionOutcome() == probes.SessionLost && v.ready(x.To) && !v.page.isWrong(x.There) && v.foreignAt(x) == nil {
			ignorant[x.To] = true
			evidence = append(evidence, msg(MsgNotKnownThere, Args{Session: x.Session, Node: x.From, Other: x.To}))
		}
	}
	if len(ignorant) == 0 {
		return nil
	}
	f := aboutAll(SessionNotShared, Warning, v.nodesWhere(func(id string) bool { return ignorant[id] }))
	f.Summary = msg(MsgNotShared, Args{Nodes: f.Nodes})
	if slices.ContainsFunc(v.allAnswers, func(a *answer) bool { return a.moved() && a.sessionOutcome == probes.SessionLost }) {
		f.Summary = msg(MsgNotSharedNow, Args{Nodes: f.Nodes})
	}
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgRepairReplication, Args{})
	return []Finding{f}
}
