package checks

import (
	"math"
	"net/netip"
	"slices"

	"stickwatch/checks/evidence"
	"stickwatch/probes"
)

// A rotationState says whether the balancer sends a node new clients, and why that is
// believed.
type rotationState struct {
	In     Tristate
	Reason Message
	Proof  proofKind // the kind of proof that Reason is, if the node is out
	// ProvenOut is true if the node is out, should be in, and the reason is proof.
	ProvenOut bool
	// OutAt lists the frontends that surely leave out a node which is in rotation
	// at others.
	OutAt []frontendRotation
}

// rotation is the third stage: which nodes the balancer sends new clients.
type rotation struct {
	round    *Round
	nodes    *nodeStates
	outcomes *outcomes

	states map[string]rotationState // by node id
}

// findRotation returns the third stage of a round.
func findRotation(oc *outcomes) *rotation {
	rot := &rotation{round: oc.round, nodes: oc.nodes, outcomes: oc, states: make(map[string]rotationState)}
	for _, n := range rot.round.Cluster.Nodes {
		rot.states[n.ID] = rot.rotationState(n)
	}
	return rot
}

// A frontendRotation is a frontend that sends a node no clients, while others do.
type frontendRotation struct {
	frontend string
	rotationState
}

// A proofKind is a way to know that a node is out. If the balancer's evidence
// contradicts the other two, the state is unknown.
type proofKind = MessageID

const (
	byHash     proofKind = MsgByHash
	byClients  proofKind = MsgByClients
	byBalancer proofKind = MsgByBalancer
)

// withProof puts the kind of proof before a reason.
func withProof(by proofKind, words Message) Message {
	if by == "" {
		return words
	}
	return msg(by, Args{Why: &words})
}

func unknown(reason MessageID, args Args) rotationState {
	return rotationState{In: Unknown, Reason: msg(reason, args)}
}

// rotationState returns the state of one node and, if it is in rotation, the
// frontends at which it is out.
func (rot *rotation) rotationState(n probes.Node) rotationState {
	whole := rot.nodes.weighEvidence(n, rot.rotationByTraffic(n, rot.outcomes.traffic))
	if whole.In != Yes || len(rot.outcomes.frontends) < 2 {
		return whole
	}
	for _, front := range rot.outcomes.frontends {
		if p := rot.rotationByTraffic(n, front.traffic); p.ProvenOut {
			whole.OutAt = append(whole.OutAt, frontendRotation{front.name, p})
			whole.Reason.Args.Addresses = append(whole.Reason.Args.Addresses, front.name)
		}
	}
	return whole
}

// rotationByTraffic returns the state of a node by some traffic. An answer of the
// node proves that it is in rotation. The lack of one proves that it is out only
// against a computed target or against chance.
func (rot *rotation) rotationByTraffic(node probes.Node, t traffic) rotationState {
	labelled := t.labelledAnswers()
	if given := t.answersFrom(node.ID); given > 0 {
		return rotationState{In: Yes, Reason: msg(MsgGave, Args{Count: given, Of: labelled})}
	}
	switch {
	case node.Down:
		return rotationState{In: No, Reason: msg(MsgMarkedDown, Args{})}
	case node.Backup:
		return unknown(MsgIsBackup, Args{})
	case labelled == 0:
		return unknown(MsgNoneSigned, Args{})
	case rot.nodes.identity.Ambiguous(rot.nodes.direct[node.ID].Label):
		return unknown(MsgSameLabel, Args{})
	case rot.nodes.identity.reported[node.ID] == "" && t.newClients()[""] > 0:
		return unknown(MsgNameNotReported, Args{})
	case !rot.nodes.up[node.ID]:
		return unknown(MsgRetryWouldHide, Args{})
	case t.targeted(node.ID):
		return rot.rotationByHash(node, t)
	case rot.round.answeredOwnAddressBefore(node):
		return rot.rotationByOwnAddress(node, t)
	case t.holdsPinned(node.ID):
		return unknown(MsgHoldsItsClients, Args{})
	default:
		return rot.rotationBySample(node, t)
	}
}

// rotationBySample returns the state of a node that no new client met. Two
// independent samples of the size that one test needs must miss it, because one
// sample alone is wrong once in a thousand rounds. Clients that unlisted nodes
// answered do not count: their share is not known.
func (rot *rotation) rotationBySample(n probes.Node, t traffic) rotationState {
	clients, scatters := rot.independent(t)
	share := Share(n, Eligible(rot.round.Cluster, nil))
	need := ClientsToMiss(rot.round.Cluster, n, rot.round.Confidence)
	switch method := rot.round.Cluster.Balancer.Method; {
	case rot.round.Cluster.Balancer.HashesClients():
		return unknown(MsgOneClientOneNode, Args{})
	case method == probes.MethodUnknown && !scatters:
		return unknown(MsgAllMetOne, Args{})
	case method == probes.MethodLeastConn:
		return unknown(MsgLeastConn, Args{})
	case clients < need:
		return unknown(MsgTooFewMissed, Args{Count: clients, Of: need})
	}
	return rotationState{In: No, ProvenOut: true, Proof: byClients, Reason: msg(MsgNoneMet, Args{
		Count: clients, Rate: min(1/math.Pow(1-share, float64(clients)), mostRounds),
	})}
}

