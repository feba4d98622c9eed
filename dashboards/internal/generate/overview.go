package main

// overview returns the dashboard of all clusters.
func overview() *builder {
	d := newDashboard("stickwatch-overview", "stickwatch / Overview",
		"All clusters: current findings, stickiness, rotation and service level.").
		WithVariable(datasourceVariable()).
		WithVariable(severalOf(labelVariable("cluster", "Cluster", "stickwatch_cluster_verdict"))).
		WithVariable(objectiveVariable()).
		Annotation(deploymentAnnotation(`cluster=~"$cluster"`)).
		Annotation(lostAnnotation(`cluster=~"$cluster"`))
	addRow(d, "Now",
		clustersWith("failing", red), clustersWith("degraded", yellow), clustersWith("inconclusive", yellow),
		openIncidents(), outOfRotation(), lostSessions(),
		clusterTable(), causeTable(`cluster=~"$cluster"`))
	addRow(d, "Over time", verdictTimeline(), stickyTimeline(), rotationShare(), movesByOutcome())
	addRow(d, "Service level", availabilityTable(), availabilityGraph())
	addRow(d, "stickwatch itself", roundAge(), scheduleLag(), notifications(), historyHealth())
	return d
}

func clustersWith(verdict, color string) panel {
	return number("Clusters "+verdict, "The verdict of the newest round.",
		`sum(stickwatch_cluster_verdict{cluster=~"$cluster", verdict="`+verdict+`"})`).
		Thresholds(scale(green, from(1, color)))
}

func openIncidents() panel {
	return number("Open incidents", "Incidents that are firing now.",
		`sum(stickwatch_incidents_open{cluster=~"$cluster"}) or vector(0)`).
		Thresholds(scale(green, from(1, red)))
}

func outOfRotation() panel {
	return number("Nodes out of rotation", "Nodes out of rotation. Nodes whose rotation is unknown are not counted.",
		`count(stickwatch_node_in_rotation{cluster=~"$cluster"} == 0) or vector(0)`).
		Thresholds(scale(green, from(1, yellow)))
}

func lostSessions() panel {
	return number("Sessions lost", "Sessions of canaries that moved and were lost, in the selected time range.",
		`sum(increase(stickwatch_session_moves_total{cluster=~"$cluster", session="lost"}[$__range])) or vector(0)`).
		Thresholds(scale(green, from(0.5, red))).Decimals(0)
}

// clusterTable has a row a cluster.
func clusterTable() panel {
	return rows("Clusters", "One row per cluster. The name links to the Cluster dashboard.",
		column{Name: "Cluster", Label: "cluster", Props: leadsTo("Show the cluster",
			"/d/stickwatch-cluster?var-cluster=${__value.raw}&${datasource:queryparam}&${__url_time_range}")},
		column{Name: "Verdict", Expr: verdictOf(`cluster=~"$cluster"`, ""), Props: asWords(verdicts)},
		column{Name: "Sessions stick", Expr: `min by (cluster) (stickwatch_session_sticky{cluster=~"$cluster"})`, Props: asWords(yesNo)},
		column{Name: "Survive failover", Expr: `min by (cluster) (stickwatch_session_shared{cluster=~"$cluster"})`, Props: asWords(yesNo)},
		column{Name: "Balancer", Expr: `min by (cluster) (stickwatch_balancer_up{cluster=~"$cluster"})`, Props: asWords(upDown)},
		column{Name: "Nodes up", Expr: `sum by (cluster) (stickwatch_node_up{cluster=~"$cluster"})`},
		column{Name: "In rotation", Expr: `sum by (cluster) (stickwatch_node_in_rotation{cluster=~"$cluster"})`},
		column{Name: "Nodes", Expr: `count by (cluster) (stickwatch_node_up{cluster=~"$cluster"})`},
	).Height(9)
}

func verdictTimeline() panel {
	return timeline("Verdicts", "The worst verdict of each cluster in each interval.", verdicts, perInterval(verdictOf(`cluster=~"$cluster"`, "$__interval"), "{{cluster}}"))
}

func stickyTimeline() panel {
	return timeline("Do sessions stick?", "Gaps are unknown, or not demanded by the policy of the cluster.", yesNo,
		perInterval(`min by (cluster) (min_over_time(stickwatch_session_sticky{cluster=~"$cluster"}[$__interval]))`, "{{cluster}}"))
}

