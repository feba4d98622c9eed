package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/loglimit"
	"stickwatch/probes"
)

// Live contains the metrics of a daemon. Its methods are safe for concurrent use, do not fail,
// and do not wait for scrapes.
type Live struct {
	registry   *prometheus.Registry
	collectors []prometheus.Collector // of the registry
	limiter    *labelLimiter

	latestRounds *latestRounds
	canaries     *canaries
	incidents    *openIncidents
	deployments  *deployments
	counters     counters
	timings      timings
	daemon       daemon

	gatheringErrors *prometheus.CounterVec // named as that of promhttp, which alerts know
	gatheringLog    loglimit.Limiter
}

// A Build identifies a binary. Empty fields become "unknown".
type Build struct {
	Version  string
	Revision string // source revision
}

// New returns the metrics of a new daemon.
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
		gatheringErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "promhttp_metric_handler_errors_total", Help: "Errors while the metrics of a scrape were gathered.",
		}, []string{"cause"}),
	}
	l.gatheringErrors.WithLabelValues("gathering")
	l.Register(l.latestRounds, l.canaries, l.incidents, l.deployments, l.timings, l.daemon, l.gatheringErrors)
	for _, v := range l.counters.vecs() {
		l.Register(v)
	}
	l.Register(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return l
}

// Register adds the collectors of other components, such as the history. It panics on
// duplicates, which are programming errors.
func (l *Live) Register(others ...prometheus.Collector) {
	for _, c := range others {
		l.registry.MustRegister(guarded{c})
		l.collectors = append(l.collectors, c)
	}
}

// Observe replaces the gauges of a cluster with those of a judged round.
func (l *Live) Observe(r checks.Report) {
	l.latestRounds.observe(r)
	l.counters.initialize(r)
}

// Sample counts a probe. If it was answered, Sample observes the durations of its phases;
// without phases, the latency counts as the total. probe is one of the Probe constants; "":
// the default of the target's kind.
func (l *Live) Sample(s checks.Sample, phases probes.Timing, probe string) {
	cluster, target := cleanLabel(s.Cluster), l.limiter.limit(s.Cluster, "target", s.Name)
	probe = probeName(probe, s.Kind)
	l.counters.probes.with(cluster, target, probe, result(s)).inc()
	if !hasLatency(s) {
		return
	}
	if phases.Total == 0 {
		phases.Total = s.Latency
	}
	l.timings.observe(phases, cluster, target, probe)
}

// Request counts a client request by its outcome.
func (l *Live) Request(r checks.Request) { l.counters.request(r) }

// Move counts a session that moved to another node.
func (l *Live) Move(m checks.Move) {
	outcome := "lost"
	if m.Kept {
		outcome = "kept"
	}
	l.counters.moves.with(cleanLabel(m.Cluster),
		l.limiter.node(m.Cluster, m.From), l.limiter.node(m.Cluster, m.To), outcome).inc()
}

// Canaries replaces the open times of a cluster's canaries, by the id of the node that holds
// the session. If a node has several, pass the oldest.
func (l *Live) Canaries(cluster string, opened map[string]time.Time) { l.canaries.set(cluster, opened) }

// Skipped counts a due job that did not run because its previous run continued. Jobs are
// "canary", "status", "pages" and "dependencies".
func (l *Live) Skipped(cluster, job string) {
	l.counters.skipped.with(cleanLabel(cluster), l.limiter.limit(cluster, "job", job)).inc()
}

// Lag observes the delay of the start of a job.
func (l *Live) Lag(late time.Duration) { l.daemon.lag.Observe(max(0, late).Seconds()) }

// Incident counts an incident that began to fire, by the code of its cause.
func (l *Live) Incident(cluster string, cause checks.Code) {
	code := string(cause)
	if !checks.Known(cause) {
		code = other
	}
	l.counters.incidents.with(cleanLabel(cluster), code).inc()
}

// Incidents replaces the open incidents. Only firing ones are exported.
func (l *Live) Incidents(open []alerting.Incident) { l.incidents.observe(open) }

