package checks

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"stickwatch/probes"
)

// A tally counts the requests of one node's clients; with sessions that all nodes share, of
// all clients.
type tally struct {
	newClients, newFailed      int // first requests, which bring no session
	returning, returningFailed int // later requests, which bring one
	failedThisRound            int // of returningFailed: earlier failures may have ended
	writes, failedWrites       int // of returning and of returningFailed: requests that store a value
	failures                   []*answer
	clients, failedClients     map[*trace]bool
}

func (t *tally) add(a *answer, harmed bool, began time.Time) {
	if a.Kind == probes.StepFirst {
		t.newClients++
		if harmed {
			t.newFailed++
		}
		return
	}
	t.returning++
	t.clients[a.trace] = true
	if a.Kind == probes.StepWrite {
		t.writes++
	}
	if !harmed {
		return
	}
	t.returningFailed++
	if !a.At.Before(began) {
		t.failedThisRound++
	}
	t.failures = append(t.failures, a)
	t.failedClients[a.trace] = true
	if a.Kind == probes.StepWrite {
		t.failedWrites++
	}
}

// failsForNew reports whether new clients fare no better, so that the node fails for
// everybody. With shared sessions a new client meets the failing node by chance, so half
// the failure rate of returning clients already counts as no better.
func (t *tally) failsForNew(shared bool) bool {
	weight := 1
	if shared {
		weight = 2
	}
	return t.newClients > 0 && weight*t.newFailed*t.returning >= t.returningFailed*t.newClients
}

// sessionsFailing finds nodes where clients that hold a session get errors or another
// page, while new clients are served.
func sessionsFailing(tl *timeline) []Finding {
	if tl.round.Cluster.Session == nil || tl.round.policy() == probes.PolicyNone {
		return nil
	}
	tallies := tallyByNode(tl)
	newClients, newFailed := 0, 0
	for _, t := range tallies {
		newClients, newFailed = newClients+t.newClients, newFailed+t.newFailed
	}
	if newClients == newFailed {
		return nil // no new client was served, or none was sent: sessions need not be the cause
	}
	var nodes []string
	var failures []*answer
	onlyWrites, mostStored, failedClients, clients := true, false, 0, 0
	for _, id := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[id]
		clients += len(t.clients)
		// Only a failure of this round counts, at a node that is known and ready, and only if
		// new clients fare better there.
		if t.failedThisRound == 0 || id == "" || id != anyNode && !tl.nodes.ready(id) || t.failsForNew(id == anyNode) {
			continue
		}
		if id == anyNode {
			nodes = append(nodes, failingWithSession(tl.nodes)...)
			mostStored = 2*t.failedWrites < t.writes
		} else {
			nodes = append(nodes, id)
		}
		failures = append(failures, t.failures...)
		failedClients += len(t.failedClients)
		onlyWrites = onlyWrites && t.returningFailed == t.failedWrites
	}
	if len(failures) == 0 {
		return nil
	}
	finding := aboutAll(SessionFailing, Critical, tl.round.nodesWhere(func(id string) bool { return slices.Contains(nodes, id) }))
	finding.observed.harm = harmSpan(failures)
	finding.Summary, finding.Remedy = msg(MsgSessionsFail, Args{Nodes: finding.Nodes}), sessionErrorRemedy(tl.outcomes, failures)
	if onlyWrites {
		finding.Summary, finding.Remedy = msg(MsgWritesFail, Args{Nodes: finding.Nodes}), msg(MsgFindWriteError, Args{})
		if tl.round.policy() != probes.PolicyShared {
			mostStored = 2*len(finding.Nodes) < len(tl.nodes.eligible)
		}
		if mostStored {
			finding.Severity = Warning
		}
	}
	finding.Evidence = append(fewOf(failures, metWithSession), msg(MsgNewGotPage, Args{Count: newClients - newFailed, Of: newClients}))
	if failedClients > 0 && clients > 0 {
		finding.Affected = Affected{Share: float64(failedClients) / float64(clients), Of: clients}
	}
	return []Finding{finding}
}

// sessionErrorRemedy returns where to look for what fails clients with a session. An application's log does not show
// requests whose header is too long, nor those to which a rule of the balancer gives no answer.
func sessionErrorRemedy(oc *outcomes, failures []*answer) Message {
	longest := 0
	for _, a := range failures {
		longest = max(longest, a.CookieBytes)
	}
	switch {
	case !slices.ContainsFunc(failures, func(a *answer) bool { return !refusesCookies(a.Exchange) }):
		return msg(MsgShortenCookies, Args{Count: longest})
	case !slices.ContainsFunc(failures, func(a *answer) bool { return a.Answered() }):
		return msg(MsgFindNoAnswer, Args{Address: ownAddress(oc)})
	default:
		return msg(MsgFindSessionError, Args{})
	}
}

