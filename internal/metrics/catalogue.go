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
	discoveryUp, discoveryNodes, discoveryAnswered,
	balancerUp, nodeUp, nodeState, nodeInRotation, nodeInfo, dependencyUp, certificateExpiry, clockOffset,
	sessionSticky, sessionShared, clientRequests, sessionMoves, canaryAge,
	probesTotal, probeDuration,
	findingActive, findingExplained, findingAffected, incidentsTotal, incidentsOpen, deploymentActive,
	notificationsTotal, notificationQueue,
	scheduleLag, scheduleStretch, jobsSkipped, heartbeatSuccessful, fleetInstances, leaseOwner, fleetTakeovers, fleetSkewed, fleetClock, proberImpaired, reloadSuccessful, reloadTimestamp, panicsTotal, logDropped, buildInfo,
}

// Gauges of the newest round of a cluster.
var (
	probeSuccess = gauge("probe_success",
		"Whether the round has a verdict and no critical finding.", "cluster")
	verdict = gauge("cluster_verdict",
		"1 for the verdict of the newest round, 0 for the others: healthy, degraded (warnings), failing (critical findings), inconclusive.",
		"cluster", "verdict")
	roundDuration  = gauge("round_duration_seconds", "Duration of the newest round.", "cluster")
	roundTimestamp = gauge("round_timestamp_seconds",
		"Start of the newest round as a Unix time. An old value means that monitoring has stopped.", "cluster")
	balancerUp = gauge("balancer_up", "Whether every address of the balancer returns an HTTP response.", "cluster", "balancer")
	nodeUp     = gauge("node_up", "Whether the node answers direct probes.", "cluster", "node")
	nodeState  = gauge("node_state", "1 for the state that the node reports; paused is 0 if the node is not paused.",
		"cluster", "node", "state")
	nodeInRotation = gauge("node_in_rotation", "Whether the balancer sends requests to the node; absent if unknown.",
		"cluster", "node")
	nodeInfo = gauge("node_info", "Always 1, with the version that the node reports; absent if it reports none.",
		"cluster", "node", "version")
	discoveryUp       = gauge("discovery_up", "Whether the source of nodes_from gives a usable list of nodes; absent without one.", "cluster", "source")
	discoveryNodes    = gauge("discovery_nodes", "Number of nodes in the list of the source that is used.", "cluster", "source")
	discoveryAnswered = gauge("discovery_answered_timestamp_seconds", "When the source last gave a usable list; absent if it never did.", "cluster", "source")
	dependencyUp      = gauge("dependency_up", "Whether the dependency is up; absent if unknown.", "cluster", "dependency")
	certificateExpiry = gauge("certificate_expiry_timestamp_seconds",
		"Expiry of the TLS certificate of the node or balancer as a Unix time; absent without TLS.",
		"cluster", "target")
	clockOffset = gauge("clock_offset_seconds", "Lower and upper bound of the difference between the node's clock and the clock of stickwatch.",
		"cluster", "node", "bound")
	sessionSticky = gauge("session_sticky", "Whether sessions stay on their node; absent if unknown.", "cluster")
	sessionShared = gauge("session_shared",
		"Whether other nodes know a session, so that a failover keeps it; absent if unknown.", "cluster")
	findingActive    = gauge("finding_active", "1 for each active finding.", "cluster", "code", "severity", "node")
	findingExplained = gauge("finding_explained",
		"1 for each active finding that another finding explains; absent for causes. Alert on causes: finding_active unless finding_explained.",
		"cluster", "code", "severity", "node")
	findingAffected = gauge("finding_affected_ratio",
		"Estimated share of clients that an active finding affects, from 0 to 1; absent without an estimate.",
		"cluster", "code", "severity", "node")
)

