package metrics

import (
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// A perCluster has the latest value of each cluster. A value is replaced and never changed, so
// that a scrape sees a consistent state and no removed items.
type perCluster[T any] struct {
	mu        sync.Mutex
	byCluster map[string]T
}

func (p *perCluster[T]) set(cluster string, now T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byCluster == nil {
		p.byCluster = make(map[string]T)
	}
	p.byCluster[cluster] = now
}

func (p *perCluster[T]) replace(now map[string]T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byCluster = now
}

func (p *perCluster[T]) forget(cluster string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byCluster, cluster)
}

// copy returns a copy, so that a slow scrape does not hold the lock.
func (p *perCluster[T]) copy() map[string]T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.byCluster)
}

// latestRounds exports the newest round of each cluster. Its gauges exist during a scrape only:
// they would take more memory than the report, which others keep, too.
type latestRounds struct {
	limiter *labelLimiter
	perCluster[checks.Report]
}

func (l *latestRounds) observe(r checks.Report) { l.set(r.Cluster, r) }

// Describe implements prometheus.Collector.
func (l *latestRounds) Describe(descs chan<- *prometheus.Desc) { newRoundGauges(nil).Describe(descs) }

// Collect implements prometheus.Collector.
func (l *latestRounds) Collect(metrics chan<- prometheus.Metric) { l.gauges().Collect(metrics) }

// families implements source.
func (l *latestRounds) families(text bool) iter.Seq[*dto.MetricFamily] {
	return func(yield func(*dto.MetricFamily) bool) {
		for _, g := range l.gauges().gauges() {
			for f := range g.families(text) {
				if !yield(f) {
					return
				}
			}
		}
	}
}

func (l *latestRounds) gauges() *roundGauges {
	gauges := newRoundGauges(l.limiter)
	for _, r := range l.copy() {
		_ = panics.Catch(panics.Metrics, func() { gauges.add(r) }) // the other clusters are exported
	}
	return gauges
}

// canaries exports the age of canaries by the node that holds the session. The age refers to
// the time of the scrape, so it grows if a canary sends no follow-ups.
type canaries struct {
	limiter *labelLimiter
	perCluster[map[string]time.Time]
}

// Describe implements prometheus.Collector.
func (c *canaries) Describe(descs chan<- *prometheus.Desc) { descs <- canaryAge.desc() }

// Collect implements prometheus.Collector.
func (c *canaries) Collect(metrics chan<- prometheus.Metric) {
	for cluster, opened := range c.copy() {
		vec := canaryAge.gauge() // several nodes may map to "other"
		for node, at := range opened {
			vec.WithLabelValues(cleanLabel(cluster), c.limiter.node(cluster, node)).Set(time.Since(at).Seconds())
		}
		vec.Collect(metrics)
	}
}

// openIncidents exports the number of firing incidents by severity. Pending ones, which nobody
// was notified of, are not counted.
type openIncidents struct {
	perCluster[map[checks.Severity]int]
}

func (o *openIncidents) observe(open []alerting.Incident) {
	now := make(map[string]map[checks.Severity]int)
	for _, i := range open {
		if i.State != alerting.Firing {
			continue
		}
		if now[i.Cluster] == nil {
			now[i.Cluster] = make(map[checks.Severity]int)
		}
		now[i.Cluster][i.Severity]++
	}
	o.replace(now)
}

// Describe implements prometheus.Collector.
func (o *openIncidents) Describe(descs chan<- *prometheus.Desc) { descs <- incidentsOpen.desc() }

// Collect implements prometheus.Collector.
func (o *openIncidents) Collect(metrics chan<- prometheus.Metric) {
	for cluster, counts := range o.copy() {
		for severity, n := range counts {
			metrics <- prometheus.MustNewConstMetric(incidentsOpen.desc(), prometheus.GaugeValue, float64(n),
				cleanLabel(cluster), string(severity))
		}
	}
}

// deployments exports the ongoing deployments by name.
type deployments struct {
	limiter *labelLimiter
	perCluster[[]string]
}

func (d *deployments) observe(announced []checks.Deployment) {
	now := make(map[string][]string)
	for _, a := range announced {
		if a.To.IsZero() {
			now[a.Cluster] = append(now[a.Cluster], a.Name)
		}
	}
	d.replace(now)
}

// Describe implements prometheus.Collector.
func (d *deployments) Describe(descs chan<- *prometheus.Desc) { descs <- deploymentActive.desc() }

// Collect implements prometheus.Collector.
func (d *deployments) Collect(metrics chan<- prometheus.Metric) {
	for cluster, names := range d.copy() {
		vec := deploymentActive.gauge() // names may repeat
		for _, name := range names {
			vec.WithLabelValues(cleanLabel(cluster), d.limiter.limit(cluster, "deployment", name)).Set(1)
		}
		vec.Collect(metrics)
	}
}
