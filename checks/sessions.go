package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// A move is an answer that a session got from another node than its own.
type move struct {
	walk     probes.Walk
	from, to string
	answer   answer
	fate     probes.Fate
}

// moves finds every move away from a node that was well and in rotation at the
// time: it answered somebody later. A session that leaves a failing node, or
// one that the balancer has just ejected, has failed over, which is no drift.
func (v *view) moves() (drifts, failovers []move) {
	for _, a := range v.answers {
		walk := v.Walks[a.walk]
		home := v.home(walk)
		if a.step == 0 || home == "" || a.node == "" || a.node == home || !a.OK() {
			continue
		}
		m := move{walk: walk, from: home, to: a.node, answer: a, fate: walk.Fate(a.step)}
		if v.well(home) && v.answeredSince(home, a.Exchange) {
			drifts = append(drifts, m)
		} else {
			failovers = append(failovers, m)
		}
	}
	return drifts, failovers
}

// answeredSince reports whether node answered a request through the balancer
// that began no earlier than ex.
func (v *view) answeredSince(node string, ex probes.Exchange) bool {
	return slices.ContainsFunc(v.answers, func(a answer) bool {
		return a.node == node && a.OK() && !a.At.Before(ex.At) && a.Address == ex.Address
	})
}

// stickiness says whether sessions stay on their node, and how sure that is.
func (v *view) stickiness() SessionReport {
	s := SessionReport{Policy: probes.PolicyNone, Sticky: Unknown, Shared: v.shared()}
	s.Fresh, _ = v.fresh()
	if v.Cluster.Session == nil {
		s.Reason = "no session test is configured"
		return s
	}
	s.Policy = v.Cluster.Session.Policy
	s.Canaries = v.canaries()
	drifts, failovers := v.moves()
	stayed, luck := v.stayed(), v.luck()
	switch {
	case len(drifts) > 0:
		s.Sticky, s.Confidence = No, 1
		s.Reason = fmt.Sprintf("%d of %d follow-ups were answered by another node", len(drifts), v.followUps())
	case len(v.serving) < 2:
		s.Reason = "fewer than two nodes serve: there is nowhere to drift to"
	case len(failovers) > 0:
		s.Reason = "sessions moved while their node left: whether they stick must be asked again"
	case v.followUps() == 0:
		s.Reason = "no session could be opened and followed through the balancer"
	case stayed == 0:
		s.Reason = "the answers do not tell which node gave them"
	case confidenceOf(luck, stayed) < v.Confidence:
		s.Confidence = confidenceOf(luck, stayed)
		s.Reason = fmt.Sprintf("%s stayed, which luck explains once in %.0f", plural(stayed, "follow-up", "follow-ups"), 1/(1-s.Confidence))
	default:
		s.Sticky, s.Confidence = Yes, confidenceOf(luck, stayed)
		s.Reason = fmt.Sprintf("every follow-up was answered by the session's own node, at least %d each", stayed)
	}
	return s
}

// stayed is the least number of follow-ups that any canary got from its own
// node: a chain is as strong as its weakest link.
func (v *view) stayed() int {
	least := 0
	for w, walk := range v.Walks {
		if len(walk.Steps) < 2 || !walk.First().OK() {
			continue
		}
		count := 0
		for _, a := range v.answers {
			if a.walk == w && a.Kind == probes.StepFollow && a.node != "" && a.node == v.home(walk) {
				count++
			}
		}
		if least == 0 || count < least {
			least = count
		}
		if count == 0 {
			return 0
		}
	}
	return least
}

func (v *view) followUps() int {
	count := 0
	for _, a := range v.answers {
		if a.Kind == probes.StepFollow && a.Answered() {
			count++
		}
	}
	return count
}

// luck is the share of the node that chance would choose most often.
func (v *view) luck() float64 {
	_, met := v.fresh()
	return Luck(v.serving, met)
}

// Luck is the chance that a follow-up stays on its node though nothing holds
// it there: the largest share among the nodes that new clients met, or among
// all that serve where one source address meets only one.
func Luck(serving []probes.Node, met map[string]bool) float64 {
	among := slices.DeleteFunc(slices.Clone(serving), func(n probes.Node) bool { return !met[n.ID] })
	if len(among) < 2 {
		among = serving
	}
	return LargestShare(among)
}

func (v *view) canaries() []Canary {
	var list []Canary
	for _, w := range v.Walks {
		if !isCanary(w) {
			continue
		}
		c := Canary{Pinned: orElse(v.home(w), w.Expected), Client: w.Client, Balancer: w.Balancer.String()}
		for _, s := range w.Steps {
			node := v.who.Who(s.Label)
			if node == "" && s.Label != "" {
				node = fmt.Sprintf("%q", s.Label)
			}
			c.Steps = append(c.Steps, CanaryStep{
				At: s.At, Kind: s.Kind, Node: node, Session: s.Session, Status: s.Status, Error: s.Error,
			})
		}
		list = append(list, c)
	}
	order := func(c Canary) int {
		return slices.IndexFunc(v.Cluster.Nodes, func(n probes.Node) bool { return n.ID == c.Pinned })
	}
	slices.SortStableFunc(list, func(a, b Canary) int { return order(a) - order(b) })
	return list
}

