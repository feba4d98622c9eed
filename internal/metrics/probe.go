package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stickwatch/checks"
	"stickwatch/probes"
)

// Values of the label probe. Nodes and balancers are probed for their status; a canary's probe
// is its request through the balancer, under the node that holds its session.
const (
	ProbeNode       = string(checks.TargetNode)
	ProbeBalancer   = string(checks.TargetBalancer)
	ProbeDependency = string(checks.TargetDependency)
	ProbeCanary     = string(checks.TargetCanary)
	ProbePage       = "page"
	ProbeSession    = "session" // the session page of a node, probed directly
	ProbeHandshake  = "handshake"
)

var probeNames = []string{
	ProbeNode, ProbeBalancer, ProbeDependency, ProbeCanary, ProbePage, ProbeSession, ProbeHandshake,
}

// probeName returns the value of the label probe.
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

// result returns the value of the label result.
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

// hasLatency reports whether a sample's times are those of a response, and not of a failure.
func hasLatency(s checks.Sample) bool { return s.OK || s.Failure == "" && s.Status != 0 }

// timings are the durations of the phases of probes.
type timings struct{ *durationsVec }

func newTimings() timings { return timings{newSeriesVec[durations](probeDuration)} }

// histogram returns options with classic and native buckets. Native buckets are 19 % wide,
// which bounds the memory of thousands of histograms and is five times finer than the classic
// ones.
func (m Metric) histogram(buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: m.Name, Help: m.Help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.2,
		NativeHistogramMaxBucketNumber:  40,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// observe observes the phases that took place. It also defines the values of the label phase.
func (t timings) observe(phases probes.Timing, cluster, target, probe string) {
	for _, p := range []struct {
		name string
		took time.Duration
	}{
		{"dns", phases.DNS},
		{"connect", phases.Connect},
		{"tls", phases.TLS},
		{"first_byte", phases.FirstByte},
		{"total", phases.Total},
	} {
		if p.took > 0 {
			t.with(cluster, target, probe, p.name).observe(p.took.Seconds())
		}
	}
}

func (t timings) forget(cluster string) { t.delete(prometheus.Labels{"cluster": cleanLabel(cluster)}) }
