package metrics

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A roundGauges contains one round of each cluster as gauges. It has no counters or histograms
// because it has no state.
type roundGauges struct {
	limiter                           *labelLimiter // nil: no limit, for a single round
	success, verdict                  *prometheus.GaugeVec
	duration, timestamp               *prometheus.GaugeVec
	nodeUp, nodeState, nodeInRotation *prometheus.GaugeVec
	nodeInfo, clockOffset             *prometheus.GaugeVec
	balancerUp, dependencyUp          *prometheus.GaugeVec
	certificate                       *prometheus.GaugeVec
	sourceUp, sourceNodes, sourceAt   *prometheus.GaugeVec
	sticky, shared                    *prometheus.GaugeVec
	active, explained, affected       *prometheus.GaugeVec
}

func newRoundGauges(limiter *labelLimiter) *roundGauges {
	return &roundGauges{
		limiter: limiter,
		success: probeSuccess.gauge(), verdict: verdict.gauge(),
		duration: roundDuration.gauge(), timestamp: roundTimestamp.gauge(),
		nodeUp: nodeUp.gauge(), nodeState: nodeState.gauge(), nodeInRotation: nodeInRotation.gauge(),
		nodeInfo: nodeInfo.gauge(), clockOffset: clockOffset.gauge(),
		balancerUp: balancerUp.gauge(), dependencyUp: dependencyUp.gauge(),
		certificate: certificateExpiry.gauge(),
		sourceUp:    discoveryUp.gauge(), sourceNodes: discoveryNodes.gauge(), sourceAt: discoveryAnswered.gauge(),
		sticky: sessionSticky.gauge(), shared: sessionShared.gauge(),
		active: findingActive.gauge(), explained: findingExplained.gauge(), affected: findingAffected.gauge(),
	}
}

func (rg *roundGauges) gauges() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{
		rg.success, rg.verdict, rg.duration, rg.timestamp, rg.nodeUp, rg.nodeState, rg.nodeInRotation, rg.nodeInfo,
		rg.clockOffset, rg.balancerUp, rg.dependencyUp, rg.certificate, rg.sticky, rg.shared, rg.active, rg.explained, rg.affected,
		rg.sourceUp, rg.sourceNodes, rg.sourceAt,
	}
}

