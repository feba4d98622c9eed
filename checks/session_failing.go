package checks

import (
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

// A nodeTally counts what clients met whose session is on one node.
type nodeTally struct {
	fresh, freshBad    int // requests of new clients
	returns, failed    int // requests of clients with a session
	failedNow          int // of those, in this round: what failed before it may be over
	writesBad          int // of these, requests that store a value
	evidence           []Message
	bad                []*answer
	clients, badClient map[*walk]bool
}

// sessionsFailing finds nodes where clients that hold a session are answered with
// errors or with something that is not the page, while new clients are served.
func sessionsFailing(v *view) []Finding {
	if v.Cluster.Session == nil || v.policy() == probes.PolicyNone {
		return nil
	}
	tallies := v.tallyReturns()
	fresh, freshBad := 0, 0
	for _, t := range tallies {
		fresh, freshBad = fresh+t.fresh, freshBad+t.freshBad
	}
	if fresh == freshBad {
		return nil // nobody is served: that is no matter of sessions
	}
	var nodes []string
	var evidence []Message
	var failures []*answer
	onlyWrites, bad, clients := true, 0, 0
	for _, id := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[id]
		clients += len(t.clients)
		if t.failedNow == 0 || id == "" || id != anyNode && !v.well(id) || t.asBadForNew(id == anyNode) {
			continue
		}
		if id == anyNode {
			nodes = append(nodes, v.failingWithSession()...)
		} else {
			nodes = append(nodes, id)
		}
		evidence = append(evidence, t.evidence...)
		failures = append(failures, t.bad...)
		bad += len(t.badClient)
		onlyWrites = onlyWrites && t.failed == t.writesBad
	}
	if len(failures) == 0 {
		return nil
	}
	f := aboutAll(SessionFailing, Critical, v.nodesWhere(func(id string) bool { return slices.Contains(nodes, id) }))
	f.harm = harmSpan(failures)
	what := MsgSessionsFail
	if onlyWrites {
		what = MsgWritesFail
		if 2*len(f.Nodes) < len(v.serving) {
			f.Severity = Warning
		}
	}
	f.Summary = msg(what, Args{Nodes: f.Nodes})
	f.Evidence = append(firstFew(evidence), msg(MsgNewGotPage, Args{Count: fresh - freshBad, Of: fresh}))
	if bad > 0 && clients > 0 {
		f.Affected = Affected{Share: float64(bad) / float64(clients), Of: clients}
	}
	f.Remedy = v.failingRemedy(onlyWrites)
	return []Finding{f}
}

// tallyReturns counts by the node that owns the session; "" where that is not
// told. A failure that is due to a node which fails when it is asked directly, or
// to one that was tried in vain, is that node's.
func (v *view) tallyReturns() map[string]*nodeTally {
	tallies := make(map[string]*nodeTally)
	of := func(id string) *nodeTally {
		if tallies[id] == nil {
			tallies[id] = &nodeTally{clients: make(map[*walk]bool), badClient: make(map[*walk]bool)}
		}
		return tallies[id]
	}
	for _, a := range v.everyAnswer() {
		harmed := a.outcome == OutcomeError || a.outcome == OutcomeWrongPage
		if a.outcome == OutcomeUnknown || harmed && (v.refusesAll || v.ownError(a.Exchange) || v.disruptedFor(a)) {
			continue
		}
		if a.Kind == probes.StepFirst {
			t := of(v.tallyOf(a))
			t.fresh++
			if harmed {
				t.freshBad++
			}
			continue
		}
		of(v.tallyOf(a)).take(a, harmed, v.Started)
	}
	return tallies
}

// anyNode is the tally of all requests where any node may answer.
const anyNode = "any"

// tallyOf is the node by which a request is counted.
func (v *view) tallyOf(a *answer) string {
	if v.policy() == probes.PolicyShared {
		return anyNode
	}
	return orElse(a.node, a.walk.opener)
}

// failingWithSession are the nodes that answer with errors when a session is
// presented to them directly.
func (v *view) failingWithSession() []string {
	return v.nodesWhere(func(id string) bool {
		return v.well(id) && slices.ContainsFunc(v.Crossings, func(x probes.Crossing) bool {
			return x.To == id && (failed(x.There) || x.There.Status >= 400 || v.page.isWrong(x.There))
		})
	})
}

// disruptedFor reports whether a failed answer is due to a node that was down, or
// left out, at that moment.
func (v *view) disruptedFor(a *answer) bool {
	for _, id := range []string{a.blamed, a.walk.home, a.walk.owner} {
		if id == "" {
			continue
		}
		if v.failsDirectly(id) || !v.well(id) {
			return true
		}
		if d, ok := v.disruptionAt(id, a.At); ok && d.Kind != DisruptionEjected && v.past().Nodes[id].disruptedBy(d) {
			return true
		}
	}
	return false
}

// disruptedBy reports whether an earlier round has seen a disruption already: one
// that this round's own failed answers make explains none of them.
func (m NodeHistory) disruptedBy(d Disruption) bool {
	return slices.ContainsFunc(m.Disruptions, func(old Disruption) bool { return old.From.Equal(d.From) }) || m.Down
}

func (t *nodeTally) take(a *answer, harmed bool, began time.Time) {
	t.returns++
	t.clients[a.walk] = true
	if !harmed {
		return
	}
	t.failed++
	if !a.At.Before(began) {
		t.failedNow++
	}
	t.bad = append(t.bad, a)
	t.badClient[a.walk] = true
	if a.Kind == probes.StepWrite {
		t.writesBad++
	}
	got := describe(a.Exchange)
	switch {
	case a.outcome == OutcomeWrongPage && a.Landed != "":
		got = msg(MsgLedElsewhere, Args{Path: a.Landed, At: a.At})
	case a.outcome == OutcomeWrongPage && a.Redirect != "":
		got = msg(MsgRedirected, Args{Path: a.Redirect, At: a.At})
	case a.outcome == OutcomeWrongPage:
		got = msg(MsgUnknownPage, Args{At: a.At})
	}
	t.evidence = append(t.evidence, msg(MsgSessionGot, Args{Session: a.walk.First().Session, Client: a.walk.Client, Why: &got}))
}

// asBadForNew reports whether new clients fare no better: then it fails for
// everybody. Where any node may answer, chance says which clients meet one that
// fails, and half as bad is as bad.
func (t *nodeTally) asBadForNew(anyNode bool) bool {
	weight := 1
	if anyNode {
		weight = 2
	}
	return t.fresh > 0 && weight*t.freshBad*t.returns >= t.failed*t.fresh
}

func (v *view) failingRemedy(onlyWrites bool) Message {
	if onlyWrites {
		return msg(MsgFindWriteError, Args{})
	}
	return msg(MsgFindSessionError, Args{})
}