// Deployments replaces the deployments of all clusters. Only ongoing ones are exported.
func (l *Live) Deployments(announced []checks.Deployment) { l.deployments.observe(announced) }

// Receivers creates the series of receivers at the start and after a reload, so that the first
// notification that fails permanently is an increase.
func (l *Live) Receivers(names []string) {
	for _, name := range names {
		for _, d := range []Delivery{Delivered, Retried, Dead} {
			l.counters.notifications.with(l.limiter.limit("", "receiver", name), string(d))
		}
	}
}

// Notified counts an attempt to deliver a notification.
func (l *Live) Notified(receiver string, d Delivery) {
	l.counters.notifications.with(l.limiter.limit("", "receiver", receiver), string(d)).inc()
}

// A Delivery is the result of an attempt to deliver a notification.
type Delivery string

// The results of a delivery. Retried: it failed and will be retried. Dead: it failed
// permanently.
const (
	Delivered Delivery = "delivered"
	Retried   Delivery = "retried"
	Dead      Delivery = "buried"
)

// Queued sets the number of pending notifications.
func (l *Live) Queued(notifications int) { l.daemon.queue.Set(float64(notifications)) }

// Stretched sets by which factor intervals are longer than configured.
func (l *Live) Stretched(factor float64) { l.daemon.stretch.Set(factor) }

// Impaired sets whether stickwatch itself cannot probe.
func (l *Live) Impaired(is bool) { l.daemon.impaired.Set(boolValue(is)) }

// Heartbeat sets whether the last heartbeat was sent and accepted.
func (l *Live) Heartbeat(ok bool) { l.daemon.heartbeat.WithLabelValues().Set(boolValue(ok)) }

// NoHeartbeat says that none is configured.
func (l *Live) NoHeartbeat() { l.daemon.heartbeat.Reset() }

// Fleet sets what is known of the fleet: how many instances live, the clusters of this one, how many
// it took over from instances that failed, and whether configurations differ.
func (l *Live) Fleet(live int, own []string, takeovers int64, skewed bool) {
	d := l.daemon
	d.fleetInstances.WithLabelValues().Set(float64(live))
	d.fleetSkewed.WithLabelValues().Set(boolValue(skewed))
	d.leases.Reset()
	for _, cluster := range own {
		d.leases.WithLabelValues(cleanLabel(cluster)).Set(1)
	}
	d.takeovers.observe(takeovers)
}

// ClockAhead sets by how much the clock of this machine is ahead of that of the fleet's database.
func (l *Live) ClockAhead(d time.Duration) {
	l.daemon.fleetClock.WithLabelValues().Set(d.Round(time.Millisecond).Seconds())
}

// LogDropped exports the number of dropped log lines. Call it at most once.
func (l *Live) LogDropped(lines func() int64) {
	l.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: logDropped.Name, Help: logDropped.Help}, func() float64 { return float64(lines()) }))
}

// Reloaded records a load of the configuration, including the first one, and its result.
func (l *Live) Reloaded(at time.Time, err error) {
	l.daemon.reloaded.Set(boolValue(err == nil))
	if err == nil {
		l.daemon.reloadedAt.Set(unix(at))
	}
}

// Retain drops the request counters of the given clusters' nodes that are not in their lists.
func (l *Live) Retain(nodes map[string][]string) { l.counters.retain(nodes) }

// Forget drops every series of a cluster.
func (l *Live) Forget(cluster string) {
	l.latestRounds.forget(cluster)
	l.canaries.forget(cluster)
	l.incidents.forget(cluster)
	l.deployments.forget(cluster)
	l.daemon.leases.DeleteLabelValues(cleanLabel(cluster))
	l.counters.forget(cluster)
	l.timings.forget(cluster)
	l.limiter.forget(cluster)
}

// Counters returns every counter for Restore. Counters continue after a restart because they
// are meaningful over years; histograms restart.
func (l *Live) Counters() map[string]float64 { return l.counters.save() }

// Restore adds the result of Counters from before a restart. It ignores clusters that are not
// in the list and unknown counters.
func (l *Live) Restore(saved map[string]float64, clusters []string) {
	l.counters.restore(saved, clusters)
}
