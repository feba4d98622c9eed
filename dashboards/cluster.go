package dashboards

// cluster returns the dashboard for incident response: one cluster, node by node.
func cluster() Dashboard {
	d := newDashboard("stickwatch-cluster", "stickwatch / Cluster",
		"One cluster: its nodes, sessions, latency and findings over time.")
	d.Templating.List = []variable{
		datasourceVariable(),
		labelVariable("cluster", "Cluster", "stickwatch_cluster_verdict"),
		labelVariable("node", "Node", `stickwatch_node_up{cluster="$cluster"}`).multi(),
		objectiveVariable(),
	}
	d.Annotations.List = []annotated{
		deploymentAnnotation(`cluster="$cluster"`),
		lostAnnotation(`cluster="$cluster"`),
		keptAnnotation(`cluster="$cluster"`),
	}
	var panels []panel
	for _, rows := range [][]panel{clusterNow(), clusterNodes(), clusterSessions(), clusterLatency(), clusterDependencies(), clusterHistory()} {
		panels = append(panels, rows...)
	}
	d.Panels = arrange(panels...)
	return d
}

func clusterNow() []panel {
	return []panel{
		row("Now"),
		stat("Verdict", "The verdict of the newest round.", verdictOf(`cluster="$cluster"`, "")).sized(4, 4).withMapping(verdicts),
		stat("Sessions stick", "Whether sessions stay on their node while it is healthy.",
			`min(stickwatch_session_sticky{cluster="$cluster"})`).withMapping(yesNo).noValue("unknown"),
		stat("Survive failover", "Whether other nodes know a session, so that it survives a failure of its node.",
			`min(stickwatch_session_shared{cluster="$cluster"})`).withMapping(yesNo).noValue("unknown"),
		stat("Balancer", "Whether every address of the balancer returns an HTTP answer.",
			`min(stickwatch_balancer_up{cluster="$cluster"})`).withMapping(upDown),
		stat("Nodes in rotation", "The share of nodes in rotation, among nodes whose rotation is known.",
			`avg(stickwatch_node_in_rotation{cluster="$cluster"})`).share(0).colored(red, from(0.5, yellow), from(1, green)).noValue("unknown"),
		stat("Last round", "The age of the newest round. Minutes mean that the cluster is not monitored.",
			`time() - max(stickwatch_round_timestamp_seconds{cluster="$cluster"})`).in("s").colored(green, from(120, yellow), from(600, red)),
	}
}

func clusterNodes() []panel {
	return []panel{
		row("Nodes"),
		timeline("Nodes", "The state of each node: down, paused by itself, or out of rotation.",
			nodeStates, perInterval(nodeStateExpr(`cluster="$cluster", node=~"$node"`, "$__interval"), "{{node}}")).sized(gridWidth, 8),
		timeline("Rotation", "Whether a node is in rotation. Gaps are unknown.", yesNo,
			perInterval(`min by (node) (min_over_time(stickwatch_node_in_rotation{cluster="$cluster", node=~"$node"}[$__interval]))`, "{{node}}")),
		timeline("Versions", "A row for each version of a node. Different versions mean that a deployment is not finished.",
			mapping{Type: "value", Options: map[string]word{"1": {Text: "runs", Color: blue}}},
			perInterval(`max by (node, version) (max_over_time(stickwatch_node_info{cluster="$cluster", node=~"$node"}[$__interval]))`, "{{node}} {{version}}")),
	}
}

func clusterSessions() []panel {
	return []panel{
		row("Sessions"),
		bars("What clients met", "Requests of stickwatch's clients with an outcome other than served: error; wrong page; session lost, rolled back or of another client; moved to another node without loss; or unknown.",
			perInterval(`sum by (outcome) (increase(stickwatch_client_requests_total{cluster="$cluster", outcome!="served"}[$__interval])) > 0`, "{{outcome}}")),
		series("Uptime of sessions in the last hour", "The share of requests that were served with their session during the previous hour, by owner node. Unknown outcomes are excluded.",
			overRange(sessionUptime(`cluster="$cluster", node=~"$node", node!=""`, "node", "1h"), "{{node}}"),
			overRange(`vector($objective)`, "objective")).share(2),
		bars("Sessions that moved", "Sessions of canaries that moved, by nodes and by whether they were kept.",
			perInterval(`sum by (from, to, session) (increase(stickwatch_session_moves_total{cluster="$cluster"}[$__interval])) > 0`, "{{from}} to {{to}}, {{session}}")),
		series("Age of the canaries", "The age of the canary session of each node. A drop to zero is a lost session, or a planned renewal.",
			overRange(`max by (node) (stickwatch_canary_age_seconds{cluster="$cluster", node=~"$node"})`, "{{node}}")).in("s"),
	}
}

