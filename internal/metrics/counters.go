package metrics

import (
	"encoding/json"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"stickwatch/checks"
)

// counters are the metrics that survive a restart.
type counters struct {
	limiter       *labelLimiter
	probes, moves *counterVec
	requests      *counterVec
	incidents     *counterVec
	notifications *counterVec
	skipped       *counterVec
}

func newCounters(limiter *labelLimiter) counters {
	return counters{
		limiter:       limiter,
		probes:        newSeriesVec[count](probesTotal),
		moves:         newSeriesVec[count](sessionMoves),
		requests:      newSeriesVec[count](clientRequests),
		incidents:     newSeriesVec[count](incidentsTotal),
		notifications: newSeriesVec[count](notificationsTotal),
		skipped:       newSeriesVec[count](jobsSkipped),
	}
}

func (c counters) vecs() []*counterVec {
	return []*counterVec{c.probes, c.moves, c.requests, c.incidents, c.notifications, c.skipped}
}

// maxPairs is the maximum number of nodes for which moves between all pairs start at 0.
const maxPairs = 12

// initialize creates the series whose first increase matters for alerts: Prometheus sees no
// increase in a series that begins with 1.
func (c counters) initialize(r checks.Report) {
	cluster := cleanLabel(r.Cluster)
	for _, e := range checks.Catalogue {
		c.incidents.with(cluster, string(e.Code))
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
				c.moves.with(cluster, c.limiter.node(cluster, from.Node), c.limiter.node(cluster, to.Node), outcome)
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
		c.requests.with(cluster, balancer, node, string(o))
	}
	outcome := string(r.Outcome)
	if !slices.Contains(checks.Outcomes, r.Outcome) {
		outcome = other
	}
	c.requests.with(cluster, balancer, node, outcome).inc()
}

// retain drops the counters of nodes that left their clusters. It walks all series once,
// however many clusters there are.
func (c counters) retain(nodes map[string][]string) {
	kept := make(map[string][]string)
	for name, listed := range nodes {
		cluster := cleanLabel(name)
		kept[cluster] = append(kept[cluster], "", other)
		for _, n := range listed {
			kept[cluster] = append(kept[cluster], c.limiter.node(cluster, n))
		}
	}
	at := slices.Index(clientRequests.Labels, "node")
	c.requests.deleteFunc(func(values []string) bool {
		of, ok := kept[values[0]]
		return ok && !slices.Contains(of, values[at])
	})
}

func (c counters) forget(cluster string) {
	for _, v := range c.vecs() {
		v.delete(prometheus.Labels{"cluster": cleanLabel(cluster)})
	}
}

// save returns every counter above 0 by its name and labels. The key is a JSON array, which
// handles quoting: ["stickwatch_incidents_total","shop","node_down"].
func (c counters) save() map[string]float64 {
	saved := make(map[string]float64)
	for _, v := range c.vecs() {
		v.each(func(values []string, counter *count) {
			n := counter.total()
			if n <= 0 {
				return
			}
			if key, err := json.Marshal(append([]string{v.Name}, values...)); err == nil {
				saved[string(key)] = n
			}
		})
	}
	return saved
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
		for _, v := range c.vecs() {
			if v.Name == parts[0] && len(v.Labels) == len(parts)-1 {
				c.add(v, parts[1:], value, watched)
			}
		}
	}
}

// add restores a counter through the label limiter; otherwise each restart would raise its
// limits.
func (c counters) add(vec *counterVec, values []string, value float64, watched map[string]bool) {
	cluster := ""
	for i, name := range vec.Labels {
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
	vec.with(values...).add(value)
}
