// Package metrics is what Prometheus sees of clusters.
package metrics

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"stickwatch/checks"
	"stickwatch/probes"
)

// maxLabel bounds the value of a label, in characters: some are what a target
// says of itself.
const maxLabel = 128

// A snapshot is one round of each cluster as gauges. Nothing in it counts or
// remembers, so it has no counters and no histograms.
type snapshot struct {
	success, duration, timestamp      *prometheus.GaugeVec
	nodeUp, nodeState, nodeInRotation *prometheus.GaugeVec
	balancerUp, dependencyUp          *prometheus.GaugeVec
	clockOffset, sticky               *prometheus.GaugeVec
	findingActive                     *prometheus.GaugeVec
}

// Registry returns a registry that holds what reports tell: the metrics of
// `probe -o prometheus` and of the /probe endpoint. What a report does not know
// is absent rather than 0.
func Registry(reports []checks.Report) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	s := newSnapshot(registry)
	for _, r := range reports {
		s.add(r)
	}
	return registry
}

// Write writes what reports tell in the text format of Prometheus, as the
// textfile collector of the node exporter reads it.
func Write(w io.Writer, reports []checks.Report) error {
	families, err := Registry(reports).Gather()
	if err != nil {
		return fmt.Errorf("gathering metrics: %w", err)
	}
	encoder := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return fmt.Errorf("writing metric %q: %w", f.GetName(), err)
		}
	}
	return nil
}

func newSnapshot(registry *prometheus.Registry) *snapshot {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "stickwatch", Name: name, Help: help},
			append([]string{"cluster"}, labels...))
		registry.MustRegister(g)
		return g
	}
	return &snapshot{
		success:        gauge("probe_success", "Whether the picture could be taken and nothing critical was found."),
		duration:       gauge("round_duration_seconds", "How long the last round took."),
		timestamp:      gauge("round_timestamp_seconds", "When the last round began, as a Unix time."),
		balancerUp:     gauge("balancer_up", "Whether every address of the balancer gives an HTTP answer.", "balancer"),
		nodeUp:         gauge("node_up", "Whether the node answers when asked directly.", "node"),
		nodeState:      gauge("node_state", "1 for the state the node gives itself, 0 for paused when it is not.", "node", "state"),
		nodeInRotation: gauge("node_in_rotation", "Whether the balancer sends the node requests; absent when unknown.", "node"),
		clockOffset:    gauge("clock_offset_seconds", "Bounds of the difference between the node's clock and ours.", "node", "bound"),
		dependencyUp:   gauge("dependency_up", "Whether the dependency works; absent when unknown.", "dependency"),
		sticky:         gauge("session_sticky", "Whether sessions stay on their node; absent when unknown."),
		findingActive:  gauge("finding_active", "1 for each finding that holds.", "code", "severity", "node"),
	}
}

func (s *snapshot) add(r checks.Report) {
	cluster := label(r.Cluster)
	ok := r.Verdict == checks.Healthy || r.Verdict == checks.Degraded
	s.success.WithLabelValues(cluster).Set(number(ok))
	s.duration.WithLabelValues(cluster).Set(r.Duration.Seconds())
	s.timestamp.WithLabelValues(cluster).Set(float64(r.Started.UnixMilli()) / 1e3)
	setAnswer(s.sticky, r.Session.Sticky, cluster)

	silent := map[string]bool{} // by URL; a URL may stand for several addresses
	for _, b := range r.Balancers {
		u := label(b.URL)
		silent[u] = silent[u] || !b.Primary.Answered()
		s.balancerUp.WithLabelValues(cluster, u).Set(number(!silent[u]))
	}
	for _, n := range r.Nodes {
		s.addNode(cluster, n)
	}
	for _, d := range r.Dependencies {
		setAnswer(s.dependencyUp, d.Up, cluster, label(d.Name))
	}
	for _, f := range r.Findings {
		s.findingActive.WithLabelValues(cluster, string(f.Code), string(f.Severity), label(f.Node)).Set(1)
	}
}

func (s *snapshot) addNode(cluster string, n checks.NodeReport) {
	node := label(n.Node)
	s.nodeUp.WithLabelValues(cluster, node).Set(number(n.Up))
	setAnswer(s.nodeInRotation, n.InRotation, cluster, node)
	if n.Clock.Samples > 0 {
		s.clockOffset.WithLabelValues(cluster, node, "min").Set(n.Clock.Min.Seconds())
		s.clockOffset.WithLabelValues(cluster, node, "max").Set(n.Clock.Max.Seconds())
	}
	if n.Status != nil {
		s.nodeState.WithLabelValues(cluster, node, "paused").Set(number(n.Status.Paused()))
		if state := state(n.Status); state != "" {
			s.nodeState.WithLabelValues(cluster, node, state).Set(1)
		}
	}
}

// state is the node's own word for its state, so that it can be compared. One
// that is paused for a reason, whatever it calls that, is told as paused.
func state(s *probes.StatusReport) string {
	if s.Paused() {
		return "paused"
	}
	return strings.ToLower(label(s.State))
}

func setAnswer(g *prometheus.GaugeVec, a checks.Answer, labels ...string) {
	if a == checks.Yes || a == checks.No {
		g.WithLabelValues(labels...).Set(number(a == checks.Yes))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// label is s fit for the value of a label: valid UTF-8, else the client
// panics; without control characters, which the text format passes on to
// whatever terminal shows it.
func label(s string) string {
	var b strings.Builder
	left := maxLabel
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if !unicode.IsPrint(r) {
			continue
		}
		if left--; left < 0 {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
