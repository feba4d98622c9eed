package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// A Round is everything that was observed of a cluster in one round. Judge needs
// nothing else: no clock, no network.
type Round struct {
	Cluster  *probes.Cluster
	Started  time.Time
	Duration time.Duration

	Confidence    float64 // confidence to which chance must be excluded, below 1; 0: DefaultConfidence
	ExpectVersion string  // that every node must run; "": any
	Ignore        []Code  // codes of findings that are dropped

	Every time.Duration // interval at which canaries send requests between rounds; 0: they send none
	Past  *Timelines    // knowledge from earlier rounds; nil: this is a single round

	Balancers      []probes.BalancerObservation
	Nodes          []probes.NodeObservation // in the order of Cluster.Nodes
	NodesFirst     []probes.NodeObservation // the first ones of the nodes that a long round has asked again
	Traces         []probes.Trace           // of canaries and of new clients, whose traces have one request
	FailoverChecks []probes.FailoverCheck
	AddressChecks  []probes.AddressCheck
	AcceptsAnyID   bool                // a node accepted a session id that no server had issued
	OwnerChecks    []probes.OwnerCheck // of sessions that were lost, or answered by another node
	Handshakes     []probes.HandshakeObservation
	Dependencies   []probes.DependencyObservation
	Source         probes.SourceState           // of the nodes; zero: they are all in the configuration
	Login          probes.LoginStatus           // zero: clients need not log in, or none has
	Limited        bool                         // a limit of the balancer refused requests at first, because stickwatch sent many
	Evidence       []probes.EvidenceObservation // what the balancer itself reports, read after everything else

	// Void is why the observations are no evidence: stickwatch itself could not probe. Its zero
	// value: they are. The report is inconclusive.
	Void Message
}

// past returns the knowledge of earlier rounds; an empty Timelines for a single round.
func (r *Round) past() Timelines {
	if r.Past == nil {
		return Timelines{}
	}
	return *r.Past
}

// policy returns the session policy of the cluster; PolicyNone without a session
// test.
func (r *Round) policy() probes.Policy {
	if r.Cluster.Session == nil {
		return probes.PolicyNone
	}
	return r.Cluster.Session.Policy
}

// index returns the position of a node in the configuration; -1 if it is not listed.
func (r *Round) index(id string) int {
	return slices.IndexFunc(r.Cluster.Nodes, func(n probes.Node) bool { return n.ID == id })
}

// nodesWhere returns the ids of the nodes for which fits is true, in configuration
// order.
func (r *Round) nodesWhere(fits func(id string) bool) []string {
	var ids []string
	for _, n := range r.Cluster.Nodes {
		if fits(n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// inOrder returns one observation for each node of the cluster, in configuration
// order. A node that was not asked has an empty one.
func (r *Round) inOrder() []probes.NodeObservation {
	list := make([]probes.NodeObservation, len(r.Cluster.Nodes))
	for i, n := range r.Cluster.Nodes {
		list[i].Node = n.ID
		if at := slices.IndexFunc(r.Nodes, func(o probes.NodeObservation) bool { return o.Node == n.ID }); at >= 0 {
			list[i] = r.Nodes[at]
		}
	}
	return list
}

// firstEvidence returns the time of the earliest evidence for a finding that was observed in
// the round, which may be much later than its start. Evidence without a time is what its nodes answered
// directly. Zero: it names no node either.
func (r *Round) firstEvidence(f Finding) (first time.Time) {
	add := func(at time.Time) {
		future := r.Duration > 0 && at.After(r.Started.Add(r.Duration)) // such as the end of a certificate
		if !at.Before(r.Started) && !future && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, evidence := range f.Evidence {
		for e := &evidence; e != nil; e = e.Args.Why {
			add(e.Args.At)
		}
	}
	if !first.IsZero() {
		return first
	}
	for _, o := range r.Nodes {
		if slices.Contains(f.Nodes, o.Node) {
			add(o.Primary.At)
		}
	}
	return first
}