func clusterLatency() []panel {
	return []panel{
		row("Latency"),
		series("Through the balancer and directly", "Requests to the balancer and of canaries go through the balancer; requests to nodes and sessions go directly to a node. The difference is the time of the balancer, or of the queue in front of the nodes.",
			overRange(quantile(0.5, "probe", `cluster="$cluster", phase="total", probe=~"balancer|canary|node|session"`), "{{probe}}, median"),
			overRange(quantile(0.95, "probe", `cluster="$cluster", phase="total", probe=~"balancer|canary|node|session"`), "{{probe}}, p95")).in("s"),
		series("By phase", "The mean duration of each phase of requests to the selected nodes. first_byte is the time of the application.",
			overRange(`sum by (phase) (rate(stickwatch_probe_duration_seconds_sum{cluster="$cluster", target=~"$node", phase!="total"}[$__rate_interval]))
/ sum by (phase) (rate(stickwatch_probe_duration_seconds_count{cluster="$cluster", target=~"$node", phase!="total"}[$__rate_interval]))`, "{{phase}}")).in("s").stacked(),
		series("By node, directly", "The 95th percentile of direct requests to a node.",
			overRange(quantile(0.95, "target", `cluster="$cluster", target=~"$node", phase="total", probe=~"node|session|page"`), "{{target}}")).in("s"),
		bars("Failed probes", "Failed probes by kind, target and result.",
			perInterval(`sum by (probe, target, result) (increase(stickwatch_probes_total{cluster="$cluster", result!~"ok|cancelled"}[$__interval])) > 0`, "{{probe}} {{target}}: {{result}}")),
	}
}

func clusterDependencies() []panel {
	return []panel{
		row("Dependencies, clocks, certificates"),
		timeline("Dependencies", "The state of each dependency. Gaps are unknown.", upDown,
			perInterval(`min by (dependency) (min_over_time(stickwatch_dependency_up{cluster="$cluster"}[$__interval]))`, "{{dependency}}")),
		series("Clock offsets", "Bounds of the offset of each node's clock from ours. The clocks of two nodes differ if their bands do not overlap.",
			overRange(`max by (node, bound) (stickwatch_clock_offset_seconds{cluster="$cluster", node=~"$node"})`, "{{node}} {{bound}}")).in("s"),
		table("Certificates", "The remaining validity of the certificates of nodes and balancers.",
			column{Name: "Target", Label: "target"},
			column{
				Name: "Expires in", Expr: `min by (target) (stickwatch_certificate_expiry_timestamp_seconds{cluster="$cluster"}) - time()`,
				Props: asUnit("s"),
			}).sized(12, 6),
		table("Versions by node", "The version that each node reports.",
			column{Name: "Node", Label: "node"},
			column{Name: "Version", Label: "version"},
			column{Expr: `max by (node, version) (stickwatch_node_info{cluster="$cluster", node=~"$node"})`}).sized(12, 6),
	}
}

func clusterHistory() []panel {
	p := stat("Availability", "The share of successful requests through the balancer in the selected time range.",
		availability(`cluster="$cluster"`, "$__range")).sized(4, 8).colored(red, from(0.99, yellow), from(0.999, green))
	sessions := stat("Sessions", "The share of requests that were served with their session in the selected time range. Unlike availability, it counts a lost session as a failure even if the page was answered.",
		sessionUptime(`cluster="$cluster"`, "cluster", "$__range")).sized(4, 8).colored(red, from(0.99, yellow), from(0.999, green)).noValue("no data")
	return []panel{
		row("Findings, incidents and service level"),
		causeTable(`cluster="$cluster"`).sized(12, 8),
		bars("Incidents", "New incidents by the code of their cause.",
			perInterval(`sum by (code) (increase(stickwatch_incidents_total{cluster="$cluster"}[$__interval])) > 0`, "{{code}}")),
		p.share(3), sessions.share(3),
		stat("Error budget left", "The remaining share of the failures that the objective allows in the selected time range. Below 0 % the objective is missed.",
			budgetLeft(`cluster="$cluster"`)).sized(4, 8).in("percentunit").colored(red, from(0, yellow), from(0.25, green)),
		series("Availability of the last hour", "Over the previous hour at each point.",
			overRange(availability(`cluster="$cluster"`, "1h"), "availability"),
			overRange(sessionUptime(`cluster="$cluster"`, "cluster", "1h"), "sessions"),
			overRange(`vector($objective)`, "objective")).share(2),
	}
}