// sessions finds sessions that leave their node, lose their state, or fall back
// to an older one.
func sessions(v *view) []Finding {
	if v.Cluster.Session == nil || v.Cluster.Session.Policy == probes.PolicyNone {
		return nil
	}
	var list []Finding
	policy := v.Cluster.Session.Policy
	drifts, _ := v.moves()
	if len(drifts) > 0 && policy != probes.PolicyShared && len(v.splits()) == 0 {
		list = append(list, v.drift(drifts))
	}
	return append(list, v.losses(policy)...)
}

func (v *view) drift(drifts []move) Finding {
	var nodes, evidence []string
	lost := 0
	for _, n := range v.Cluster.Nodes {
		if slices.ContainsFunc(drifts, func(m move) bool { return m.from == n.ID }) {
			nodes = append(nodes, n.ID)
		}
	}
	for _, m := range drifts {
		if m.fate == probes.FateLost {
			lost++
		}
		evidence = append(evidence, fmt.Sprintf("session %s of %s was answered by %s at %s",
			m.walk.First().Session, m.from, m.to, m.answer.At.UTC().Format("15:04:05.000")))
	}
	f := aboutAll(SessionDrift, Critical, nodes)
	f.Summary = fmt.Sprintf("sessions do not stay on their node: %d of %d follow-ups were answered by another one while it was well", len(drifts), v.followUps())
	if lost > 0 {
		f.Summary += fmt.Sprintf(", and %d of them had lost the session", lost)
	}
	f.Evidence = firstFew(evidence)
	f.Remedy = driftRemedy(v.Cluster.Balancer.Method)
	return f
}

func driftRemedy(m probes.Method) string {
	switch m {
	case probes.MethodIPHash, probes.MethodHash:
		return "The balancer does not do what its configuration says: check that the upstream block has " + string(m) + " and that it was reloaded."
	case probes.MethodCookie:
		return "Check the balancer's sticky cookie or stickysession, and that each node's route is the one in the balancer's file."
	default:
		return "Give the balancer a sticky method (ip_hash, a cookie), or let the nodes share their sessions and set policy: shared."
	}
}

// losses finds sessions whose state was gone, or older, at a follow-up that the
// policy says it must survive.
func (v *view) losses(policy probes.Policy) []Finding {
	lost, back := make(map[string][]string), make(map[string][]string)
	for _, a := range v.answers {
		walk := v.Walks[a.walk]
		home := v.home(walk)
		moved := a.node != "" && home != "" && a.node != home
		if moved && policy == probes.PolicySticky {
			continue // the loss is the drift's, and a failover may lose it
		}
		at := orElse(a.node, home)
		switch walk.Fate(a.step) {
		case probes.FateLost:
			lost[at] = append(lost[at], v.lossEvidence(walk, a, at))
		case probes.FateRolledBack:
			back[at] = append(back[at], fmt.Sprintf("session %s held %s at %s, and had been given %d", walk.First().Session, a.Value, orElse(at, "a node"), a.Counter))
		}
	}
	list := v.lossFindings(SessionLost, lost, "sessions were gone when their client came back",
		"Look for a restart of the node, for sessions that are evicted or expire at once, and whether the session store is the one all nodes use.")
	return append(list, v.lossFindings(SessionRollback, back, "sessions came back with older contents",
		"A node served a stale copy: look at replication (asynchronous, or failing) and at clocks and caches in front of the session store.")...)
}

func (v *view) lossEvidence(w probes.Walk, a answer, at string) string {
	if a.Counter > 0 {
		return fmt.Sprintf("session %s held %d, and %s showed %q", w.First().Session, a.Counter, orElse(at, "the answer"), probes.Clean(a.Value, 32))
	}
	return fmt.Sprintf("session %s came back as %s on %s", w.First().Session, a.Session, orElse(at, "an untold node"))
}

// lossFindings makes one finding of what happened at all nodes.
func (v *view) lossFindings(code Code, at map[string][]string, summary, remedy string) []Finding {
	if len(at) == 0 {
		return nil
	}
	var nodes, evidence []string
	for _, n := range v.Cluster.Nodes {
		if len(at[n.ID]) > 0 {
			nodes = append(nodes, n.ID)
		}
	}
	for _, node := range append(slices.Clone(nodes), "") {
		evidence = append(evidence, at[node]...)
	}
	f := aboutAll(code, Critical, nodes)
	f.Summary = summary
	if len(nodes) > 0 {
		f.Summary += " (" + join(nodes) + ")"
	}
	f.Evidence, f.Remedy = firstFew(evidence), remedy
	return []Finding{f}
}
