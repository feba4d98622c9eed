package metrics

import (
	"encoding/json"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// counters are the metrics that survive a restart.
type counters struct {
	limiter       *labelLimiter
	probes, moves *prometheus.CounterVec
	requests      *prometheus.CounterVec
	incidents     *prometheus.CounterVec
	notifications *prometheus.CounterVec
	skipped       *prometheus.CounterVec
}

func newCounters(limiter *labelLimiter) counters {
	return counters{
		limiter:       limiter,
		probes:        probesTotal.counter(),
		moves:         sessionMoves.counter(),
		requests:      clientRequests.counter(),
		incidents:     incidentsTotal.counter(),
		notifications: notificationsTotal.counter(),
		skipped:       jobsSkipped.counter(),
	}
}

// A metricFamily is a counter under the name that is saved.
type metricFamily struct {
	Metric
	vec *prometheus.CounterVec
}

func (c counters) metricFamilies() []metricFamily {
	return []metricFamily{
		{probesTotal, c.probes},
		{sessionMoves, c.moves},
		{clientRequests, c.requests},
		{incidentsTotal, c.incidents},
		{notificationsTotal, c.notifications},
		{jobsSkipped, c.skipped},
	}
}

// Describe implements prometheus.Collector.
func (c counters) Describe(descs chan<- *prometheus.Desc) {
	for _, f := range c.metricFamilies() {
		f.vec.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (c counters) Collect(metrics chan<- prometheus.Metric) {
	for _, f := range c.metricFamilies() {
		f.vec.Collect(metrics)
	}
}

// maxPairs is the maximum number of nodes for which moves between all pairs start at 0.
const maxPairs = 12

// initialize creates the series whose first increase matters for alerts: Prometheus sees no
// increase in a series that begins with 1.
func (c counters) initialize(r checks.Report) {
	cluster := cleanLabel(r.Cluster)
	for _, e := range checks.Catalogue {
		c.incidents.WithLabelValues(cluster, string(e.Code))
	}
	if len(r.Nodes) > maxPairs {
		return
	}
	for _, from := range r.Nodes {
		for _, to := range r.Nodes {
			if from.Node == to.Node {
				continue
			}
			for _, outcome := range []string{"kept", "lost"} {
				c.moves.WithLabelValues(cluster, c.limiter.node(cluster, from.Node), c.limiter.node(cluster, to.Node), outcome)
			}
		}
	}
}

// request counts a request. It creates every outcome of its client at 0, so that the first
// error is an increase.
func (c counters) request(r checks.Request) {
	cluster := cleanLabel(r.Cluster)
	balancer, node := c.limiter.limit(r.Cluster, "balancer", r.Balancer), c.limiter.node(r.Cluster, r.Node)
	for _, o := range checks.Outcomes {
		c.requests.WithLabelValues(cluster, balancer, node, string(o))
	}
	outcome := string(r.Outcome)
	if !slices.Contains(checks.Outcomes, r.Outcome) {
		outcome = other
	}
	c.requests.WithLabelValues(cluster, balancer, node, outcome).Inc()
}

// retain drops the counters of nodes that left a cluster.
func (c counters) retain(cluster string, nodes []string) {
	kept := []string{"", other}
	for _, n := range nodes {
		kept = append(kept, c.limiter.node(cluster, n))
	}
	var gone []string
	for m := range seriesOf(c.requests) {
		values := clientRequests.values(m)
		if node := values[slices.Index(clientRequests.Labels, "node")]; values[0] == cleanLabel(cluster) && !slices.Contains(kept, node) {
			gone = append(gone, node)
		}
	}
	for _, node := range gone {
		c.requests.DeletePartialMatch(prometheus.Labels{"cluster": cleanLabel(cluster), "node": node})
	}
}

func (c counters) forget(cluster string) {
	for _, f := range c.metricFamilies() {
		forget(f.vec.MetricVec, cluster)
	}
}

// forget drops the series of a cluster.
func forget(vec *prometheus.MetricVec, cluster string) {
	vec.DeletePartialMatch(prometheus.Labels{"cluster": cleanLabel(cluster)})
}

// save returns every counter above 0 by its name and labels. The key is a JSON array, which
// handles quoting: ["stickwatch_incidents_total","shop","node_down"].
func (c counters) save() map[string]float64 {
	saved := make(map[string]float64)
	for _, f := range c.metricFamilies() {
		for m := range seriesOf(f.vec) {
			key, err := json.Marshal(append([]string{f.Name}, f.values(m)...))
			if n := m.GetCounter().GetValue(); err == nil && n > 0 {
				saved[string(key)] = n
			}
		}
	}
	return saved
}

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

func (c counters) restore(saved map[string]float64, clusters []string) {
	watched := make(map[string]bool)
	for _, name := range clusters {
		watched[cleanLabel(name)] = true
	}
	for key, value := range saved {
		var parts []string
		if json.Unmarshal([]byte(key), &parts) != nil || len(parts) == 0 || !(value >= 0) {
			continue
		}
		for _, f := range c.metricFamilies() {
			if f.Name == parts[0] && len(f.Labels) == len(parts)-1 {
				c.add(f, parts[1:], value, watched)
			}
		}
	}
}

// add restores a counter through the label limiter; otherwise each restart would raise its
// limits.
func (c counters) add(f metricFamily, values []string, value float64, watched map[string]bool) {
	cluster := ""
	for i, name := range f.Labels {
		switch name {
		case "cluster":
			if cluster = values[i]; !watched[cluster] {
				return
			}
		case "from", "to":
			values[i] = c.limiter.node(cluster, values[i])
		default:
			values[i] = c.limiter.limit(cluster, name, values[i])
		}
	}
	f.vec.WithLabelValues(values...).Add(value)
}
