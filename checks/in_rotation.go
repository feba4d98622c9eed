package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// inRotation finds ready nodes that get no clients, and failing nodes that do.
func inRotation(tl *timeline) []Finding {
	var list []Finding
	for _, n := range tl.round.Cluster.Nodes {
		state := tl.rotation.states[n.ID]
		if state.ProvenOut && tl.nodes.ready(n.ID) {
			list = append(list, ejected(tl, n, "", state))
		}
		if f, ok := wasEjected(tl, n); ok {
			list = append(list, f)
		}
		if tl.nodes.ready(n.ID) {
			for _, e := range state.OutAt {
				list = append(list, ejected(tl, n, e.frontend, e.rotationState))
			}
		}
		if f, ok := failingInRotation(tl, n); ok {
			list = append(list, f)
		}
	}
	return list
}

// ejected returns the finding that the whole balancer, or one of its addresses,
// leaves out a node.
func ejected(tl *timeline, node probes.Node, frontend string, state rotationState) Finding {
	finding := about(NodeEjected, Warning, node.ID)
	finding.Target = frontend
	d, disrupted := tl.disruptionAt(node.ID, tl.round.Started)
	finding.facts.unprovoked = !disrupted || !d.failed()
	finding.Summary = msg(MsgEjected, Args{Node: node.ID, Address: frontend})
	timeline := tl.nodeTimelines[node.ID]
	costSessions := finding.facts.unprovoked && !timeline.LeftOutSince.IsZero() && !tl.round.past().Balancer.LastLostAt.Before(timeline.LeftOutSince)
	if passing(tl, timeline) && !costSessions { // one that did is an outage until the node is back
		finding.Severity, finding.facts.passing = Info, true
		if tl.round.Started.Sub(timeline.RecoveredAt) <= tl.consequencesFor {
			finding.Summary = msg(MsgNotTakenBackYet, Args{Node: node.ID, Address: frontend, Since: timeline.RecoveredAt})
		}
	}
	finding.Evidence = append([]Message{withProof(state.Proof, state.Reason), askedDirectly(tl.nodes.direct[node.ID].Primary)}, limited(evidenceRecords(tl.nodes, node, state.Reason))...)
	switch t := tl.round.Cluster.Balancer.FailTimeout; {
	case tl.nodes.recordedAs(node, probes.ServerMaintenance, probes.ServerDraining):
		finding.Remedy = msg(MsgPutBack, Args{Server: node.ServerName()})
	case t > 0 && tl.round.Cluster.Balancer.Method != probes.MethodCookie:
		finding.Remedy = msg(MsgWaitFailTimeout, Args{Duration: t, Server: node.ServerName()})
	default:
		finding.Remedy = msg(MsgCheckServerState, Args{Server: node.ServerName()})
	}
	return finding
}

// How long a node may be left out before that is a warning of its own.
const (
	longestPassing    = 2 * time.Minute // a node that fails again and again
	longestUnbalanced = 5 * time.Minute // any node of httpd, until it has as many requests as others: see passing
)

// passing reports whether the balancer leaves a node out for no longer than after any
// failure, so that it takes the node back by itself. httpd counts the requests of
// clients with a route against their node (mod_proxy_balancer,
// proxy_balancer_pre_request): a node that has lost its clients to others gets new
// ones only when the counts are even, and looks left out until then.
func passing(tl *timeline, timeline NodeTimeline) bool {
	since, wait, longest := timeline.LeftOutSince, tl.consequencesFor, longestPassing+tl.consequencesFor
	if timeline.RecoveredAt.After(since) {
		since = timeline.RecoveredAt
	}
	if tl.round.Cluster.Balancer.Method == probes.MethodCookie && slices.ContainsFunc(tl.outcomes.answers, func(a *answer) bool { return a.HasRoute }) {
		wait, longest = longestUnbalanced, longestUnbalanced
	}
	return tl.round.Started.Sub(since) <= wait && tl.round.Started.Sub(timeline.LeftOutSince) <= longest
}

// wasEjected finds that a node was ejected between two rounds, and is back. No client of
// ours met the ejection; the balancer reports it afterwards.
func wasEjected(tl *timeline, node probes.Node) (Finding, bool) {
	past := tl.nodeTimelines[node.ID].Ejections
	if len(past) == 0 || !tl.nodes.ready(node.ID) || tl.rotation.states[node.ID].ProvenOut {
		return Finding{}, false
	}
	last := past[len(past)-1]
	f := about(NodeEjected, Warning, node.ID)
	f.facts.ended = true
	f.Summary = msg(MsgWasEjected, Args{Node: node.ID, Since: last.From, At: last.To})
	for _, e := range slices.Backward(past) {
		f.Evidence = append(f.Evidence, withProof(byBalancer, e.Words))
	}
	f.Evidence = append(limited(f.Evidence), askedDirectly(tl.nodes.direct[node.ID].Primary))
	if d, ok := tl.disruptionAt(node.ID, last.To); ok && !d.Gone.IsZero() {
		f.Severity, f.facts.passing = Info, true
	}
	f.Remedy = msg(MsgFindMoment, Args{Node: node.ID})
	return f, true
}

