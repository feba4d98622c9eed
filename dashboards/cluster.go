package dashboards

// cluster returns the dashboard for incident response: one cluster, node by node.
func cluster() Dashboard {
	d := newDashboard("stickwatch-cluster", "stickwatch / Cluster",
		"One cluster: its nodes over time, its sessions, where the time goes, and what was wrong.")
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
		stat("Verdict", "Of the newest round.", verdictOf(`cluster="$cluster"`, "")).sized(4, 4).withMapping(verdicts),
		stat("Sessions stick", "Whether a session stays on its node while that is well.",
			`min(stickwatch_session_sticky{cluster="$cluster"})`).withMapping(yesNo).noValue("unknown"),
		stat("Survive failover", "Whether other nodes know a session, so that its node may fail.",
			`min(stickwatch_session_shared{cluster="$cluster"})`).withMapping(yesNo).noValue("unknown"),
		stat("Balancer", "Whether every address of the balancer gives an HTTP answer.",
			`min(stickwatch_balancer_up{cluster="$cluster"})`).withMapping(upDown),
		stat("Nodes in rotation", "The share of nodes that the balancer sends requests, of those of which it is known.",
			`avg(stickwatch_node_in_rotation{cluster="$cluster"})`).share(0).colored(red, from(0.5, yellow), from(1, green)).noValue("unknown"),
		stat("Last picture", "How long ago the newest round began. Minutes mean that nobody is watching.",
			`time() - max(stickwatch_round_timestamp_seconds{cluster="$cluster"})`).in("s").colored(green, from(120, yellow), from(600, red)),
	}
}

func clusterNodes() []panel {
	return []panel{
		row("Nodes"),
		timeline("Nodes", "What is to be said of each node first: that it is down, that it calls itself paused, or that the balancer sends it nothing.",
			nodeStates, perInterval(nodeStateExpr(`cluster="$cluster", node=~"$node"`, "$__interval"), "{{node}}")).sized(gridWidth, 8),
		timeline("Rotation", "Whether the balancer sends a node requests. A gap where it cannot be told.", yesNo,
			perInterval(`min by (node) (min_over_time(stickwatch_node_in_rotation{cluster="$cluster", node=~"$node"}[$__interval]))`, "{{node}}")),
		timeline("Versions", "A lane for each version that a node has run. Two nodes on two versions is a deployment that is not finished.",
			mapping{Type: "value", Options: map[string]word{"1": {Text: "runs", Color: blue}}},
			perInterval(`max by (node, version) (max_over_time(stickwatch_node_info{cluster="$cluster", node=~"$node"}[$__interval]))`, "{{node}} {{version}}")),
	}
}

func clusterSessions() []panel {
	return []panel{
		row("Sessions"),
		bars("What clients met", "Requests of stickwatch's own clients that were not simply served: an error, another page, a session that was lost, came back older or was another client's; or moved to another node with nothing lost; or unknown, where the answer does not tell.",
			perInterval(`sum by (outcome) (increase(stickwatch_client_requests_total{cluster="$cluster", outcome!="served"}[$__interval])) > 0`, "{{outcome}}")),
		series("Uptime of sessions in the last hour", "At each moment, over the hour before it: the share of requests that were served with their session, by the node that owns it. What is unknown is left out.",
			overRange(sessionUptime(`cluster="$cluster", node=~"$node", node!=""`, "node", "1h"), "{{node}}"),
			overRange(`vector($objective)`, "objective")).share(2),
		bars("Sessions that moved", "Sessions of canaries that changed their node, from and to which, and whether their contents went along.",
			perInterval(`sum by (from, to, session) (increase(stickwatch_session_moves_total{cluster="$cluster"}[$__interval])) > 0`, "{{from}} to {{to}}, {{session}}")),
		series("Age of the canaries", "How long ago the session that a node holds was opened. A fall to zero is a session that was lost, or renewed when it had lived long enough.",
			overRange(`max by (node) (stickwatch_canary_age_seconds{cluster="$cluster", node=~"$node"})`, "{{node}}")).in("s"),
	}
}

