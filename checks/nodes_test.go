package checks_test

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

var nodeSpecs = []spec{
	{
		name:  "down: connection refused",
		round: changed(func(r *round) { r.down("node2") }),
		want:  []string{"warning node_down/node2"},
	},
	{
		name: "down: answers 500",
		round: changed(func(r *round) {
			r.direct("node2", page(testPage, 500))
			r.leave("node2")
		}),
		want: []string{"warning node_down/node2"},
	},
	{
		name: "down: the answer breaks off",
		round: changed(func(r *round) {
			cut := page(testPage, 200)
			cut.Failure, cut.Error = probes.FailureReset, "connection closed before the answer was complete"
			r.direct("node2", cut)
			r.leave("node2")
		}),
		want: []string{"warning node_down/node2"},
	},
	{
		name:  "down: critical when none is left",
		round: from(func() *round { return empty(2) }, func(r *round) { r.down("node1", "node2") }),
		want:  []string{"critical node_down/node1", "critical node_down/node2"},
	},
	{
		name: "down: none answers when asked directly, and the balancer serves clients",
		round: from(func() *round { return empty(2) }, func(r *round) {
			r.down("node1", "node2")
			r.visit("node1", "node1", "node1")
		}),
		want: []string{"warning node_down/node1", "warning node_down/node2"},
	},
	{
		name: "down: no new client is served, as when a limit of sessions is reached, and those with a session are",
		round: from(func() *round { return empty(2) }, func(r *round) {
			for _, id := range []string{"node1", "node2"} {
				r.direct(id, page(testPage, 500))
				r.visit(id, id, id).Continued = true
				r.newClients(1, "")
				first := &r.Traces[len(r.Traces)-1].Steps[0]
				first.Status, first.Session, first.ShowsSession = 500, "", false
			}
		}),
		want: []string{"critical node_down/node1", "critical node_down/node2"},
	},
	{
		name: "down: critical though one that the operator took out answers",
		round: from(func() *round { return empty(2) }, func(r *round) {
			r.Cluster.Nodes[1].Down = true
			r.down("node1")
		}),
		want: []string{"critical node_down/node1"},
	},
	{
		name: "down: a backup is left",
		round: from(func() *round { return empty(2) }, func(r *round) {
			r.Cluster.Nodes[1].Backup = true
			r.down("node1")
		}),
		want: []string{"warning node_down/node1"},
	},
	{
		name: "not down: the operator took it out",
		round: changed(func(r *round) {
			r.Cluster.Nodes[1].Down = true
			r.down("node2")
		}),
	},
	{
		name: "not down: its status page is not there",
		round: changed(func(r *round) {
			r.Cluster.Status = &probes.Status{Path: "/status"}
			r.node("node2").Primary = page("/status", 404)
		}),
	},
	{
		name:  "not down: stickwatch broke off",
		round: changed(func(r *round) { r.direct("node2", cancelled(testPage)) }),
	},
	{
		name:  "not down: it was not asked",
		round: changed(func(r *round) { r.Nodes = r.Nodes[:1] }),
	},

	{
		name:  "paused: it says so",
		round: changed(func(r *round) { r.say(probes.StatusReport{State: "Paused"}, "node2") }),
		want:  []string{"critical node_paused/node2"},
	},
	{
		name:  "paused: it gives a reason, whatever it calls that",
		round: changed(func(r *round) { r.say(probes.StatusReport{State: "running", Reason: "licence expired"}, "node2") }),
		want:  []string{"critical node_paused/node2"},
	},
	{
		name: "paused and not down: with a 503",
		round: changed(func(r *round) {
			r.node("node2").Primary = page("/status", 503)
			r.say(probes.StatusReport{State: "paused"}, "node2")
		}),
		want: []string{"critical node_paused/node2"},
	},
	{
		name:  "not paused: any other state is healthy",
		round: changed(func(r *round) { r.say(probes.StatusReport{State: "primary"}, "node1", "node2", "node3") }),
	},
	{
		name: "not paused: the operator took it out",
		round: changed(func(r *round) {
			r.Cluster.Nodes[1].Down = true
			r.say(probes.StatusReport{State: "paused", Reason: "unavailable: Redis"}, "node2")
			r.leave("node2")
		}),
	},
}

const redisDown = "The following dependent services are unavailable: Redis Server"

// redis returns the observation of a dependency.
func redis(up bool) []probes.DependencyObservation {
	d := probes.DependencyObservation{Name: "Redis Server", Up: up}
	if !up {
		d.Error = "connection refused"
	}
	return []probes.DependencyObservation{d}
}

