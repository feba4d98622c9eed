package checks

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

// A nodeCount counts the requests of clients whose session is on one node.
type nodeCount struct {
	fresh, freshBad    int // requests of new clients
	returns, failed    int // requests of clients that hold a session
	failedNow          int // of failed, those in this round: earlier failures may have ended
	writesBad          int // of failed, requests that store a value
	bad                []*answer
	clients, badClient map[*trace]bool
}

// sessionsFailing finds nodes where clients that hold a session get errors or another
// page, while new clients are served.
func sessionsFailing(v *timeline) []Finding {
	if v.Cluster.Session == nil || v.policy() == probes.PolicyNone {
		return nil
	}
	tallies := countReturns(v)
	fresh, freshBad := 0, 0
	for _, t := range tallies {
		fresh, freshBad = fresh+t.fresh, freshBad+t.freshBad
	}
	if fresh == freshBad {
		return nil // no client is served: sessions are not the cause
	}
	var nodes []string
	var failures []*answer
	onlyWrites, bad, clients := true, 0, 0
	for _, id := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[id]
		clients += len(t.clients)
		if t.failedNow == 0 || id == "" || id != anyNode && !v.ready(id) || t.failsForNew(id == anyNode) {
			continue
		}
		if id == anyNode {
			nodes = append(nodes, failingWithSession(v.nodeStates)...)
		} else {
			nodes = append(nodes, id)
		}
		failures = append(failures, t.bad...)
		bad += len(t.badClient)
		onlyWrites = onlyWrites && t.failed == t.writesBad
	}
	if len(failures) == 0 {
		return nil
	}
	finding := aboutAll(SessionFailing, Critical, v.nodesWhere(func(id string) bool { return slices.Contains(nodes, id) }))
	finding.harm = harmSpan(failures)
	what := MsgSessionsFail
	if onlyWrites {
		what = MsgWritesFail
		if 2*len(finding.Nodes) < len(v.serving) {
			finding.Severity = Warning
		}
	}
	finding.Summary = msg(what, Args{Nodes: finding.Nodes})
	finding.Evidence = append(fewOf(failures, metWithSession), msg(MsgNewGotPage, Args{Count: fresh - freshBad, Of: fresh}))
	if bad > 0 && clients > 0 {
		finding.Affected = Affected{Share: float64(bad) / float64(clients), Of: clients}
	}
	finding.Remedy = failingRemedy(onlyWrites)
	return []Finding{finding}
}

// countReturns counts requests by the node that owns the session; "": not known.
// Failures that are attributed to a node which fails when asked directly, or which
// was disrupted, are left out.
func countReturns(v *timeline) map[string]*nodeCount {
	tallies := make(map[string]*nodeCount)
	of := func(id string) *nodeCount {
		if tallies[id] == nil {
			tallies[id] = &nodeCount{clients: make(map[*trace]bool), badClient: make(map[*trace]bool)}
		}
		return tallies[id]
	}
	for _, a := range v.allAnswers {
		harmed := a.outcome == OutcomeError || a.outcome == OutcomeWrongPage
		if a.outcome == OutcomeUnknown || harmed && (v.refusesAll || v.ownError(a.Exchange) || disruptedFor(v, a)) {
			continue
		}
		if a.Kind == probes.StepFirst {
			t := of(countsOf(v.nodeStates, a))
			t.fresh++
			if harmed {
				t.freshBad++
			}
			continue
		}
		of(countsOf(v.nodeStates, a)).add(a, harmed, v.Started)
	}
	return tallies
}

// anyNode is the key of the count of all requests if any node may answer.
const anyNode = "any"

// countsOf returns the node by which a request is counted.
func countsOf(v *nodeStates, a *answer) string {
	if v.policy() == probes.PolicyShared {
		return anyNode
	}
	return cmp.Or(a.node, a.trace.openedBy)
}

// failingWithSession returns the nodes that answer with errors when a session is
// presented to them directly.
func failingWithSession(v *nodeStates) []string {
	return v.nodesWhere(func(id string) bool {
		return v.ready(id) && slices.ContainsFunc(v.FailoverChecks, func(x probes.FailoverCheck) bool {
			return x.To == id && (failed(x.There) || x.There.Status >= 400 || v.page.isWrong(x.There))
		})
	})
}

// disruptedFor reports whether a failed answer is due to a node that was down or
// restarting at that moment.
func disruptedFor(v *timeline, a *answer) bool {
	for _, id := range []string{a.failedNode, a.trace.holder, a.trace.owner} {
		if id == "" {
			continue
		}
		if v.failsDirectly(id) || !v.ready(id) {
			return true
		}
		if d, ok := v.disruptionAt(id, a.At); ok && d.Kind != DisruptionEjected && v.past().Nodes[id].disruptedBy(d) {
			return true
		}
	}
	return false
}

// disruptedBy reports whether an earlier round has seen a disruption. A disruption
// that only this round's failed answers show does not explain them.
func (h NodeHistory) disruptedBy(d Disruption) bool {
	return slices.ContainsFunc(h.Disruptions, func(old Disruption) bool { return old.From.Equal(d.From) }) || h.Down
}

func (n *nodeCount) add(a *answer, harmed bool, began time.Time) {
	n.returns++
	n.clients[a.trace] = true
	if !harmed {
		return
	}
	n.failed++
	if !a.At.Before(began) {
		n.failedNow++
	}
	n.bad = append(n.bad, a)
	n.badClient[a.trace] = true
	if a.Kind == probes.StepWrite {
		n.writesBad++
	}
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

// failsForNew reports whether new clients fare no better, so that the node fails for
// everybody. If any node may answer, chance decides which clients meet a failing one,
// and half the failure rate suffices.
func (n *nodeCount) failsForNew(anyNode bool) bool {
	weight := 1
	if anyNode {
		weight = 2
	}
	return n.fresh > 0 && weight*n.freshBad*n.returns >= n.failed*n.fresh
}

func failingRemedy(onlyWrites bool) Message {
	if onlyWrites {
		return msg(MsgFindWriteError, Args{})
	}
	return msg(MsgFindSessionError, Args{})
}