// longCookies is the length of cookies from which a 400 is attributed to it. Servers accept headers of 8 KB by
// default, of which the cookies are the largest part.
const longCookies = 4 << 10

// refusesCookies reports whether a server refused a request because its header was too long.
func refusesCookies(ex probes.Exchange) bool {
	return ex.Status == http.StatusRequestHeaderFieldsTooLarge || ex.Status == http.StatusBadRequest && ex.CookieBytes >= longCookies
}

// tallyByNode counts requests by the node that owns the session; "": not known. Failures
// that are not the session's are left out: those of the balancer, unless it waits in vain for
// clients with a session only, and those of a node that fails when asked directly or was
// disrupted.
func tallyByNode(tl *timeline) map[string]*tally {
	tallies, spared := make(map[string]*tally), tl.outcomes.waits.spareNewClients(tl.round.Confidence)
	for _, a := range tl.outcomes.allAnswers {
		harmed := a.outcome == OutcomeError || a.outcome == OutcomeWrongPage
		if a.outcome == OutcomeUnknown || harmed && (tl.nodes.refusesAll || tl.nodes.ownError(a.Exchange) && !(spared && tl.nodes.ownTimeout(a.Exchange)) || disruptedFor(tl, a)) {
			continue
		}
		key := tallyKey(tl.round, a)
		if tallies[key] == nil {
			tallies[key] = &tally{clients: make(map[*trace]bool), failedClients: make(map[*trace]bool)}
		}
		tallies[key].add(a, harmed, tl.round.Started)
	}
	return tallies
}

// anyNode is the key of the only tally if all nodes share sessions.
const anyNode = "any"

// tallyKey returns the node by which a request is counted. A failed answer names no node;
// then it is the one that opened the session.
func tallyKey(r *Round, a *answer) string {
	if r.policy() == probes.PolicyShared {
		return anyNode
	}
	return cmp.Or(a.listedNode, a.trace.firstListed)
}

// failingWithSession returns the nodes that answer with errors when a session is
// presented to them directly.
func failingWithSession(ns *nodeStates) []string {
	return ns.round.nodesWhere(func(id string) bool {
		return ns.ready(id) && slices.ContainsFunc(ns.round.FailoverChecks, func(c probes.FailoverCheck) bool {
			return c.To == id && (failed(c.There) || c.There.Status >= 400 || ns.page.isWrong(c.There))
		})
	})
}

// disruptedFor reports whether a failed answer is due to a node that was down or
// restarting at that moment: the node that failed, the one that answered the client last, or
// the one that opened its session. A request that timed out while a node hangs may have
// waited for that one, because the balancer tries the next node after one that fails.
func disruptedFor(tl *timeline, a *answer) bool {
	if (a.Failure == probes.FailureTimeout || tl.nodes.ownTimeout(a.Exchange)) && someBreak(tl.nodes, probes.FailureTimeout) {
		return true
	}
	for _, id := range []string{a.failedNode, a.trace.holder, a.trace.opener} {
		if id == "" {
			continue
		}
		if tl.nodes.failsDirectly(id) || !tl.nodes.ready(id) {
			return true
		}
		d, ok := tl.disruptionAt(id, a.At)
		if ok && (d.Kind == DisruptionRestart || d.failed() && tl.round.past().Nodes[id].knewOf(d)) {
			return true
		}
	}
	return false
}

// metWithSession returns what a client that holds a session got.
func metWithSession(a *answer) Message {
	got := describe(a.Exchange)
	switch {
	case a.outcome == OutcomeWrongPage && a.FinalPath != "":
		got = msg(MsgLedElsewhere, Args{Path: a.FinalPath, At: a.At})
	case a.outcome == OutcomeWrongPage && a.Redirect != "":
		got = msg(MsgRedirected, Args{Path: a.Redirect, At: a.At})
	case a.outcome == OutcomeWrongPage:
		got = msg(MsgUnknownPage, Args{At: a.At})
	}
	return msg(MsgSessionGot, Args{Session: a.trace.First().Session, Client: a.trace.Client, Why: &got})
}