// mostRounds bounds how rare a chance is called, which may be impossible.
const mostRounds = 1e9

// skewed reports whether so many clients at one address met the same node that they
// cannot have been drawn independently. A stick table then directs our address, and
// some clients came before its entry was written.
func (ns *nodeStates) skewed(met map[nodeAtAddress]int, at netip.AddrPort) bool {
	most, all := 0, 0
	for s, count := range met {
		if s.at == at {
			most, all = max(most, count), all+count
		}
	}
	share := max(largestShare(ns.eligible), 0.5)
	return all > 0 && float64(all)*math.Log(share)+float64(all-most)*math.Log(float64(all)) < math.Log(1-DefaultConfidence)
}

// independent counts the new clients of listed nodes that were each placed
// independently. If the method is not known, a frontend whose clients all met one
// node may hash our address, so that its clients do not count, unless they have several addresses and
// such clients have met several nodes before. scatters reports whether some frontend sends clients to several nodes.
func (rot *rotation) independent(t traffic) (clients int, scatters bool) {
	byFrontend := make(map[nodeAtAddress]int)
	nodes := make(map[netip.AddrPort]int)
	for _, tr := range t.traces {
		if first := tr.First(); tr.Continued || !first.OK() || tr.firstListed == "" {
			continue
		}
		s := nodeAtAddress{tr.firstListed, tr.Balancer}
		if byFrontend[s]++; byFrontend[s] == 1 {
			nodes[tr.Balancer]++
		}
	}
	scattersBefore := rot.round.past().Balancer.Scatters && t.severalAddresses()
	for s, count := range byFrontend {
		several := nodes[s.at] > 1 && !rot.nodes.skewed(byFrontend, s.at) || nodes[s.at] == 1 && scattersBefore
		scatters = scatters || several
		if several || rot.round.Cluster.Balancer.Method != probes.MethodUnknown {
			clients += count
		}
	}
	return clients, scatters
}

// severalAddresses reports whether new clients had different addresses.
func (t traffic) severalAddresses() bool {
	addresses := make(map[string]bool)
	for _, tr := range t.traces {
		if !tr.Continued && tr.First().OK() {
			addresses[tr.Client] = true
		}
	}
	return len(addresses) > 1
}

// records returns the balancer's evidence records about n.
func (ns *nodeStates) records(n probes.Node) []evidence.Record {
	return ns.matcher.Records(n, ns.round.Evidence)
}

// recordedAs reports whether the balancer reports n in one of some states. In maintenance or while it is drained,
// an operator or the configuration keeps clients away, and the balancer does not take n back by itself.
func (ns *nodeStates) recordedAs(n probes.Node, states ...probes.ServerState) bool {
	return slices.ContainsFunc(ns.records(n), func(r evidence.Record) bool { return slices.Contains(states, r.State) })
}

// recorded returns a record as a message.
func recorded(r evidence.Record) Message {
	if r.Kind == probes.EvidenceNginxErrorLog && r.State == probes.ServerUp {
		return msg(MsgNoEjectionNow, Args{Name: r.Source, Server: r.Server})
	}
	return msg(MsgServerState, Args{Name: r.Source, Server: r.Server, State: string(r.State), Since: r.Since, Reason: r.Detail})
}

// weighEvidence compares the observed state of a node with the balancer's evidence.
// An answer of the node outweighs any record. If the node was not met, the records
// decide. If a record contradicts a proof, the state is unknown.
func (ns *nodeStates) weighEvidence(n probes.Node, seen rotationState) rotationState {
	if seen.In == Yes || n.Down {
		return seen
	}
	for _, r := range ns.records(n) {
		switch {
		case r.Out() && !seen.ProvenOut:
			seen = rotationState{In: No, ProvenOut: true, Proof: byBalancer, Reason: recorded(r)}
		case r.In() && seen.ProvenOut:
			return unknown(MsgContradiction, Args{Why: &seen.Reason, But: new(recorded(r))})
		}
	}
	return seen
}

// evidenceRecords lists further evidence about a node that is out: the balancer's
// records other than the given reason, and why a source that does not mention the
// node proves nothing.
func evidenceRecords(ns *nodeStates, n probes.Node, given Message) []Message {
	var lines []Message
	for _, r := range ns.records(n) {
		if said := recorded(r); said.String() != given.String() {
			lines = append(lines, withProof(byBalancer, said))
		}
	}
	for _, o := range ns.round.Evidence {
		if o.Error == "" && o.NoAbsence != "" {
			lines = append(lines, msg(MsgSourceSilent, Args{Name: o.Source, Reason: o.NoAbsence}))
		}
	}
	return lines
}