func rotationShare() panel {
	return series("Nodes in rotation", "The share of nodes in rotation, among nodes whose rotation is known.",
		perInterval(`avg by (cluster) (min_over_time(stickwatch_node_in_rotation{cluster=~"$cluster"}[$__interval]))`, "{{cluster}}")).Unit("percentunit").Decimals(0).Max(1)
}

func movesByOutcome() panel {
	return bars("Sessions that moved", "Sessions of canaries that moved: kept or lost.",
		perInterval(`sum by (cluster, session) (increase(stickwatch_session_moves_total{cluster=~"$cluster"}[$__interval])) > 0`, "{{cluster}}: {{session}}"))
}

// availabilityTable compares the selected time range with the objective.
func availabilityTable() panel {
	return rows("Service level in the selected time range",
		"Availability is the share of successful requests through the balancer. Sessions is the share of requests that were served with their session. The error budget is 100 % at the start and 0 % when the objective is just missed.",
		column{Name: "Cluster", Label: "cluster"},
		column{Name: "Availability", Expr: availability(`cluster=~"$cluster"`, "$__range"), Props: asShare(from(0.99, yellow), from(0.999, green))},
		column{Name: "Sessions", Expr: sessionUptime(`cluster=~"$cluster"`, "cluster", "$__range"), Props: asShare(from(0.99, yellow), from(0.999, green))},
		column{Name: "Error budget left", Expr: budgetLeft(`cluster=~"$cluster"`), Props: asShare(from(0, yellow), from(0.25, green))},
		column{Name: "Nodes up", Expr: `avg by (cluster) (avg_over_time(stickwatch_node_up{cluster=~"$cluster"}[$__range]))`, Props: asShare(from(0.9, yellow), from(0.99, green))},
		column{Name: "Incidents", Expr: `sum by (cluster) (increase(stickwatch_incidents_total{cluster=~"$cluster"}[$__range]))`, Props: asCount()},
		column{Name: "Sessions lost", Expr: `sum by (cluster) (increase(stickwatch_session_moves_total{cluster=~"$cluster", session="lost"}[$__range]))`, Props: asCount()},
	)
}

func availabilityGraph() panel {
	return series("Availability of the last hour", "Over the previous hour at each point.",
		overRange(availability(`cluster=~"$cluster"`, "1h"), "{{cluster}}")).Unit("percentunit").Decimals(2).Max(1)
}

func roundAge() panel {
	return series("Age of the newest round", "A rising line means that the cluster is not monitored.",
		overRange(`time() - max by (cluster) (stickwatch_round_timestamp_seconds{cluster=~"$cluster"})`, "{{cluster}}")).Unit("s")
}

func scheduleLag() panel {
	return series("Schedule", "The delay of rounds, and jobs that were skipped because the previous one was still running. Seconds mean that the machine is too small.",
		overRange(`histogram_quantile(0.99, sum by (le) (rate(stickwatch_schedule_lag_seconds_bucket[$__rate_interval])))`, "lag, p99"),
		overRange(`sum by (cluster, job) (rate(stickwatch_jobs_skipped_total{cluster=~"$cluster"}[$__rate_interval])) > 0`, "{{cluster}}: {{job}} skipped per second")).Unit("s")
}

func notifications() panel {
	return series("Notifications", "retried: the receiver refused it, and it will be retried. buried: it was abandoned. The queue should soon be empty.",
		overRange(`sum by (receiver, result) (increase(stickwatch_notifications_total[$__rate_interval]))`, "{{receiver}}: {{result}}"),
		overRange(`max(stickwatch_notification_queue_length)`, "waiting"))
}

func historyHealth() panel {
	return series("History", "The duration of writes, and data that was not written. Probing never waits for the history.",
		overRange(`histogram_quantile(0.99, sum by (le) (rate(stickwatch_history_write_seconds_bucket[$__rate_interval])))`, "write, p99"),
		overRange(`sum(rate(stickwatch_history_dropped_total[$__rate_interval]))`, "rows dropped per second"),
		overRange(`sum(rate(stickwatch_history_write_errors_total[$__rate_interval]))`, "failed writes per second")).Unit("s")
}
