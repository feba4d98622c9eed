package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// Words for the values of queries.
var (
	verdicts      = numbered(word{"healthy", green}, word{"inconclusive", gray}, word{"degraded", yellow}, word{"failing", red})
	yesNo         = numbered(word{"no", red}, word{"yes", green})
	upDown        = numbered(word{"down", red}, word{"up", green})
	sessionStates = numbered(word{"served", green}, word{"moved and kept", blue}, word{"session lost", red}, word{"errors", orange})
	nodeStates    = numbered(word{"down", red}, word{"paused", orange}, word{"out of rotation", yellow},
		word{"up, rotation unknown", blue}, word{"in rotation", green})
)

// within returns the minimum or maximum (fn: min, max) of a selector in a window, which
// includes events between two points of a graph. The window "" means now.
func within(fn, selector, window string) string {
	if window == "" {
		return selector
	}
	return fmt.Sprintf("%s_over_time(%s[%s])", fn, selector, window)
}

// verdictOf returns the worst verdict of clusters in a window, as an index of verdicts.
func verdictOf(clusters, window string) string {
	is := func(verdict string) string {
		return within("max", fmt.Sprintf("stickwatch_cluster_verdict{%s, verdict=%q}", clusters, verdict), window)
	}
	return fmt.Sprintf("max by (cluster) (\n  0 * (%s == 1)\n  or 1 * (%s == 1)\n  or 2 * (%s == 1)\n  or 3 * (%s == 1)\n)",
		is("healthy"), is("inconclusive"), is("degraded"), is("failing"))
}

// nodeStateExpr returns the worst state of nodes in a window, as an index of nodeStates. A
// node that is down is out of rotation, too, and shows as down.
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

// sessionStateExpr returns the worst outcome of requests of canaries in a window by the node that
// owns their sessions, as an index of sessionStates.
func sessionStateExpr(requests, window string) string {
	met := func(outcomes string) string {
		return fmt.Sprintf(`(sum by (cluster, node) (increase(stickwatch_client_requests_total{%s, outcome=~"%s"}[%s])) > 0)`, requests, outcomes, window)
	}
	return fmt.Sprintf("3 + 0 * %s\nor 2 + 0 * %s\nor 1 + 0 * %s\nor 0 * %s", met("error|wrong_page"), met("lost|stale|foreign"), met("moved"), met("served"))
}

// causes returns the active findings that no other finding explains.
func causes(clusters string) string {
	return fmt.Sprintf(`max by (cluster, code, severity, node) (stickwatch_finding_active{%[1]s})
unless max by (cluster, code, severity, node) (stickwatch_finding_explained{%[1]s})`, clusters)
}

// affected returns the estimated share of affected clients of causes; absent without an
// estimate.
func affected(clusters string) string {
	return fmt.Sprintf("max by (cluster, code, severity, node) (stickwatch_finding_affected_ratio{%s})\nand (%s)", clusters, causes(clusters))
}

func causeTable(clusters string) *table.PanelBuilder {
	return rows("Active findings", "Active findings, without those that another finding explains. Their evidence and remedies are on the status page of stickwatch.",
		column{Name: "Cluster", Label: "cluster"},
		column{Name: "Severity", Label: "severity", Props: asSeverity()},
		column{Name: "Finding", Label: "code"},
		column{Name: "Node", Label: "node"},
		column{Expr: causes(clusters)},
		column{Name: "Clients affected", Expr: affected(clusters), Props: asPercentage()},
	).Height(9).SortBy([]cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName("Severity")})
}

// quantile returns a quantile of the duration of probes by a label.
func quantile(q float64, by, matchers string) string {
	return fmt.Sprintf(`histogram_quantile(%g, sum by (%s, le) (rate(stickwatch_probe_duration_seconds_bucket{%s}[$__rate_interval])))`, q, by, matchers)
}

// requests returns the rate of requests through the balancer, without those that
// stickwatch cancelled; answered returns the successful ones.
func requests(clusters, window string) string {
	return fmt.Sprintf(`sum by (cluster) (rate(stickwatch_probes_total{%s, probe=~"balancer|canary", result!="cancelled"}[%s]))`, clusters, window)
}

func answered(clusters, window string) string {
	return fmt.Sprintf(`sum by (cluster) (rate(stickwatch_probes_total{%s, probe=~"balancer|canary", result="ok"}[%s]))`, clusters, window)
}

// availability returns the share of successful requests. It is 0 if none succeeded and
// absent if there were no requests.
func availability(clusters, window string) string {
	return fmt.Sprintf("(%s or 0 * %s)\n/ (%[2]s > 0)", answered(clusters, window), requests(clusters, window))
}

// sessionUptime returns the share of requests, among those with a known outcome, that were
// served with their session by any node.
func sessionUptime(matchers, by, window string) string {
	rate := func(outcomes string) string {
		return fmt.Sprintf(`sum by (%s) (rate(stickwatch_client_requests_total{%s, %s}[%s]))`, by, matchers, outcomes, window)
	}
	return fmt.Sprintf("%s\n/ (%s > 0)", rate(`outcome=~"served|moved"`), rate(`outcome!="unknown"`))
}

func budgetLeft(clusters string) string {
	return fmt.Sprintf("1 - (1 - %s) / (1 - $objective)", availability(clusters, "$__range"))
}

// deploymentAnnotation marks deployments for their duration.
func deploymentAnnotation(clusters string) cog.Builder[dashboard.AnnotationQuery] {
	return annotation("Deployments", blue,
		fmt.Sprintf(`max by (cluster, deployment) (max_over_time(stickwatch_deployment_active{%s}[1m]))`, clusters),
		"Deployment {{deployment}}", "of {{cluster}}")
}

// moved returns moves in the minute in which they were counted. It uses a difference,
// because increase() extrapolates and would mark a move more than once.
func moved(matchers string) string {
	return fmt.Sprintf("sum by (cluster, from, to) (stickwatch_session_moves_total{%[1]s} - stickwatch_session_moves_total{%[1]s} offset 1m) > 0", matchers)
}

func lostAnnotation(clusters string) cog.Builder[dashboard.AnnotationQuery] {
	return annotation("Sessions lost", red, moved(clusters+`, session="lost"`),
		"Session lost", "{{cluster}}: from {{from}} to {{to}}")
}

func keptAnnotation(clusters string) cog.Builder[dashboard.AnnotationQuery] {
	return annotation("Sessions moved", green, moved(clusters+`, session="kept"`),
		"Session moved and kept", "{{cluster}}: from {{from}} to {{to}}")
}
