package checks

import (
	"time"

	"stickwatch/probes"
)

// A Round is everything seen of a cluster in one go. Judging it needs nothing
// else: no clock, no network.
type Round struct {
	Cluster  *probes.Cluster
	Started  time.Time
	Duration time.Duration

	Confidence    float64 // by which chance must be excluded, below 1; 0: DefaultConfidence
	ExpectVersion string  // every node must run it; "": any
	Ignore        []Code  // findings of these codes are not made

	Every time.Duration // at which canaries come back between rounds; 0: they do not
	Past  *History      // what earlier rounds knew; nil: this is a single picture

	Balancers      []probes.BalancerObservation
	Nodes          []probes.NodeObservation // as Cluster.Nodes
	Traces         []probes.Trace           // canaries and fresh clients alike: a fresh client is a walk of one step
	FailoverChecks []probes.FailoverCheck
	AcceptsAnyID   bool                // a node went on with a session id that nobody had issued
	OwnerChecks    []probes.OwnerCheck // of sessions that were lost, or answered by another node
	Handshakes     []probes.HandshakeObservation
	Dependencies   []probes.DependencyObservation
	Evidence       []probes.EvidenceObservation // what the balancer itself told, after all the rest
}
