package metrics

import (
	"cmp"
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"stickwatch/internal/panics"
)

// daemon contains the metrics of the daemon itself.
type daemon struct {
	lag                                     prometheus.Histogram
	queue, reloaded, reloadedAt             prometheus.Gauge
	impaired, stretch                       prometheus.Gauge
	heartbeat                               *prometheus.GaugeVec // without a series: none is configured
	fleetInstances, fleetSkewed, fleetClock *prometheus.GaugeVec // without a series: there is no fleet
	leases                                  *prometheus.GaugeVec
	takeovers                               *total
	build                                   *prometheus.GaugeVec
	panics                                  panicCounts
}

// lagBuckets are the classic buckets of the schedule's lag. A healthy machine uses only the
// first few.
var lagBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func newDaemon(b Build) daemon {
	d := daemon{
		lag:        prometheus.NewHistogram(scheduleLag.histogram(lagBuckets)),
		queue:      notificationQueue.gauge().WithLabelValues(),
		reloaded:   reloadSuccessful.gauge().WithLabelValues(),
		reloadedAt: reloadTimestamp.gauge().WithLabelValues(),
		impaired:   proberImpaired.gauge().WithLabelValues(),
		stretch:    scheduleStretch.gauge().WithLabelValues(),
		heartbeat:  heartbeatSuccessful.gauge(),

		fleetInstances: fleetInstances.gauge(),
		fleetSkewed:    fleetSkewed.gauge(),
		fleetClock:     fleetClock.gauge(),
		leases:         leaseOwner.gauge(),
		takeovers:      &total{of: fleetTakeovers},

		build: buildInfo.gauge(),
	}
	d.stretch.Set(1)
	const unknown = "unknown"
	d.build.WithLabelValues(cmp.Or(cleanLabel(b.Version), unknown), cmp.Or(cleanLabel(b.Revision), unknown), runtime.Version()).Set(1)
	return d
}

func (d daemon) collectors() []prometheus.Collector {
	return []prometheus.Collector{d.lag, d.stretch, d.queue, d.impaired, d.heartbeat, d.fleetInstances, d.fleetSkewed, d.fleetClock, d.leases, d.takeovers, d.reloaded, d.reloadedAt, d.build, d.panics}
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

// A total is a counter whose value another component counts. It is absent until the first value.
type total struct {
	of    Metric
	value atomic.Pointer[int64]
}

func (t *total) observe(value int64) { t.value.Store(&value) }

// Describe implements prometheus.Collector.
func (t *total) Describe(descs chan<- *prometheus.Desc) { descs <- t.of.desc() }

// Collect implements prometheus.Collector.
func (t *total) Collect(metrics chan<- prometheus.Metric) {
	if value := t.value.Load(); value != nil {
		metrics <- prometheus.MustNewConstMetric(t.of.desc(), prometheus.CounterValue, float64(*value))
	}
}

// panicCounts exports the panics of the process.
type panicCounts struct{}

// Describe implements prometheus.Collector.
func (panicCounts) Describe(descs chan<- *prometheus.Desc) { descs <- panicsTotal.desc() }

// Collect implements prometheus.Collector.
func (panicCounts) Collect(metrics chan<- prometheus.Metric) {
	for component, n := range panics.Counts() {
		metrics <- prometheus.MustNewConstMetric(panicsTotal.desc(), prometheus.CounterValue, float64(n), string(component))
	}
}

// guarded recovers a panic of a collector, so that it affects only its own part of a scrape. A
// registry calls collectors in goroutines.
type guarded struct{ prometheus.Collector }

// Collect implements prometheus.Collector.
func (g guarded) Collect(metrics chan<- prometheus.Metric) {
	_ = panics.Catch(panics.Metrics, func() { g.Collector.Collect(metrics) })
}
