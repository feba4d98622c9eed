package dashboards

import "fmt"

// This file has the queries that more than one panel asks, and the words for
// what they answer.

var (
	verdicts = meanings(meaning{"healthy", green}, meaning{"inconclusive", gray}, meaning{"degraded", yellow}, meaning{"failing", red})
	yesNo    = meanings(meaning{"no", red}, meaning{"yes", green})
	upDown   = meanings(meaning{"down", red}, meaning{"up", green})
	nodeLife = meanings(meaning{"down", red}, meaning{"paused", orange}, meaning{"out of rotation", yellow},
		meaning{"up, rotation unknown", blue}, meaning{"in rotation", green})
)

// verdictOf is the verdict of clusters as a place in verdicts, so that the worst
// of several monitors is the highest.
func verdictOf(clusters string) string {
	is := func(verdict string) string {
		return fmt.Sprintf(`(stickwatch_cluster_verdict{%s, verdict=%q} == 1)`, clusters, verdict)
	}
	return fmt.Sprintf("max by (cluster) (\n  0 * %s\n  or 1 * %s\n  or 2 * %s\n  or 3 * %s\n)",
		is("healthy"), is("inconclusive"), is("degraded"), is("failing"))
}

// lifeOf is what is to be said of nodes first, as a place in nodeLife: one that
// is down is out of rotation, too.
func lifeOf(nodes string) string {
	return fmt.Sprintf(`0 * max by (cluster, node) (stickwatch_node_up{%[1]s} == 0)
or max by (cluster, node) (stickwatch_node_state{%[1]s, state="paused"} == 1)
or 2 + max by (cluster, node) (stickwatch_node_in_rotation{%[1]s} == 0)
or 3 + max by (cluster, node) (stickwatch_node_in_rotation{%[1]s} == 1)
or 3 * max by (cluster, node) (stickwatch_node_up{%[1]s} == 1)`, nodes)
}

// causes are findings but for those that another one explains.
func causes(clusters string) string {
	return fmt.Sprintf(`max by (cluster, code, severity, node) (stickwatch_finding_active{%[1]s})
unless max by (cluster, code, severity, node) (stickwatch_finding_explained{%[1]s})`, clusters)
}

func causeTable(clusters string) panel {
	return table("What is wrong", "Findings that hold now, without those that another one explains. The finding's evidence and remedy are on stickwatch's own page.",
		column{Name: "Cluster", Label: "cluster"},
		column{Name: "Severity", Label: "severity", Props: asSeverity()},
		column{Name: "Finding", Label: "code"},
		column{Name: "Node", Label: "node"},
		column{Name: "Holds", Expr: causes(clusters), Props: hidden()},
	).sized(12, 9)
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
