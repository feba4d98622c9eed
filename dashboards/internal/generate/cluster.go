package main

// cluster returns the dashboard for incident response: one cluster, node by node.
func cluster() *builder {
	board := newDashboard("stickwatch-cluster", "stickwatch / Cluster",
		"One cluster: its nodes, sessions, latency and findings over time.").
		WithVariable(datasourceVariable()).
		WithVariable(labelVariable("cluster", "Cluster", "stickwatch_cluster_verdict")).
		WithVariable(severalOf(labelVariable("node", "Node", `stickwatch_node_up{cluster="$cluster"}`))).
		WithVariable(objectiveVariable()).
		Annotation(deploymentAnnotation(`cluster="$cluster"`)).
		Annotation(lostAnnotation(`cluster="$cluster"`)).
		Annotation(keptAnnotation(`cluster="$cluster"`))
	addRow(board, "Now", clusterNow()...)
	addRow(board, "Nodes", clusterNodes()...)
	addRow(board, "Sessions", clusterSessions()...)
	addRow(board, "Latency", clusterLatency()...)
	addRow(board, "Dependencies, clocks, certificates", clusterDependencies()...)
	addRow(board, "Findings, incidents and service level", clusterHistory()...)
	return board
}

func clusterNow() []panel {
	return []panel{
		number("Verdict", "The verdict of the newest round.", verdictOf(`cluster="$cluster"`, "")).Mappings(verdicts),
		number("Sessions stick", "Whether sessions stay on their node while it is healthy.",
			`min(stickwatch_session_sticky{cluster="$cluster"})`).Mappings(yesNo).NoValue("unknown"),
		number("Survive failover", "Whether other nodes know a session, so that it survives a failure of its node.",
			`min(stickwatch_session_shared{cluster="$cluster"})`).Mappings(yesNo).NoValue("unknown"),
		number("Balancer", "Whether every address of the balancer returns an HTTP answer.",
			`min(stickwatch_balancer_up{cluster="$cluster"})`).Mappings(upDown),
		number("Nodes in rotation", "The share of nodes in rotation, among nodes whose rotation is known.",
			`avg(stickwatch_node_in_rotation{cluster="$cluster"})`).Unit("percentunit").Decimals(0).Max(1).Thresholds(scale(red, from(0.5, yellow), from(1, green))).NoValue("unknown"),
		number("Last round", "The age of the newest round. Minutes mean that the cluster is not monitored.",
			`time() - max(stickwatch_round_timestamp_seconds{cluster="$cluster"})`).Unit("s").Thresholds(scale(green, from(120, yellow), from(600, red))),
	}
}

func clusterNodes() []panel {
	return []panel{
		timeline("Nodes", "The state of each node: down, paused by itself, or out of rotation.",
			nodeStates, perInterval(nodeStateExpr(`cluster="$cluster", node=~"$node"`, "$__interval"), "{{node}}")).Span(gridWidth).Height(8),
		timeline("Rotation", "Whether a node is in rotation. Gaps are unknown.", yesNo,
			perInterval(`min by (node) (min_over_time(stickwatch_node_in_rotation{cluster="$cluster", node=~"$node"}[$__interval]))`, "{{node}}")),
		timeline("Versions", "A row for each version of a node. Different versions mean that a deployment is not finished.",
			mapped(map[string]word{"1": {"runs", blue}}),
			perInterval(`max by (node, version) (max_over_time(stickwatch_node_info{cluster="$cluster", node=~"$node"}[$__interval]))`, "{{node}} {{version}}")),
	}
}

func clusterSessions() []panel {
	return []panel{
		timeline("Canaries", "What the canaries of each node met, the worst in each interval: errors, a lost session (also older values and another client's session), a move to another node without loss, or only answers of their node. Gaps are unknown.",
			sessionStates, perInterval(sessionStateExpr(`cluster="$cluster", node=~"$node", node!=""`, "$__interval"), "{{node}}")).Span(gridWidth).Height(8),
		bars("What clients met", "Requests of stickwatch's clients with an outcome other than served: error; wrong page; session lost, rolled back or of another client; moved to another node without loss; or unknown.",
			perInterval(`sum by (outcome) (increase(stickwatch_client_requests_total{cluster="$cluster", outcome!="served"}[$__interval])) > 0`, "{{outcome}}")),
		series("Uptime of sessions in the last hour", "The share of requests that were served with their session during the previous hour, by owner node. Unknown outcomes are excluded.",
			overRange(sessionUptime(`cluster="$cluster", node=~"$node", node!=""`, "node", "1h"), "{{node}}"),
			overRange(`vector($objective)`, "objective")).Unit("percentunit").Decimals(2).Max(1),
		bars("Sessions that moved", "Sessions of canaries that moved, by nodes and by whether they were kept.",
			perInterval(`sum by (from, to, session) (increase(stickwatch_session_moves_total{cluster="$cluster"}[$__interval])) > 0`, "{{from}} to {{to}}, {{session}}")),
		series("Age of the canaries", "The age of the canary session of each node. A drop to zero is a lost session, or a planned renewal.",
			overRange(`max by (node) (stickwatch_canary_age_seconds{cluster="$cluster", node=~"$node"})`, "{{node}}")).Unit("s"),
	}
}