// failingInRotation finds that clients which the balancer sent to a node failed, or that
// its log shows failed tries on it, which clients need not notice while another node
// answers. It finds nothing while no node is up: the balancer has no choice, and its
// own errors are a finding.
func failingInRotation(tl *timeline, node probes.Node) (Finding, bool) {
	if tl.nodes.noneUp() {
		return Finding{}, false
	}
	evidence := failuresOf(tl.outcomes, node.ID)
	switch {
	case len(evidence) > 0:
	case triedWithoutAnswer(tl.nodes, node):
		evidence = []Message{askedDirectly(tl.nodes.direct[node.ID].Primary)}
	default:
		return Finding{}, false
	}
	f := about(NodeFailingInRotation, Critical, node.ID)
	f.facts.erring = tl.nodes.failsDirectly(node.ID)
	f.observed.harm = tl.failuresOnNode(node.ID)
	if record, ok := balancerRecord(tl.nodes, node); ok {
		evidence = append(evidence, record)
	}
	f.Evidence = append(evidence, ejectionBudget(tl.outcomes, node))
	why, remedy := tl.whyInRotation(node)
	f.Summary, f.Remedy = msg(MsgFailsInRotation, Args{Node: node.ID, Why: why}), remedy
	return f, true
}

// longestCheck is how long a balancer with usual health checks takes at most to find a dead node
// out: three of them, 20 s apart.
const longestCheck = time.Minute

// whyInRotation returns why clients are sent to a failing node, nil if that is not known, and what to do
// about it. A balancer that gives new ones to a node that has been dead for longer than longestCheck
// does not check it.
func (tl *timeline) whyInRotation(node probes.Node) (why *Message, remedy Message) {
	silent := tl.nodeTimelines[node.ID].SilentSince
	lasted := tl.round.Started.Sub(silent)
	stillTried := !silent.IsZero() && lasted >= longestCheck && slices.ContainsFunc(tl.outcomes.answers, func(a *answer) bool {
		return a.failedNode == node.ID && !a.trace.Continued
	})
	switch {
	case tl.nodes.isUnchecked(node):
		return new(msg(MsgHasNoCheck, Args{})), msg(MsgAddCheck, Args{Node: node.ID, Server: node.ServerName()})
	case stillTried:
		return new(msg(MsgSeemsUnchecked, Args{})), msg(MsgEjectFailing, Args{Node: node.ID, Duration: lasted.Round(time.Second)})
	default:
		return nil, msg(MsgTakeOut, Args{Node: node.ID})
	}
}

// failuresOf returns, as evidence, the first requests of this round that failed because of a node, and
// how many were tried on it first. While it fails, those since the last full round belong to them:
// they may be all that failed before the balancer ejected it.
func failuresOf(oc *outcomes, node string) []Message {
	var failures []Message
	triedFirst, answers := 0, oc.answers
	if oc.nodes.failsDirectly(node) {
		answers = oc.allAnswers
	}
	for _, a := range answers {
		if a.failedNode == node {
			failures = append(failures, msg(MsgClientGot, Args{Client: a.trace.Client, Why: new(describe(a.Exchange))}))
		}
		if slices.Contains(a.upstreamsTried, node) {
			triedFirst++
		}
	}
	for _, front := range oc.frontends {
		for _, ex := range front.plain() {
			if only(oc.nodes.plainFailingNodesOf(ex)) == node {
				failures = append(failures, msg(MsgPlainRequestGot, Args{Why: new(describe(ex))}))
			}
		}
	}
	if triedFirst > 0 {
		failures = append(failures, msg(MsgTriedFirst, Args{Count: triedFirst}))
	}
	return limited(failures)
}

// failuresOnNode returns the time in which requests of clients failed because of a node, this
// round or since it was last ready: a balancer that ejects the node tries it with one request in
// each fail_timeout.
func (tl *timeline) failuresOnNode(node string) Span {
	failures := harmSpan(slices.DeleteFunc(slices.Clone(tl.outcomes.allAnswers), func(a *answer) bool { return a.failedNode != node }))
	timeline := tl.nodeTimelines[node]
	if n := len(timeline.Disruptions); n > 0 && !failures.From.IsZero() && timeline.Disruptions[n-1].Failures.From.After(timeline.LastReady) {
		return failures.and(timeline.Disruptions[n-1].Failures)
	}
	return failures
}

// triedWithoutAnswer reports whether nginx's error log shows ongoing tries on a node
// that fails when asked directly. A single failure may be a trial of an ejected
// server. The log alone proves nothing, since other balancers may write to it.
func triedWithoutAnswer(ns *nodeStates, n probes.Node) bool {
	l, ok := loggedFailuresOf(ns, n)
	return ok && !n.Down && ns.failsDirectly(n.ID) && l.RunOfWorker > 1 && l.goesOn() && !l.ejected()
}

// balancerRecord returns the balancer's own evidence about a failing node.
func balancerRecord(ns *nodeStates, n probes.Node) (Message, bool) {
	if l, ok := loggedFailuresOf(ns, n); ok && !l.last().IsZero() {
		return msg(MsgFailedTries, Args{Name: l.source, Count: l.Run, Server: n.ServerName(), At: l.last(), Reason: l.detail}), true
	}
	for _, r := range ns.records(n) {
		if r.State != probes.ServerUnknown {
			return recorded(r), true
		}
	}
	return Message{}, false
}
