package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// Live is what a daemon's /metrics shows. Every method may be called by several
// goroutines at once; none waits for a scrape, and none fails.
type Live struct {
	registry *prometheus.Registry
	limiter  *labelLimiter

	latestRounds *latestRounds
	canaries     *canaries
	incidents    *openIncidents
	deployments  *deployments
	counters     counters
	timings      timings
	daemon       daemon
}

// Build is what a binary knows of itself. Empty fields are told as "unknown".
type Build struct {
	Version  string
	Revision string // of the source
}

// New returns the metrics of a daemon that has seen nothing yet.
func New(b Build) *Live {
	limiter := newLabelLimiter()
	l := &Live{
		registry:     prometheus.NewRegistry(),
		limiter:      limiter,
		latestRounds: &latestRounds{limiter: limiter},
		canaries:     &canaries{limiter: limiter},
		incidents:    &openIncidents{},
		deployments:  &deployments{limiter: limiter},
		counters:     newCounters(limiter),
		timings:      newTimings(),
		daemon:       newDaemon(b),
	}
	l.Register(l.latestRounds, l.canaries, l.incidents, l.deployments, l.counters, l.timings, l.daemon)
	l.Register(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return l
}

// Register adds the metrics of other components, such as the history's. Those
// that are there already are a mistake of the program: it panics.
func (l *Live) Register(others ...prometheus.Collector) {
	for _, c := range others {
		l.registry.MustRegister(guarded{c})
	}
}

// Handler answers scrapes: in the text formats and, for native histograms, in
// protocol buffers.
func (l *Live) Handler() http.Handler {
	return promhttp.HandlerFor(l.registry, promhttp.HandlerOpts{
		Registry:            l.registry,
		MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics:   true,
	})
}

// maxScrapes bounds how many scrapes are answered at once: each costs memory,
// and whoever can reach the page can ask for it.
const maxScrapes = 8

// Observe takes a judged round as the present of its cluster. All of it is
// replaced at once: a finding that is gone has no series in the next scrape.
func (l *Live) Observe(r checks.Report) {
	l.latestRounds.observe(r)
	l.counters.initialize(r)
}

// Sample counts a probe and, if it was answered, tells how long its phases
// took. Without phases the sample's latency is the total. The probe names what
// was asked for, as Probe* do; "": what the kind of the target is asked for as
// a rule.
func (l *Live) Sample(s checks.Sample, phases probes.Timing, probe string) {
	cluster, target := cleanLabel(s.Cluster), l.limiter.limit(s.Cluster, "target", s.Name)
	probe = probeName(probe, s.Kind)
	l.counters.probes.WithLabelValues(cluster, target, probe, result(s)).Inc()
	if !hasLatency(s) {
		return
	}
	if phases.Total == 0 {
		phases.Total = s.Latency
	}
	l.timings.observe(phases, cluster, target, probe)
}

// Request counts a request of a client of ours, under its outcome.
func (l *Live) Request(r checks.Request) { l.counters.request(r) }

// Move counts a session that changed its node.
func (l *Live) Move(m checks.Move) {
	fate := "lost"
	if m.Kept {
		fate = "kept"
	}
	l.counters.moves.WithLabelValues(cleanLabel(m.Cluster),
		l.limiter.node(m.Cluster, m.From), l.limiter.node(m.Cluster, m.To), fate).Inc()
}

// Canaries replaces what is known of a cluster's canaries: by the id of the
// node that holds it, when the session of each was opened. Of several on one
// node the oldest is meant.
func (l *Live) Canaries(cluster string, opened map[string]time.Time) { l.canaries.set(cluster, opened) }

// Skipped counts a job of a cluster's schedule that did not run when it was
// due, since the one before it was still running. Jobs are few: "canary",
// "status", "pages", "dependencies".
func (l *Live) Skipped(cluster, job string) {
	l.counters.skipped.WithLabelValues(cleanLabel(cluster), l.limiter.limit(cluster, "job", job)).Inc()
}

// Lag tells how much later than planned a job began.
func (l *Live) Lag(late time.Duration) { l.daemon.lag.Observe(max(0, late).Seconds()) }

// Incident counts an incident that began to fire, under the code of its cause.
func (l *Live) Incident(cluster string, cause checks.Code) {
	code := string(cause)
	if !checks.Known(cause) {
		code = other
	}
	l.counters.incidents.WithLabelValues(cleanLabel(cluster), code).Inc()
}

// Incidents replaces what is known of incidents that are open. Only firing ones
// are shown.
func (l *Live) Incidents(open []alerting.Incident) { l.incidents.observe(open) }

// Deployments replaces what is known of deployments, of all clusters. Only those
// that go on are shown: whoever begins or ends one tells all that are left.
func (l *Live) Deployments(announced []checks.Deployment) { l.deployments.observe(announced) }

// Receivers begins to count for receivers of notices, at the start and after a
// reload, so that the first notice that is buried is an increase.
func (l *Live) Receivers(names []string) {
	for _, name := range names {
		for _, d := range []Delivery{Delivered, Retried, Dead} {
			l.counters.notifications.WithLabelValues(l.limiter.limit("", "receiver", name), string(d))
		}
	}
}

// Notified counts an attempt to deliver a notice.
func (l *Live) Notified(receiver string, d Delivery) {
	l.counters.notifications.WithLabelValues(l.limiter.limit("", "receiver", receiver), string(d)).Inc()
}

// A Delivery is what became of an attempt to deliver a notice.
type Delivery string

// The deliveries. Retried: it failed and will be tried again. Buried: it will
// not be tried again, and nobody was told.
const (
	Delivered Delivery = "delivered"
	Retried   Delivery = "retried"
	Dead      Delivery = "buried"
)

// Queued tells how many notices wait to be delivered.
func (l *Live) Queued(notifications int) { l.daemon.queue.Set(float64(notifications)) }

// LogDropped has a counter shown of the lines of the log that nobody got. It may be
// called once.
func (l *Live) LogDropped(lines func() int64) {
	l.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: logDropped.Name, Help: logDropped.Help}, func() float64 { return float64(lines()) }))
}

// Reloaded tells that the configuration was read, at the start too, and what
// came of it.
func (l *Live) Reloaded(at time.Time, err error) {
	l.daemon.reloaded.Set(boolValue(err == nil))
	if err == nil {
		l.daemon.reloadedAt.Set(unix(at))
	}
}

// Retain drops the requests that were counted for nodes other than these, after
// the nodes of a cluster have changed.
func (l *Live) Retain(cluster string, nodes []string) { l.counters.retain(cluster, nodes) }

// Forget drops every series of a cluster that is no longer watched.
func (l *Live) Forget(cluster string) {
	l.latestRounds.forget(cluster)
	l.canaries.forget(cluster)
	l.incidents.forget(cluster)
	l.deployments.forget(cluster)
	l.counters.forget(cluster)
	l.timings.forget(cluster)
	l.limiter.forget(cluster)
}

// Counters returns every counter by a name that Restore understands. They mean
// something over years, so that a restart should not begin them anew; histograms
// begin anew.
func (l *Live) Counters() map[string]float64 { return l.counters.save() }

// Restore adds what Counters returned before a restart. Counters of clusters
// that are not among those watched are left out, as is what it does not
// understand.
func (l *Live) Restore(saved map[string]float64, clusters []string) {
	l.counters.restore(saved, clusters)
}