// Counters and histograms of the daemon.
var (
	clientRequests = counter("client_requests_total",
		"Requests of stickwatch's clients through the balancer by outcome: served, moved (another node answered and the session was kept), error, "+
			"wrong_page, stale, lost, foreign, unknown. The node owns the session; it is empty if responses do not identify their node.",
		"cluster", "balancer", "node", "outcome")
	sessionMoves = counter("session_moves_total",
		"Sessions that were answered by another node than before, by whether the session was kept or lost.",
		"cluster", "from", "to", "session")
	canaryAge = gauge("canary_age_seconds",
		"Age of the canary session on the node. It drops when a session is lost or renewed.",
		"cluster", "node")
	probesTotal = counter("probes_total",
		"Probes by result: ok, bad_status, a class of failure, or cancelled when stickwatch stopped.",
		"cluster", "target", "probe", "result")
	probeDuration = histogram("probe_duration_seconds",
		"Duration of the phases of an answered probe; total includes the body. A phase that did not take place, such as tls, is absent. "+
			"Probes without a response are only in probes_total.",
		"cluster", "target", "probe", "phase")
	incidentsTotal = counter("incidents_total", "Incidents that fired, by the code of their cause.", "cluster", "code")
	incidentsOpen  = gauge("incidents_open", "Firing incidents.", "cluster", "severity")

	deploymentActive = gauge("deployment_active",
		"1 for each ongoing announced deployment, by its name; absent otherwise.",
		"cluster", "deployment")

	notificationsTotal = counter("notifications_total",
		"Attempts to deliver a notification: delivered, retried (failed and will be retried), buried (failed permanently).", "receiver", "result")
	notificationQueue = gauge("notification_queue_length", "Notifications that wait for delivery.")
)

// Metrics of the daemon itself.
var (
	scheduleLag = histogram("schedule_lag_seconds",
		"Delay of the start of jobs, up to their interval. A delay of seconds means that the machine is too small for its clusters.")
	scheduleStretch = gauge("schedule_stretch_ratio",
		"By which factor intervals are longer than configured because the machine is too small for its clusters; 1 if the schedule is kept.")
	jobsSkipped = counter("jobs_skipped_total",
		"Jobs that did not run when they were due because the previous run continued.", "cluster", "job")
	heartbeatSuccessful = gauge("heartbeat_last_successful",
		"Whether the last heartbeat was sent and accepted; 0 also while it is withheld because rounds stop or notifications are stuck. Absent without a heartbeat.")
	fleetInstances = gauge("fleet_instances",
		"Number of instances of the fleet that are alive. Absent without a fleet.")
	leaseOwner = gauge("lease_owner",
		"1 for each cluster that this instance of the fleet watches. Its other series are those of these clusters only, but `stickwatch_deployment_active` has all clusters.", "cluster")
	fleetTakeovers = counter("fleet_takeovers_total",
		"Clusters that this instance took over from one that had failed. Absent without a fleet.")
	fleetSkewed = gauge("fleet_config_skewed",
		"Whether another instance of the fleet has another configuration of clusters or alerting. Absent without a fleet.")
	fleetClock = gauge("fleet_clock_ahead_seconds",
		"By how much the clock of this machine is ahead of that of the fleet's database; negative: it is behind. Times in the history and on the page are those of the database. Absent without a fleet.")
	proberImpaired = gauge("prober_impaired",
		"Whether stickwatch itself cannot probe, so that no cluster is judged.")
	reloadSuccessful = gauge("config_last_reload_successful",
		"Whether the last reload of the configuration succeeded. At 0, the previous configuration is still in use.")
	reloadTimestamp = gauge("config_last_reload_success_timestamp_seconds",
		"Time when the active configuration was loaded, as a Unix time.")
	panicsTotal = counter("panics_total",
		"Recovered panics of stickwatch since the start, by component. Each is a bug; the log contains its stack trace.",
		"component")
	logDropped = counter("log_lines_dropped_total",
		"Log lines that were dropped since the start because standard error was blocked or closed.")
	buildInfo = gauge("build_info", "Always 1, with the version, revision and Go version of the binary.", "version", "revision", "goversion")
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

func (m Metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil) }
