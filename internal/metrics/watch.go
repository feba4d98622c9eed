package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A WatchResult is the effect of a deployment on the users of a cluster.
type WatchResult struct {
	Cluster               string
	Sessions, Lost, Moves int
	LongestOutage         time.Duration
	Requests, Failed      int
}

// WatchCatalogue lists the metrics of `probe --watch -o prometheus`. The daemon does not
// export them.
var WatchCatalogue = []Metric{watchSessions, watchLost, watchMoved, watchOutage, watchRequests, watchFailed}

var (
	watchSessions = gauge("watch_sessions", "Sessions that `probe --watch` held. At 0 nobody can tell whether any was lost.", "cluster")
	watchLost     = gauge("watch_sessions_lost", "Sessions that were lost during `probe --watch`, or came back older.", "cluster")
	watchMoved    = gauge("watch_sessions_moved", "Answers to a session by another node than the one before during `probe --watch`, whether the session was lost or not.", "cluster")
	watchOutage   = gauge("watch_longest_outage_seconds",
		"The longest time from one good answer to the next that a session or a new client saw during `probe --watch`; 0: there was no outage.", "cluster")
	watchRequests = gauge("watch_requests", "What users at the interval of `probe --watch` would have sent; quick retries do not count.", "cluster")
	watchFailed   = gauge("watch_requests_failed", "Those of watch_requests that got no good answer.", "cluster")
)

// addWatches adds the gauges of watches to a registry.
func addWatches(registry *prometheus.Registry, watches []WatchResult) {
	if len(watches) == 0 {
		return
	}
	vecs := make([]*prometheus.GaugeVec, len(WatchCatalogue))
	for i, m := range WatchCatalogue {
		vecs[i] = m.gauge()
		registry.MustRegister(vecs[i])
	}
	for _, w := range watches {
		values := []float64{
			float64(w.Sessions), float64(w.Lost), float64(w.Moves), w.LongestOutage.Seconds(), float64(w.Requests), float64(w.Failed),
		}
		for i, value := range values {
			vecs[i].WithLabelValues(cleanLabel(w.Cluster)).Set(value)
		}
	}
}
