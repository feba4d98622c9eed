package checks

import (
	"slices"

	"stickwatch/probes"
)

// failingInRotation: clients that the balancer sent to n failed, or its own log
// tells of tries on n in vain, of which clients may see nothing while there is
// another node to try. With no node left the balancer cannot do otherwise, and
// its own error says so.
func failingInRotation(v *outcomes, n probes.Node) (Finding, bool) {
	if v.noneUp() {
		return Finding{}, false
	}
	seen := failuresOf(v, n.ID)
	if len(seen) == 0 {
		if !triedWithoutAnswer(v.nodeStates, n) {
			return Finding{}, false
		}
		seen = []Message{askedDirectly(v.direct[n.ID].Primary)}
	}
	f := about(NodeFailingInRotation, Critical, n.ID)
	f.erring = v.failsDirectly(n.ID)
	f.harm = harmSpan(failedOn(v, n.ID))
	f.Summary = msg(MsgFailsInRotation, Args{Node: n.ID})
	f.Evidence = seen
	if word, ok := balancersWord(v.nodeStates, n); ok {
		f.Evidence = append(f.Evidence, word)
	}
	f.Evidence = append(f.Evidence, ejectionBudget(v, n))
	f.Remedy = msg(MsgTakeOut, Args{Node: n.ID})
	return f, true
}

// failuresOf are the first requests of this round that failed because of a node.
func failuresOf(v *outcomes, node string) []Message {
	var seen []func() Message
	triedFirst := 0
	for _, a := range v.answers {
		if a.failedNode == node {
			seen = append(seen, func() Message { return msg(MsgClientGot, Args{Client: a.trace.Client, Why: new(describe(a.Exchange))}) })
		}
		if slices.Contains(a.upstreamsTried, node) {
			triedFirst++
		}
	}
	for _, e := range v.frontends {
		for _, ex := range e.plain() {
			if v.attributePlainFailure(ex) == node {
				seen = append(seen, func() Message { return msg(MsgPlainRequestGot, Args{Why: new(describe(ex))}) })
			}
		}
	}
	if triedFirst > 0 {
		seen = append(seen, func() Message { return msg(MsgTriedFirst, Args{Count: triedFirst}) })
	}
	return fewOf(seen, func(word func() Message) Message { return word() })
}

// failedOn are the failed requests that are due to a node, those of canaries since
// the round before included.
func failedOn(v *outcomes, node string) []*answer {
	return slices.DeleteFunc(slices.Clone(v.allAnswers), func(a *answer) bool { return a.failedNode != node })
}

// triedWithoutAnswer reports whether nginx's error log shows that requests go on being
// tried on a node that fails when we ask it. A single failure may be nginx's
// trial of a server that is ejected, and a log alone, into which others may have
// written, proves nothing.
func triedWithoutAnswer(v *nodeStates, n probes.Node) bool {
	l, ok := loggedFailuresOf(v, n)
	return ok && !n.Down && v.failsDirectly(n.ID) && l.RunOfWorker > 1 && l.goesOn() && !l.ejected()
}

// balancersWord is what the balancer itself says about a failing node.
func balancersWord(v *nodeStates, n probes.Node) (word Message, ok bool) {
	if l, ok := loggedFailuresOf(v, n); ok && !l.last().IsZero() {
		return msg(MsgFailedTries, Args{Name: l.source, Count: l.Run, Server: n.ServerName(), At: l.last(), Reason: l.detail}), true
	}
	for _, r := range v.records(n) {
		if r.State != probes.ServerUnknown {
			return recorded(r), true
		}
	}
	return Message{}, false
}

// failing is the part of the requests first sent to a node that failed, as far
// as was seen; 1 where none was seen.
func failureRate(v *outcomes, node string) float64 {
	failed, all := 0, v.answersFrom(node)
	for _, a := range v.answers {
		if a.failedNode == node || slices.Contains(a.upstreamsTried, node) {
			failed, all = failed+1, all+1
		}
	}
	if failed == 0 {
		return 1
	}
	return float64(failed) / float64(all)
}
