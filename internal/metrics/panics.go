package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"stickwatch/internal/panics"
)

// panicCounts are the panics of the process.
type panicCounts struct{}

// Describe implements prometheus.Collector.
func (panicCounts) Describe(descs chan<- *prometheus.Desc) { descs <- panicsTotal.desc() }

// Collect implements prometheus.Collector.
func (panicCounts) Collect(metrics chan<- prometheus.Metric) {
	for component, n := range panics.Counts() {
		metrics <- prometheus.MustNewConstMetric(panicsTotal.desc(), prometheus.CounterValue, float64(n), string(component))
	}
}

// guarded is a collector whose panic ends no more than its own part of a scrape:
// a registry collects in goroutines of its own.
type guarded struct{ prometheus.Collector }

// Collect implements prometheus.Collector.
func (g guarded) Collect(metrics chan<- prometheus.Metric) {
	_ = panics.Catch(panics.Metrics, func() { g.Collector.Collect(metrics) })
}
