package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// balancers finds addresses of the balancer that do not answer, or answer with an
// error of their own.
func balancers(tl *timeline) []Finding {
	var list []Finding
	for _, front := range tl.outcomes.frontends {
		switch {
		case !completed(front.Primary):
		case !front.answered():
			if !brokenByNode(tl.nodes, front) {
				list = append(list, balancerDown(tl.outcomes, front))
			}
		default:
			list = append(list, balancerErrors(tl, front)...)
		}
	}
	return list
}

// brokenByNode reports whether the balancer accepts connections without a valid
// answer because of a node that hangs, or whose malformed answer it passes on. The
// node must be known, or none be left that answers; otherwise nobody would be
// notified that clients get nothing.
func brokenByNode(ns *nodeStates, front frontend) bool {
	for _, ex := range front.plain() {
		if passedOn(ex) && ex.LocalAddress.IsValid() && (ns.noneUp() && someBreak(ns, ex.Failure) || breaks(ns, only(ns.plainFailingNodesOf(ex)), ex.Failure)) {
			return true
		}
	}
	return slices.ContainsFunc(front.answers, func(a *answer) bool { return passedOn(a.Exchange) && breaks(ns, a.failedNode, a.Failure) })
}

// passedOn reports whether an exchange failed in a way that the balancer may pass on
// from a node. nginx takes an answer without a status line for HTTP/0.9.
func passedOn(ex probes.Exchange) bool {
	return ex.Failure == probes.FailureTimeout || ex.Failure == probes.FailureMalformed
}

// breaks reports whether a node, asked directly, fails in the same way.
func breaks(ns *nodeStates, id string, how probes.Failure) bool {
	o, listed := ns.direct[id]
	return listed && slices.ContainsFunc(directExchanges(*o), func(ex probes.Exchange) bool { return ex.Failure == how })
}

func someBreak(ns *nodeStates, how probes.Failure) bool {
	return slices.ContainsFunc(ns.enabled, func(o probes.NodeObservation) bool { return breaks(ns, o.Node, how) })
}

func balancerDown(oc *outcomes, front frontend) Finding {
	f := aboutFrontend(BalancerDown, Critical, front)
	var answered time.Time
	for _, a := range oc.metAt(front, probes.Exchange.Answered) {
		if a.At.After(answered) {
			answered = a.At
		}
	}
	f.observed.harm = harmSpan(oc.metAt(front, func(ex probes.Exchange) bool { return completed(ex) && ex.At.After(answered) && !ex.Answered() }))
	f.Summary = msg(MsgBalancerSilent, Args{Address: front.name})
	f.Evidence = []Message{describe(front.Primary)}
	switch front.Primary.Failure {
	case probes.FailureDNS:
		f.Remedy = msg(MsgFixName, Args{})
	case probes.FailureRefused:
		f.Remedy = msg(MsgStartBalancer, Args{})
	case probes.FailureTLS, probes.FailureMalformed:
		f.Remedy = msg(MsgCheckScheme, Args{})
	case probes.FailureReset:
		f.Remedy = msg(MsgFindNoAnswerRule, Args{})
	default:
		f.Remedy = msg(MsgCheckBalancer, Args{})
	}
	return f
}

// balancerErrors finds answers that are the balancer's own errors. Errors that a
// failing node explains are evidence about that node instead, as long as the balancer
// serves some clients.
func balancerErrors(tl *timeline, front frontend) []Finding {
	var errs []*probes.Exchange
	answered, unexplained, ambiguous, waited, returning := 0, 0, 0, 0, 0
	culprits := make(map[string]bool)
	count := func(ex *probes.Exchange, by []string) {
		if ex.Answered() {
			answered++
		}
		if !tl.nodes.ownError(*ex) {
			return
		}
		errs = append(errs, ex)
		if ex.Timing.Total >= shortestNodeTimeout {
			waited++
		}
		switch len(by) {
		case 0:
			unexplained++
		case 1:
		default: // one of several nodes, whose findings do not show it
			ambiguous++
		}
		for _, id := range by {
			culprits[id] = true
		}
	}
	plain := front.plain()
	for i, ex := range plain {
		count(&plain[i], tl.nodes.plainFailingNodesOf(ex))
	}
	for _, a := range front.answers {
		count(&a.Exchange, a.suspects)
		if tl.nodes.ownTimeout(a.Exchange) && a.Kind != probes.StepFirst {
			returning++
		}
	}
	if len(errs) == 0 || (len(errs) < answered && unexplained+ambiguous == 0) {
		return nil
	}
	f := aboutFrontend(BalancerError, Critical, front)
	f.Nodes = tl.round.nodesWhere(func(id string) bool {
		return (unexplained == 0 && culprits[id]) || (tl.nodes.noneReady() && !tl.nodes.ready(id))
	})
	f.facts.waited, f.facts.follows = waited == len(errs), lastToFail(tl)
	f.facts.onlyWithSession = returning == len(errs)
	met := tl.outcomes.metAt(front, tl.nodes.ownError)
	f.observed.harm = harmSpan(met)
	few := len(errs) == 1 || float64(len(errs)) < criticalShare*float64(answered)
	if few && len(errs) < answered && clientsOf(met) < criticalClients {
		f.Severity = Warning
	}
	f.Summary = msg(MsgBalancerErrs, Args{Address: front.name, Count: len(errs), Of: answered})
	f.Evidence = fewOf(errs, func(ex *probes.Exchange) Message { return describe(*ex) })
	f.Remedy = msg(MsgReadBalancerLog, Args{})
	return []Finding{f}
}

// metAt returns such requests of clients at a frontend, since the last full round too.
func (oc *outcomes) metAt(front frontend, such func(probes.Exchange) bool) []*answer {
	return slices.DeleteFunc(slices.Clone(oc.allAnswers), func(a *answer) bool { return !front.isOf(a.trace) || !such(a.Exchange) })
}

// Errors are critical if at least so many clients get them, or such a share of the requests. A
// single error counts as less than any share.
const (
	criticalClients = 3
	criticalShare   = 0.05
)

// clientsOf counts the clients that got the answers.
func clientsOf(answers []*answer) int {
	clients := make(map[*trace]bool)
	for _, a := range answers {
		clients[a.trace] = true
	}
	return len(clients)
}

// shortestNodeTimeout is the shortest plausible time-out of a balancer for an answer
// of a node. A balancer that has no node left answers at once.
const shortestNodeTimeout = 500 * time.Millisecond

// lastToFail returns the last node that failed or restarted, if every enabled node did recently,
// or is left out: since then the balancer has had no node that it would try. Otherwise it
// returns nil.
func lastToFail(tl *timeline) (last []string) {
	var since time.Time
	for _, o := range tl.nodes.enabled {
		d, ok := tl.disruptionAt(o.Node, tl.round.Started)
		switch {
		case !ok:
			return nil
		case !d.Gone.IsZero() && (last == nil || d.From.After(since)):
			last, since = []string{o.Node}, d.From
		}
	}
	return last
}
