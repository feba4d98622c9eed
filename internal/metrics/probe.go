package metrics

import (
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// What a probe asked for: the values of the label probe. A node and a balancer
// are asked for whatever tells whether they are up; a canary's probe is its
// request through the balancer, under the node that holds its session.
const (
	ProbeNode       = string(checks.TargetNode)
	ProbeBalancer   = string(checks.TargetBalancer)
	ProbeDependency = string(checks.TargetDependency)
	ProbeCanary     = string(checks.TargetCanary)
	ProbePage       = "page"
	ProbeSession    = "session" // the session page of a node, directly
	ProbeHandshake  = "handshake"
)

var probeNames = []string{
	ProbeNode, ProbeBalancer, ProbeDependency, ProbeCanary, ProbePage, ProbeSession, ProbeHandshake,
}

// probeName is the value of the label probe.
func probeName(name string, kind checks.TargetKind) string {
	if name == "" {
		name = string(kind)
	}
	if !slices.Contains(probeNames, name) {
		return other
	}
	return name
}

var failures = []probes.Failure{
	probes.FailureDNS, probes.FailureRefused, probes.FailureUnreachable, probes.FailureReset, probes.FailureTimeout,
	probes.FailureTLS, probes.FailureMalformed, probes.FailureRedirect, probes.FailureCancelled, probes.FailureProber,
}

// result is the value of the label result.
func result(s checks.Sample) string {
	switch {
	case s.OK:
		return "ok"
	case slices.Contains(failures, s.Failure):
		return string(s.Failure)
	case s.Failure == "" && s.Status != 0:
		return "bad_status"
	default:
		return other
	}
}

// answered reports whether a sample's times mean something: how long an answer
// took rather than how long there was none.
func hasLatency(s checks.Sample) bool { return s.OK || s.Failure == "" && s.Status != 0 }
