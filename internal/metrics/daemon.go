package metrics

import (
	"cmp"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"stickwatch/internal/panics"
)

// daemon is what stickwatch says of itself, whatever it watches.
type daemon struct {
	lag                         prometheus.Histogram
	queue, reloaded, reloadedAt prometheus.Gauge
	build                       *prometheus.GaugeVec
	panics                      panicCounts
}

// lagBuckets are the classic buckets of the schedule's lag: a well machine is below
// the first few.
var lagBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func newDaemon(b Build) daemon {
	d := daemon{
		lag:        prometheus.NewHistogram(scheduleLag.histogram(lagBuckets)),
		queue:      notificationQueue.gauge().WithLabelValues(),
		reloaded:   reloadSuccessful.gauge().WithLabelValues(),
		reloadedAt: reloadTimestamp.gauge().WithLabelValues(),
		build:      buildInfo.gauge(),
	}
	const unknown = "unknown"
	d.build.WithLabelValues(cmp.Or(cleanLabel(b.Version), unknown), cmp.Or(cleanLabel(b.Revision), unknown), runtime.Version()).Set(1)
	return d
}

func (d daemon) collectors() []prometheus.Collector {
	return []prometheus.Collector{d.lag, d.queue, d.reloaded, d.reloadedAt, d.build, d.panics}
}

// Describe implements prometheus.Collector.
func (d daemon) Describe(descs chan<- *prometheus.Desc) {
	for _, c := range d.collectors() {
		c.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (d daemon) Collect(metrics chan<- prometheus.Metric) {
	for _, c := range d.collectors() {
		c.Collect(metrics)
	}
}

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
