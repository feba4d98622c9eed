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

// watchGauges are the metrics of a watch with their values.
var watchGauges = []struct {
	metric Metric
	value  func(WatchResult) float64
}{
	{
		gauge("watch_sessions", "Sessions that `probe --watch` held. At 0 nobody can tell whether any was lost.", "cluster"),
		func(w WatchResult) float64 { return float64(w.Sessions) },
	},
	{
		gauge("watch_sessions_lost", "Sessions that were lost during `probe --watch`, or came back older.", "cluster"),
		func(w WatchResult) float64 { return float64(w.Lost) },
	},
	{
		gauge("watch_sessions_moved", "Answers to a session by another node than the one before during `probe --watch`, whether the session was lost or not.", "cluster"),
		func(w WatchResult) float64 { return float64(w.Moves) },
	},
	{
		gauge("watch_longest_outage_seconds", "The longest time from one good answer to the next that a session or a new client saw during `probe --watch`; 0: there was no outage.", "cluster"),
		func(w WatchResult) float64 { return w.LongestOutage.Seconds() },
	},
	{
		gauge("watch_requests", "What users at the interval of `probe --watch` would have sent; quick retries do not count.", "cluster"),
		func(w WatchResult) float64 { return float64(w.Requests) },
	},
	{
		gauge("watch_requests_failed", "Those of watch_requests that got no good answer.", "cluster"),
		func(w WatchResult) float64 { return float64(w.Failed) },
	},
}

// WatchCatalogue lists the metrics of `probe --watch -o prometheus`. The daemon does not export
// them.
func WatchCatalogue() []Metric {
	list := make([]Metric, len(watchGauges))
	for i, g := range watchGauges {
		list[i] = g.metric
	}
	return list
}

// addWatches adds the gauges of watches to a registry.
func addWatches(registry *prometheus.Registry, watches []WatchResult) {
	if len(watches) == 0 {
		return
	}
	for _, g := range watchGauges {
		vec := g.metric.gauge()
		registry.MustRegister(vec)
		for _, w := range watches {
			vec.WithLabelValues(cleanLabel(w.Cluster)).Set(g.value(w))
		}
	}
}