// Describe implements prometheus.Collector.
func (rg *roundGauges) Describe(descs chan<- *prometheus.Desc) {
	for _, g := range rg.gauges() {
		g.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (rg *roundGauges) Collect(metrics chan<- prometheus.Metric) {
	for _, g := range rg.gauges() {
		g.Collect(metrics)
	}
}

// Registry returns a registry with the gauges of reports, for `probe -o prometheus` and the
// /probe endpoint. Unknown values are absent and not 0.
func Registry(reports []checks.Report) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	s := newRoundGauges(nil)
	registry.MustRegister(guarded{s})
	for _, r := range reports {
		s.add(r)
	}
	return registry
}

// Handler serves the gauges of reports, as Registry does, for the /probe endpoint.
func Handler(reports []checks.Report) http.Handler {
	return promhttp.HandlerFor(Registry(reports), promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Write writes reports and watches in the text format of Prometheus, for example for the
// textfile collector of the node exporter.
func Write(w io.Writer, reports []checks.Report, watches []WatchResult) error {
	registry := Registry(reports)
	addWatches(registry, watches)
	metricFamilies, err := registry.Gather()
	if err != nil {
		return fmt.Errorf("gathering metrics: %w", err)
	}
	encoder := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range metricFamilies {
		if err := encoder.Encode(f); err != nil {
			return fmt.Errorf("writing metric %q: %w", f.GetName(), err)
		}
	}
	return nil
}

func (rg *roundGauges) add(report checks.Report) {
	cluster := cleanLabel(report.Cluster)
	ok := report.Verdict == checks.Healthy || report.Verdict == checks.Degraded
	rg.success.WithLabelValues(cluster).Set(boolValue(ok))
	for _, v := range []checks.Verdict{checks.Healthy, checks.Degraded, checks.Failing, checks.Inconclusive} {
		rg.verdict.WithLabelValues(cluster, string(v)).Set(boolValue(v == report.Verdict))
	}
	rg.duration.WithLabelValues(cluster).Set(report.Duration.Seconds())
	rg.timestamp.WithLabelValues(cluster).Set(unix(report.Started))
	setTristate(rg.sticky, report.Session.Sticky, cluster)
	setTristate(rg.shared, report.Session.Shared, cluster)

	rg.addBalancers(cluster, report.Balancers)
	rg.addSource(cluster, report.Source)
	for _, n := range report.Nodes {
		rg.addNode(cluster, n)
	}
	for _, d := range report.Dependencies {
		setTristate(rg.dependencyUp, d.Up, cluster, rg.limiter.limit(cluster, "dependency", d.Name))
	}
	rg.addFindings(cluster, report.Findings)
}

func (rg *roundGauges) addBalancers(cluster string, balancers []probes.BalancerObservation) {
	silent := make(map[string]bool) // by URL, which may have several addresses
	expiry := make(map[string]time.Time)
	for _, b := range balancers {
		u := rg.limiter.limit(cluster, "balancer", b.URL)
		silent[u] = silent[u] || !b.Primary.Answered()
		rg.balancerUp.WithLabelValues(cluster, u).Set(boolValue(!silent[u]))
		if at := b.Primary.Certificate; expiry[u].IsZero() || !at.IsZero() && at.Before(expiry[u]) {
			expiry[u] = at
		}
		rg.addCertificate(cluster, u, expiry[u])
	}
}

func (rg *roundGauges) addSource(cluster string, s probes.SourceState) {
	if s.Name == "" {
		return
	}
	source := rg.limiter.limit(cluster, "source", s.Name)
	rg.sourceUp.WithLabelValues(cluster, source).Set(boolValue(s.Error == ""))
	rg.sourceNodes.WithLabelValues(cluster, source).Set(float64(s.Nodes))
	if !s.Answered.IsZero() {
		rg.sourceAt.WithLabelValues(cluster, source).Set(unix(s.Answered))
	}
}

func (rg *roundGauges) addNode(cluster string, n checks.NodeReport) {
	node := rg.limiter.node(cluster, n.Node)
	rg.nodeUp.WithLabelValues(cluster, node).Set(boolValue(n.Up))
	setTristate(rg.nodeInRotation, n.InRotation, cluster, node)
	rg.addCertificate(cluster, node, n.Primary.Certificate)
	if n.Clock.Samples > 0 {
		rg.clockOffset.WithLabelValues(cluster, node, "min").Set(n.Clock.Min.Seconds())
		rg.clockOffset.WithLabelValues(cluster, node, "max").Set(n.Clock.Max.Seconds())
	}
	if version := rg.limiter.limit(cluster, "version", n.Version); version != "" {
		rg.nodeInfo.WithLabelValues(cluster, node, version).Set(1)
	}
	if n.Status != nil {
		rg.nodeState.WithLabelValues(cluster, node, "paused").Set(boolValue(n.Status.Paused()))
		if state := rg.limiter.limit(cluster, "state", state(n.Status)); state != "" {
			rg.nodeState.WithLabelValues(cluster, node, state).Set(1)
		}
	}
}

func (rg *roundGauges) addCertificate(cluster, target string, expires time.Time) {
	if !expires.IsZero() {
		rg.certificate.WithLabelValues(cluster, target).Set(unix(expires))
	}
}

// addFindings sets one series for all findings that differ only in their target. It counts as
// explained if all of them are, and has the largest share of affected clients.
func (rg *roundGauges) addFindings(cluster string, findings []checks.Finding) {
	type series [3]string
	causes := make(map[series]bool)
	affected := make(map[series]checks.Affected)
	for _, f := range findings {
		at := series{string(f.Code), string(f.Severity), rg.limiter.node(cluster, f.Node)}
		rg.active.WithLabelValues(cluster, at[0], at[1], at[2]).Set(1)
		causes[at] = causes[at] || f.ExplainedBy == ""
		affected[at] = affected[at].Worse(f.Affected)
	}
	for at, cause := range causes {
		if !cause {
			rg.explained.WithLabelValues(cluster, at[0], at[1], at[2]).Set(1)
		}
	}
	for at, a := range affected {
		if a.Estimated() {
			rg.affected.WithLabelValues(cluster, at[0], at[1], at[2]).Set(a.Share)
		}
	}
}

// state returns the state of a node as an enumerable value. A paused node with any reason is
// "paused".
func state(s *probes.StatusReport) string {
	if s.Paused() {
		return "paused"
	}
	return strings.ToLower(cleanLabel(s.State))
}

func setTristate(g *prometheus.GaugeVec, a checks.Tristate, labels ...string) {
	if a == checks.Yes || a == checks.No {
		g.WithLabelValues(labels...).Set(boolValue(a == checks.Yes))
	}
}

// unix converts a time to seconds since 1970.
func unix(at time.Time) float64 { return float64(at.UnixMilli()) / 1e3 }

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
