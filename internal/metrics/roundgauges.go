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
	success, verdict                  *gaugeVec
	duration, timestamp               *gaugeVec
	nodeUp, nodeState, nodeInRotation *gaugeVec
	nodeInfo, clockOffset             *gaugeVec
	balancerUp, dependencyUp          *gaugeVec
	certificate                       *gaugeVec
	sourceUp, sourceNodes, sourceAt   *gaugeVec
	sticky, shared                    *gaugeVec
	active, explained, affected       *gaugeVec
}

func newRoundGauges(limiter *labelLimiter) *roundGauges {
	return &roundGauges{
		limiter: limiter,
		success: newSeriesVec[gaugeValue](probeSuccess), verdict: newSeriesVec[gaugeValue](verdict),
		duration: newSeriesVec[gaugeValue](roundDuration), timestamp: newSeriesVec[gaugeValue](roundTimestamp),
		nodeUp: newSeriesVec[gaugeValue](nodeUp), nodeState: newSeriesVec[gaugeValue](nodeState), nodeInRotation: newSeriesVec[gaugeValue](nodeInRotation),
		nodeInfo: newSeriesVec[gaugeValue](nodeInfo), clockOffset: newSeriesVec[gaugeValue](clockOffset),
		balancerUp: newSeriesVec[gaugeValue](balancerUp), dependencyUp: newSeriesVec[gaugeValue](dependencyUp),
		certificate: newSeriesVec[gaugeValue](certificateExpiry),
		sourceUp:    newSeriesVec[gaugeValue](discoveryUp), sourceNodes: newSeriesVec[gaugeValue](discoveryNodes), sourceAt: newSeriesVec[gaugeValue](discoveryAnswered),
		sticky: newSeriesVec[gaugeValue](sessionSticky), shared: newSeriesVec[gaugeValue](sessionShared),
		active: newSeriesVec[gaugeValue](findingActive), explained: newSeriesVec[gaugeValue](findingExplained), affected: newSeriesVec[gaugeValue](findingAffected),
	}
}

func (rg *roundGauges) gauges() []*gaugeVec {
	return []*gaugeVec{
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

// newRegistry returns a registry with the gauges of reports, for `probe -o prometheus` and the
// /probe endpoint. Unknown values are absent and not 0.
func newRegistry(reports []checks.Report) *prometheus.Registry {
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
	return promhttp.HandlerFor(newRegistry(reports), promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Write writes reports and watches in the text format of Prometheus, for example for the
// textfile collector of the node exporter.
func Write(w io.Writer, reports []checks.Report, watches []WatchResult) error {
	registry := newRegistry(reports)
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
	rg.success.with(cluster).set(boolValue(ok))
	for _, v := range []checks.Verdict{checks.Healthy, checks.Degraded, checks.Failing, checks.Inconclusive} {
		rg.verdict.with(cluster, string(v)).set(boolValue(v == report.Verdict))
	}
	rg.duration.with(cluster).set(report.Duration.Seconds())
	rg.timestamp.with(cluster).set(unix(report.Started))
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
		rg.balancerUp.with(cluster, u).set(boolValue(!silent[u]))
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
	rg.sourceUp.with(cluster, source).set(boolValue(s.Error == ""))
	rg.sourceNodes.with(cluster, source).set(float64(s.Nodes))
	if !s.Answered.IsZero() {
		rg.sourceAt.with(cluster, source).set(unix(s.Answered))
	}
}

func (rg *roundGauges) addNode(cluster string, n checks.NodeReport) {
	node := rg.limiter.node(cluster, n.Node)
	rg.nodeUp.with(cluster, node).set(boolValue(n.Up))
	setTristate(rg.nodeInRotation, n.InRotation, cluster, node)
	rg.addCertificate(cluster, node, n.Primary.Certificate)
	if n.Clock.Samples > 0 {
		rg.clockOffset.with(cluster, node, "min").set(n.Clock.Min.Seconds())
		rg.clockOffset.with(cluster, node, "max").set(n.Clock.Max.Seconds())
	}
	if version := rg.limiter.limit(cluster, "version", n.Version); version != "" {
		rg.nodeInfo.with(cluster, node, version).set(1)
	}
	if n.Status != nil {
		rg.nodeState.with(cluster, node, "paused").set(boolValue(n.Status.Paused()))
		if state := rg.limiter.limit(cluster, "state", state(n.Status)); state != "" {
			rg.nodeState.with(cluster, node, state).set(1)
		}
	}
}

func (rg *roundGauges) addCertificate(cluster, target string, expires time.Time) {
	if !expires.IsZero() {
		rg.certificate.with(cluster, target).set(unix(expires))
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
		rg.active.with(cluster, at[0], at[1], at[2]).set(1)
		causes[at] = causes[at] || f.ExplainedBy == ""
		affected[at] = affected[at].Worse(f.Affected)
	}
	for at, cause := range causes {
		if !cause {
			rg.explained.with(cluster, at[0], at[1], at[2]).set(1)
		}
	}
	for at, a := range affected {
		if a.Estimated() {
			rg.affected.with(cluster, at[0], at[1], at[2]).set(a.Share)
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

func setTristate(g *gaugeVec, a checks.Tristate, labels ...string) {
	if a == checks.Yes || a == checks.No {
		g.with(labels...).set(boolValue(a == checks.Yes))
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