func clusterLatency() []panel {
	return []panel{
		series("Through the balancer and directly", "Requests to the balancer and of canaries go through the balancer; requests to nodes and sessions go directly to a node. The difference is the time of the balancer, or of the queue in front of the nodes.",
			overRange(quantile(0.5, "probe", `cluster="$cluster", phase="total", probe=~"balancer|canary|node|session"`), "{{probe}}, median"),
			overRange(quantile(0.95, "probe", `cluster="$cluster", phase="total", probe=~"balancer|canary|node|session"`), "{{probe}}, p95")).Unit("s"),
		series("By phase", "The mean duration of each phase of requests to the selected nodes. first_byte is the time of the application.",
			overRange(`sum by (phase) (rate(stickwatch_probe_duration_seconds_sum{cluster="$cluster", target=~"$node", phase!="total"}[$__rate_interval]))
/ sum by (phase) (rate(stickwatch_probe_duration_seconds_count{cluster="$cluster", target=~"$node", phase!="total"}[$__rate_interval]))`, "{{phase}}")).Unit("s").Stacking(stacked()).FillOpacity(40),
		series("By node, directly", "The 95th percentile of direct requests to a node.",
			overRange(quantile(0.95, "target", `cluster="$cluster", target=~"$node", phase="total", probe=~"node|session|page"`), "{{target}}")).Unit("s"),
		bars("Failed probes", "Failed probes by kind, target and result.",
			perInterval(`sum by (probe, target, result) (increase(stickwatch_probes_total{cluster="$cluster", result!~"ok|cancelled"}[$__interval])) > 0`, "{{probe}} {{target}}: {{result}}")),
	}
}

func clusterDependencies() []panel {
	return []panel{
		timeline("Dependencies", "The state of each dependency. Gaps are unknown.", upDown,
			perInterval(`min by (dependency) (min_over_time(stickwatch_dependency_up{cluster="$cluster"}[$__interval]))`, "{{dependency}}")),
		series("Clock offsets", "Bounds of the offset of each node's clock from ours. The clocks of two nodes differ if their bands do not overlap.",
			overRange(`max by (node, bound) (stickwatch_clock_offset_seconds{cluster="$cluster", node=~"$node"})`, "{{node}} {{bound}}")).Unit("s"),
		rows("Certificates", "The remaining validity of the certificates of nodes and balancers.",
			column{Name: "Target", Label: "target"},
			column{
				Name: "Expires in", Expr: `min by (target) (stickwatch_certificate_expiry_timestamp_seconds{cluster="$cluster"}) - time()`,
				Props: asUnit("s"),
			}).Height(6),
		rows("Versions by node", "The version that each node reports.",
			column{Name: "Node", Label: "node"},
			column{Name: "Version", Label: "version"},
			column{Expr: `max by (node, version) (stickwatch_node_info{cluster="$cluster", node=~"$node"})`}).Height(6),
	}
}

func clusterHistory() []panel {
	return []panel{
		causeTable(`cluster="$cluster"`).Height(8),
		bars("Incidents", "New incidents by the code of their cause.",
			perInterval(`sum by (code) (increase(stickwatch_incidents_total{cluster="$cluster"}[$__interval])) > 0`, "{{code}}")),
		number("Availability", "The share of successful requests through the balancer in the selected time range.",
			availability(`cluster="$cluster"`, "$__range")).Height(8).
			Unit("percentunit").Decimals(3).Max(1).Thresholds(scale(red, from(0.99, yellow), from(0.999, green))),
		number("Sessions", "The share of requests that were served with their session in the selected time range. Unlike availability, it counts a lost session as a failure even if the page was answered.",
			sessionUptime(`cluster="$cluster"`, "cluster", "$__range")).Height(8).
			Unit("percentunit").Decimals(3).Max(1).Thresholds(scale(red, from(0.99, yellow), from(0.999, green))).NoValue("no data"),
		number("Error budget left", "The remaining share of the failures that the objective allows in the selected time range. Below 0 % the objective is missed.",
			budgetLeft(`cluster="$cluster"`)).Height(8).Unit("percentunit").Thresholds(scale(red, from(0, yellow), from(0.25, green))),
		series("Availability of the last hour", "Over the previous hour at each point.",
			overRange(availability(`cluster="$cluster"`, "1h"), "availability"),
			overRange(sessionUptime(`cluster="$cluster"`, "cluster", "1h"), "sessions"),
			overRange(`vector($objective)`, "objective")).Unit("percentunit").Decimals(2).Max(1),
	}
}
