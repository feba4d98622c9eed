// Package metrics exports the state of clusters and of the daemon to Prometheus.
//
// Gauges of a round are the same in `probe -o prometheus`, in /probe and in the daemon's
// /metrics. An unknown value is absent and not 0, so that an alert on 0 is based on an
// observation.
//
// # Cardinality
//
// Most labels are configured names (clusters, nodes, balancers, dependencies, receivers) or
// words of closed sets (codes, severities, results, phases). Targets control the version and
// the state of a node; users control the name of a deployment. Every value is cut to 128
// characters. Each label has at most 500 values for each cluster and process; further values,
// and nodes that are not configured, become "other". So a node that reports a new version in
// every response costs at most 500 series.
//
// Each cluster has, from the start, one series of incidents_total for each code and two of
// session_moves_total for each pair of nodes: Prometheus sees no increase in a series that
// begins with 1. Above 12 nodes, the series of a pair begins with its first move.
//
// A target with one kind of probe has up to 12 series of probes_total, and 16 of
// probe_duration_seconds for each phase: three phases for an address without TLS, at most
// five. With native histograms, each phase is one series.
package metrics

import (
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A Metric describes a metric. Its name, labels and unit never change.
type Metric struct {
	Name   string // with prefix and unit
	Type   string // gauge, counter or histogram
	Labels []string
	Help   string
}

// Catalogue lists every metric of this package, the most useful ones first.
var Catalogue = []Metric{
	probeSuccess, verdict, roundDuration, roundTimestamp,
	balancerUp, nodeUp, nodeState, nodeInRotation, nodeInfo, dependencyUp, certificateExpiry, clockOffset,
	sessionSticky, sessionShared, clientRequests, sessionMoves, canaryAge,
	probesTotal, probeDuration,
	findingActive, findingExplained, findingAffected, incidentsTotal, incidentsOpen, deploymentActive,
	notificationsTotal, notificationQueue,
	scheduleLag, jobsSkipped, reloadSuccessful, reloadTimestamp, panicsTotal, logDropped, buildInfo,
}

// Gauges of the newest round of a cluster.
var (
	probeSuccess = gauge("probe_success",
		"Whether the picture could be taken and nothing critical was found.", "cluster")
	verdict = gauge("cluster_verdict",
		"1 for the verdict of the newest round, 0 for the others: healthy, degraded (a warning), failing (a critical), inconclusive.",
		"cluster", "verdict")
	roundDuration  = gauge("round_duration_seconds", "How long the last round took.", "cluster")
	roundTimestamp = gauge("round_timestamp_seconds",
		"When the last round began, as a Unix time. One that grows old means that nobody is watching.", "cluster")
	balancerUp = gauge("balancer_up", "Whether every address of the balancer gives an HTTP answer.", "cluster", "balancer")
	nodeUp     = gauge("node_up", "Whether the node answers when asked directly.", "cluster", "node")
	nodeState  = gauge("node_state", "1 for the state the node gives itself, 0 for paused when it is not.",
		"cluster", "node", "state")
	nodeInRotation = gauge("node_in_rotation", "Whether the balancer sends the node requests; absent when unknown.",
		"cluster", "node")
	nodeInfo = gauge("node_info", "Always 1: the version that the node says it runs; absent when it does not say.",
		"cluster", "node", "version")
	dependencyUp      = gauge("dependency_up", "Whether the dependency works; absent when unknown.", "cluster", "dependency")
	certificateExpiry = gauge("certificate_expiry_timestamp_seconds",
		"When the certificate that the node or balancer shows expires, as a Unix time; absent without TLS.",
		"cluster", "target")
	clockOffset = gauge("clock_offset_seconds", "Bounds of the difference between the node's clock and ours.",
		"cluster", "node", "bound")
	sessionSticky = gauge("session_sticky", "Whether sessions stay on their node; absent when unknown.", "cluster")
	sessionShared = gauge("session_shared",
		"Whether a session is known to other nodes, so that a failover keeps it; absent when unknown.", "cluster")
	findingActive    = gauge("finding_active", "1 for each finding that holds.", "cluster", "code", "severity", "node")
	findingExplained = gauge("finding_explained",
		"1 for each finding of finding_active that another one causes; absent for causes. Alert on causes: finding_active unless finding_explained.",
		"cluster", "code", "severity", "node")
	findingAffected = gauge("finding_affected_ratio",
		"The estimated share of clients that a finding of finding_active concerns, from 0 to 1; absent where it is not estimated.",
		"cluster", "code", "severity", "node")
)

// Counters and histograms of the daemon.
var (
	clientRequests = counter("client_requests_total",
		"Requests of our own clients through the balancer by outcome: served, moved (by another node, and nothing was lost), error, "+
			"wrong_page, stale, lost, foreign, unknown. The node owns the session; it is empty where the answer did not tell.",
		"cluster", "balancer", "node", "outcome")
	sessionMoves = counter("session_moves_total",
		"Sessions that changed their node; the session went along (kept) or did not (lost).",
		"cluster", "from", "to", "session")
	canaryAge = gauge("canary_age_seconds",
		"How long ago the session of the canary on the node was opened. It falls when a session is lost or renewed.",
		"cluster", "node")
	probesTotal = counter("probes_total",
		"Probes by result: ok, bad_status, the class of a failure, or cancelled when stickwatch itself stopped.",
		"cluster", "target", "probe", "result")
	probeDuration = histogram("probe_duration_seconds",
		"How long the phases of an answered probe took; total has the body too. A phase that did not take place, such as tls, is absent. "+
			"A probe that got no answer is in probes_total alone.",
		"cluster", "target", "probe", "phase")
	incidentsTotal = counter("incidents_total", "Incidents that fired, by the code of their cause.", "cluster", "code")
	incidentsOpen  = gauge("incidents_open", "Incidents that are firing now.", "cluster", "severity")

	deploymentActive = gauge("deployment_active",
		"1 for each deployment that was announced and goes on, by the name it was announced with; absent otherwise.",
		"cluster", "deployment")

	notificationsTotal = counter("notifications_total",
		"Attempts to tell a receiver: delivered, retried (it failed and is tried again), buried (given up).", "receiver", "result")
	notificationQueue = gauge("notification_queue_length", "Notices that wait to be delivered.")
)

// Metrics of the daemon itself.
var (
	scheduleLag = histogram("schedule_lag_seconds",
		"How much later than planned rounds began, up to their interval. Seconds here mean a machine too small for its clusters.")
	jobsSkipped = counter("jobs_skipped_total",
		"Jobs that did not run when they were due, since the one before was still running.", "cluster", "job")
	reloadSuccessful = gauge("config_last_reload_successful",
		"Whether the newest try to read the configuration succeeded. At 0 the one before is still in use.")
	reloadTimestamp = gauge("config_last_reload_success_timestamp_seconds",
		"When the configuration in use was read, as a Unix time.")
	panicsTotal = counter("panics_total",
		"Faults of stickwatch itself (panics) that it survived since it started, by the part of it where they happened. Each is a bug: the log has its stack.",
		"component")
	logDropped = counter("log_lines_dropped_total",
		"Lines of the log that nobody got, since the start: standard error was blocked or closed.")
	buildInfo = gauge("build_info", "Always 1: what this stickwatch was built from.", "version", "revision", "goversion")
)

func gauge(name, help string, labels ...string) Metric { return metric("gauge", name, help, labels) }

func counter(name, help string, labels ...string) Metric {
	return metric("counter", name, help, labels)
}

func histogram(name, help string, labels ...string) Metric {
	return metric("histogram", name, help, labels)
}

func metric(kind, name, help string, labels []string) Metric {
	return Metric{Name: "stickwatch_" + name, Type: kind, Labels: labels, Help: help}
}

func (m Metric) gauge() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

func (m Metric) counter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

func (m Metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil) }

// Markdown writes metrics as a Markdown table.
func Markdown(w io.Writer, metrics []Metric) error {
	var b strings.Builder
	b.WriteString("| metric | type | labels | what it tells |\n|---|---|---|---|\n")
	for _, m := range metrics {
		labels := "-"
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, labels, strings.ReplaceAll(m.Help, "|", `\|`))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