func clusterLatency() []panel {
	return []panel{
		row("Latency"),
		series("Through the balancer and directly", "The balancer's and the canaries' requests go through the balancer; those to nodes and sessions straight to a node. What lies between the lines is the balancer's, or the queue before the nodes.",
			overRange(quantile(0.5, "probe", `cluster="$cluster", phase="total", probe=~"balancer|canary|node|session"`), "{{probe}}, median"),
			overRange(quantile(0.95, "probe", `cluster="$cluster", phase="total", probe=~"balancer|canary|node|session"`), "{{probe}}, p95")).in("s"),
		series("By phase", "The mean of each phase of requests to the chosen nodes; the phases follow each other. first_byte is the application's time.",
			overRange(`sum by (phase) (rate(stickwatch_probe_duration_seconds_sum{cluster="$cluster", target=~"$node", phase!="total"}[$__rate_interval]))
/ sum by (phase) (rate(stickwatch_probe_duration_seconds_count{cluster="$cluster", target=~"$node", phase!="total"}[$__rate_interval]))`, "{{phase}}")).in("s").stacked(),
		series("By node, directly", "The 95th percentile of requests straight to a node.",
			overRange(quantile(0.95, "target", `cluster="$cluster", target=~"$node", phase="total", probe=~"node|session|page"`), "{{target}}")).in("s"),
		bars("Probes that failed", "By what was asked for and how it failed.",
			perInterval(`sum by (probe, target, result) (increase(stickwatch_probes_total{cluster="$cluster", result!~"ok|cancelled"}[$__interval])) > 0`, "{{probe}} {{target}}: {{result}}")),
	}
}

func clusterDependencies() []panel {
	return []panel{
		row("Dependencies, clocks, certificates"),
		timeline("Dependencies", "A lane a dependency; a gap where it is not known.", upDown,
			perInterval(`min by (dependency) (min_over_time(stickwatch_dependency_up{cluster="$cluster"}[$__interval]))`, "{{dependency}}")),
		series("Clock offsets", "Bounds of the difference between the clock of each node and ours. Two nodes certainly differ where their bands do not meet.",
			overRange(`max by (node, bound) (stickwatch_clock_offset_seconds{cluster="$cluster", node=~"$node"})`, "{{node}} {{bound}}")).in("s"),
		table("Certificates", "How long the certificates that nodes and balancers show will last.",
			column{Name: "Target", Label: "target"},
			column{
				Name: "Expires in", Expr: `min by (target) (stickwatch_certificate_expiry_timestamp_seconds{cluster="$cluster"}) - time()`,
				Props: asUnit("s"),
			}).sized(12, 6),
		table("What runs where", "The version that each node says it runs.",
			column{Name: "Node", Label: "node"},
			column{Name: "Version", Label: "version"},
			column{Expr: `max by (node, version) (stickwatch_node_info{cluster="$cluster", node=~"$node"})`}).sized(12, 6),
	}
}

func clusterHistory() []panel {
	p := stat("Availability", "The share of requests through the balancer that were answered as they should be, in the time shown.",
		availability(`cluster="$cluster"`, "$__range")).sized(4, 8).colored(red, from(0.99, yellow), from(0.999, green))
	sessions := stat("Sessions", "The share of requests of clients that were served with their session, in the time shown. It counts what availability does not: a session that is lost is no uptime, however well the page was answered.",
		sessionUptime(`cluster="$cluster"`, "cluster", "$__range")).sized(4, 8).colored(red, from(0.99, yellow), from(0.999, green)).noValue("no data")
	return []panel{
		row("Findings, incidents and service level"),
		causeTable(`cluster="$cluster"`).sized(12, 8),
		bars("Incidents", "Incidents that began, by the code of their cause.",
			perInterval(`sum by (code) (increase(stickwatch_incidents_total{cluster="$cluster"}[$__interval])) > 0`, "{{code}}")),
		p.share(3), sessions.share(3),
		stat("Error budget left", "Of the failures that the objective allows in the time shown: 100 % at the start, below 0 % when it is missed.",
			budgetLeft(`cluster="$cluster"`)).sized(4, 8).in("percentunit").colored(red, from(0, yellow), from(0.25, green)),
		series("Availability of the last hour", "At each moment, over the hour before it.",
			overRange(availability(`cluster="$cluster"`, "1h"), "availability"),
			overRange(sessionUptime(`cluster="$cluster"`, "cluster", "1h"), "sessions"),
			overRange(`vector($objective)`, "objective")).share(2),
	}
}