var dependencySpecs = []spec{
	{
		name: "reported: a reason that names ever so many is believed as far as five",
		round: changed(func(r *round) {
			r.say(probes.StatusReport{State: "paused", Reason: "unavailable: s1, s2, s3, s4, s5, s6, s7"}, "node2")
		}),
		want: []string{
			"critical dependency_down/s1", "critical node_paused/node2 <- dependency_down/s1",
			"critical dependency_down/s2", "critical dependency_down/s3", "critical dependency_down/s4", "critical dependency_down/s5",
		},
	},
	{
		name: "down: one finding explains three paused nodes",
		round: changed(func(r *round) {
			r.Dependencies = redis(false)
			r.say(probes.StatusReport{State: "paused", Reason: redisDown}, "node1", "node2", "node3")
		}),
		want: []string{
			"critical dependency_down/Redis Server [node1 node2 node3]",
			"critical node_paused/node1 <- dependency_down/Redis Server",
			"critical node_paused/node2 <- dependency_down/Redis Server",
			"critical node_paused/node3 <- dependency_down/Redis Server",
		},
	},
	{
		name: "down: a node names two, one of them twice and in other letters",
		round: changed(func(r *round) {
			r.Dependencies = redis(false)
			r.say(probes.StatusReport{State: "paused", Reason: "unavailable: DB Service, REDIS SERVER, Redis Server."}, "node2")
		}),
		want: []string{
			"critical dependency_down/Redis Server",
			"critical node_paused/node2 <- dependency_down/Redis Server",
			"critical dependency_down/DB Service",
		},
	},
	{
		name:  "down: nodes have no status to complain with",
		round: changed(func(r *round) { r.Dependencies = redis(false) }),
		want:  []string{"critical dependency_down/Redis Server"},
	},
	{
		name: "disputed: a node says down, the probe says up",
		round: changed(func(r *round) {
			r.Dependencies = redis(true)
			r.say(probes.StatusReport{State: "paused", Reason: redisDown}, "node2")
			r.say(probes.StatusReport{State: "running"}, "node1", "node3")
		}),
		want: []string{
			"critical dependency_down/Redis Server",
			"critical node_paused/node2 <- dependency_down/Redis Server",
			"warning dependency_disputed/Redis Server <- dependency_down/Redis Server",
		},
	},
	{
		name: "disputed: the probe says down, and no node complains",
		round: changed(func(r *round) {
			r.Dependencies = redis(false)
			r.say(probes.StatusReport{State: "running"}, "node1", "node2", "node3")
		}),
		want: []string{
			"critical dependency_down/Redis Server",
			"warning dependency_disputed/Redis Server [node1 node2 node3] <- dependency_down/Redis Server",
		},
	},
	{
		name: "another dependency explains nothing",
		round: changed(func(r *round) {
			r.Dependencies = redis(false)
			r.say(probes.StatusReport{State: "paused", Reason: "licence expired"}, "node2")
		}),
		want: []string{
			"critical node_paused/node2",
			"critical dependency_down/Redis Server",
			"warning dependency_disputed/Redis Server <- dependency_down/Redis Server",
		},
	},
	{
		name: "neither: it answers, and no node complains",
		round: changed(func(r *round) {
			r.Dependencies = redis(true)
			r.say(probes.StatusReport{State: "running"}, "node1", "node2", "node3")
		}),
	},
	{
		name: "neither: the round was cut short while it was asked",
		round: changed(func(r *round) {
			r.Dependencies = redis(false)
			r.direct("node3", cancelled(testPage))
		}),
	},
}

// TestCostBesidePausedNode tests that a node that is paused does not delay what the restart of another one cost.
func TestCostBesidePausedNode(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return began.Add(-d) }
	for since, want := range map[time.Duration]bool{30 * time.Second: false, time.Minute: true} {
		r := changed(func(r *round) { r.say(probes.StatusReport{State: "paused"}, "node1") })()
		r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{
			"node1": {LastReady: ago(since), UnreadySince: ago(since), Disruptions: []checks.Disruption{
				{Kind: checks.DisruptionDown, Span: checks.Span{From: ago(since), To: ago(3 * time.Second)}, Gone: ago(3 * time.Second)},
			}},
			"node2": {LastReady: ago(3 * time.Second), Disruptions: []checks.Disruption{
				{Kind: checks.DisruptionRestart, Span: checks.Span{From: ago(40 * time.Second), To: ago(35 * time.Second)}, Gone: ago(35 * time.Second), Lost: 2},
			}},
		}}
		if got := slices.Contains(lines(checks.Judge(r.Round)), "warning node_restarted/sessions lost [node2]"); got != want {
			t.Errorf("paused for %v: got %q, want the cost: %t", since, lines(checks.Judge(r.Round)), want)
		}
	}
}
