package dashboards

import "fmt"

// This file has the queries that more than one panel asks, and the words for
// what they answer.

var (
	verdicts   = valueMapping(valueText{"healthy", green}, valueText{"inconclusive", gray}, valueText{"degraded", yellow}, valueText{"failing", red})
	yesNo      = valueMapping(valueText{"no", red}, valueText{"yes", green})
	upDown     = valueMapping(valueText{"down", red}, valueText{"up", green})
	nodeStates = valueMapping(valueText{"down", red}, valueText{"paused", orange}, valueText{"out of rotation", yellow},
		valueText{"up, rotation unknown", blue}, valueText{"in rotation", green})
)

// within is a selector's least or greatest value (fn: min, max) in a window, so
// that what was over between two points of a graph is still seen; "": now.
func within(fn, selector, window string) string {
	if window == "" {
		return selector
	}
	return fmt.Sprintf("%s_over_time(%s[%s])", fn, selector, window)
}

// verdictOf is the worst verdict of clusters within a window as a place in
// verdicts, over all monitors.
func verdictOf(clusters, window string) string {
	is := func(verdict string) string {
		return within("max", fmt.Sprintf("stickwatch_cluster_verdict{%s, verdict=%q}", clusters, verdict), window)
	}
	return fmt.Sprintf("max by (cluster) (\n  0 * (%s == 1)\n  or 1 * (%s == 1)\n  or 2 * (%s == 1)\n  or 3 * (%s == 1)\n)",
		is("healthy"), is("inconclusive"), is("degraded"), is("failing"))
}

// nodeStateExpr is what is to be said of nodes first, as a place in nodeStates: one that
// is down is out of rotation, too.
func nodeStateExpr(nodes, window string) string {
	up := within("min", fmt.Sprintf("stickwatch_node_up{%s}", nodes), window)
	paused := within("max", fmt.Sprintf(`stickwatch_node_state{%s, state="paused"}`, nodes), window)
	rotation := within("min", fmt.Sprintf("stickwatch_node_in_rotation{%s}", nodes), window)
	return fmt.Sprintf(`0 * max by (cluster, node) (%[1]s == 0)
or max by (cluster, node) (%[2]s == 1)
or 2 + max by (cluster, node) (%[3]s == 0)
or 3 + max by (cluster, node) (%[3]s == 1)
or 3 * max by (cluster, node) (%[1]s == 1)`, up, paused, rotation)
}

// causes are findings but for those that another one explains.
func causes(clusters string) string {
	return fmt.Sprintf(`max by (cluster, code, severity, node) (stickwatch_finding_active{%[1]s})
unless max by (cluster, code, severity, node) (stickwatch_finding_explained{%[1]s})`, clusters)
}

// affected is the estimated share of clients that causes concern, where there is
// an estimate.
func affected(clusters string) string {
	return fmt.Sprintf("max by (cluster, code, severity, node) (stickwatch_finding_affected_ratio{%s})\nand (%s)", clusters, causes(clusters))
}

func causeTable(clusters string) panel {
	return table("What is wrong", "Findings that hold now, without those that another one explains. The finding's evidence and remedy are on stickwatch's own page.",
		column{Name: "Cluster", Label: "cluster"},
		column{Name: "Severity", Label: "severity", Props: asSeverity()},
		column{Name: "Finding", Label: "code"},
		column{Name: "Node", Label: "node"},
		column{Expr: causes(clusters)},
		column{Name: "Clients affected", Expr: affected(clusters), Props: asPercentage()},
	).sized(12, 9).sortedBy("Severity")
}

// quantile of how long probes took, over the label by.
func quantile(q float64, by, matchers string) string {
	return fmt.Sprintf(`histogram_quantile(%g, sum by (%s, le) (rate(stickwatch_probe_duration_seconds_bucket{%s}[$__rate_interval])))`, q, by, matchers)
}

// requests through the balancer, and those of them that were answered as they
// should be. Probes that stickwatch itself cancelled say nothing.
func requests(clusters, window string) string {
	return fmt.Sprintf(`sum by (cluster) (rate(stickwatch_probes_total{%s, probe=~"balancer|canary", result!="cancelled"}[%s]))`, clusters, window)
}

func answered(clusters, window string) string {
	return fmt.Sprintf(`sum by (cluster) (rate(stickwatch_probes_total{%s, probe=~"balancer|canary", result="ok"}[%s]))`, clusters, window)
}

// availability is 0 rather than absent where nothing was answered as it should
// be, and absent where nothing was asked.
func availability(clusters, window string) string {
	return fmt.Sprintf("(%s or 0 * %s)\n/ (%[2]s > 0)", answered(clusters, window), requests(clusters, window))
}

// sessionUptime is the share of requests of our clients, of those with a known
// outcome, that were served with their session, be it by another node.
func sessionUptime(matchers, by, window string) string {
	rate := func(outcomes string) string {
		return fmt.Sprintf(`sum by (%s) (rate(stickwatch_client_requests_total{%s, %s}[%s]))`, by, matchers, outcomes, window)
	}
	return fmt.Sprintf("%s\n/ (%s > 0)", rate(`outcome=~"served|moved"`), rate(`outcome!="unknown"`))
}

func budgetLeft(clusters string) string {
	return fmt.Sprintf("1 - (1 - %s) / (1 - $objective)", availability(clusters, "$__range"))
}

// deploymentAnnotation marks deployments for their length.
func deploymentAnnotation(clusters string) annotated {
	return annotation("Deployments", blue,
		fmt.Sprintf(`max by (cluster, deployment) (max_over_time(stickwatch_deployment_active{%s}[1m]))`, clusters),
		"Deployment {{deployment}}", "of {{cluster}}")
}

// moved are moves at the minute in which they were counted. The difference is
// exact where increase() would extrapolate, and one move is one mark.
func moved(matchers, by string) string {
	return fmt.Sprintf("sum by (%[2]s) (stickwatch_session_moves_total{%[1]s} - stickwatch_session_moves_total{%[1]s} offset 1m) > 0", matchers, by)
}

func lostAnnotation(clusters string) annotated {
	return annotation("Sessions lost", red, moved(clusters+`, session="lost"`, "cluster, from, to"),
		"Session lost", "{{cluster}}: from {{from}} to {{to}}")
}

func keptAnnotation(clusters string) annotated {
	return annotation("Sessions moved", green, moved(clusters+`, session="kept"`, "cluster, from, to"),
		"Session moved and kept", "{{cluster}}: from {{from}} to {{to}}")
}
