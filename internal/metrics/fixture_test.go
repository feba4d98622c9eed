package metrics

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// fixture returns metrics of every kind: a shop with problems, and a blog without
// observations.
func fixture() *Live {
	l := New(Build{Version: "1.2.3", Revision: "0f3a9c1"})
	now := time.Now()
	l.Reloaded(now.Add(-time.Hour), nil)
	l.Heartbeat(true)
	l.Fleet(3, []string{"shop"}, 1, false)
	l.ClockAhead(1500 * time.Millisecond)
	l.Receivers([]string{"ops", "hook"})
	for _, r := range reports() {
		l.Observe(r)
	}
	l.Canaries("shop", map[string]time.Time{"node1": now.Add(-time.Hour), "node2": now.Add(-90 * time.Second)})
	fixtureSamples(l, now)

	l.Move(checks.Move{Cluster: "shop", From: "node1", To: "node2", Kept: true})
	l.Move(checks.Move{Cluster: "shop", From: "node1", To: "node2"})
	l.Move(checks.Move{Cluster: "shop", From: "node2", To: `"stranger"`})
	fixtureRequests(l, now)
	l.Incident("shop", checks.BalancerDown)
	l.Incidents([]alerting.Incident{
		{Cluster: "shop", State: alerting.Firing, Severity: checks.Critical},
		{Cluster: "shop", State: alerting.Pending, Severity: checks.Warning},
	})
	l.Deployments([]checks.Deployment{
		{Cluster: "shop", Name: "12.3.5", Span: checks.Span{From: now}},
		{Cluster: "shop", Name: "12.3.5", Span: checks.Span{From: now}}, // announced twice
		{Cluster: "shop", Name: "12.3.4", Span: checks.Span{From: now.Add(-time.Hour), To: now}},
	})
	l.Notified("ops", Delivered)
	l.Notified("ops", Retried)
	l.Notified("hook", Dead)
	l.Queued(2)
	l.LogDropped(func() int64 { return 3 })
	l.Skipped("shop", "pages")
	l.Lag(3 * time.Millisecond)
	l.Lag(40 * time.Millisecond)
	return l
}

func fixtureSamples(l *Live, now time.Time) {
	const frontend = "http://10.0.0.9 (10.0.0.9:80)"
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	phases := probes.Timing{DNS: ms(1), Connect: ms(2), TLS: ms(5), FirstByte: ms(20), Total: ms(30)}
	for _, s := range []struct {
		kind   checks.TargetKind
		name   string
		probe  string
		phases probes.Timing
	}{
		{checks.TargetNode, "node1", "", phases},
		{checks.TargetNode, "node2", "", phases},
		{checks.TargetNode, "node1", ProbePage, phases},
		{checks.TargetNode, "node1", ProbeHandshake, probes.Timing{}},
		{checks.TargetBalancer, frontend, "", phases},
		{checks.TargetCanary, "node1", "", phases},
		{checks.TargetCanary, "node2", "", phases},
		{checks.TargetDependency, "Redis Server", "", probes.Timing{}},
	} {
		target := checks.Target{Cluster: "shop", Kind: s.kind, Name: s.name}
		l.Sample(checks.Sample{Target: target, At: now, OK: true, Status: 200, Latency: ms(4)}, s.phases, s.probe)
		l.Sample(checks.Sample{Target: target, At: now, Status: 503, Latency: ms(3)}, s.phases, s.probe)
		l.Sample(checks.Sample{Target: target, At: now, Failure: probes.FailureTimeout, Latency: time.Second}, s.phases, s.probe)
		l.Sample(checks.Sample{Target: target, At: now, Failure: probes.FailureCancelled}, s.phases, s.probe)
	}
}

// fixtureRequests counts a client request of each outcome at node1, and one at an unknown
// node.
func fixtureRequests(l *Live, now time.Time) {
	const balancer = "http://10.0.0.9 (10.0.0.9:80)"
	for _, o := range checks.Outcomes {
		l.Request(checks.Request{Cluster: "shop", Balancer: balancer, Node: "node1", At: now, Outcome: o})
	}
	l.Request(checks.Request{Cluster: "shop", Balancer: balancer, Node: "node2", At: now, Outcome: checks.OutcomeServed})
	l.Request(checks.Request{Cluster: "shop", Balancer: balancer, Node: "node2", At: now, Outcome: checks.OutcomeServed})
	l.Request(checks.Request{Cluster: "shop", Balancer: balancer, At: now, Outcome: checks.OutcomeError})
}

var errBadFile = errors.New("line 3: unknown key")

// seriesOf iterates over the series of a collector.
func seriesOf(c prometheus.Collector) func(yield func(*dto.Metric) bool) {
	return func(yield func(*dto.Metric) bool) {
		metrics := make(chan prometheus.Metric)
		panics.Go(panics.Metrics, func() {
			defer close(metrics)
			c.Collect(metrics)
		})
		going := true
		for m := range metrics { // drain the channel: Collect holds a lock until then
			var d dto.Metric
			if going && m.Write(&d) == nil {
				going = yield(&d)
			}
		}
	}
}

// values returns the label values of a series in the order of the metric's labels.
func (m Metric) values(d *dto.Metric) []string {
	values := make([]string, len(m.Labels))
	for _, pair := range d.GetLabel() {
		values[slices.Index(m.Labels, pair.GetName())] = pair.GetValue()
	}
	return values
}
