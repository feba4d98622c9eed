package checks_test

import (
	"net/url"

	"stickwatch/probes"
)

// cross presents a session of one node to another, which knows it or not.
func (r *round) cross(from, to string, known bool) {
	x := probes.FailoverCheck{From: from, To: to, Session: "s:00000001", There: page(testPage, 200)}
	x.There.Session = otherSession
	if known {
		x.There.Session = x.Session
	}
	r.FailoverChecks = append(r.FailoverChecks, x)
}

// strangers is a round in which no node knows the sessions of another.
func strangers(base func() *round) func() *round {
	return from(base, func(r *round) {
		r.cross("node2", "node3", false)
		r.cross("node1", "node2", false)
		r.cross("node3", "node1", false)
	})
}

// losing lets every node but a session's own lose it.
func losing(base func() *round) func() *round {
	return from(base, func(r *round) {
		for i := range r.Traces {
			for j := range r.Traces[i].Steps {
				if s := &r.Traces[i].Steps[j]; s.Label != r.Traces[i].First().Label {
					s.Session = otherSession
				}
			}
		}
	})
}

var sharingSpecs = []spec{
	{
		name:  "not shared: none knows the others' sessions",
		round: promising(probes.PolicyReplicated, strangers(healthy)),
		want:  []string{"warning session_not_shared [node1 node2 node3]"},
	},
	{
		name: "not shared: one node",
		round: promising(probes.PolicyReplicated, bent(func(r *round) {
			r.cross("node1", "node2", true)
			r.cross("node1", "node3", false)
		})),
		want: []string{"warning session_not_shared/node3"},
	},
	{
		name:  "not shared: and so they are lost by moving",
		round: promising(probes.PolicyShared, strangers(losing(scattered))),
		want: []string{
			"warning session_not_shared [node1 node2 node3]",
			"critical session_lost/after a move [node1 node2 node3] <- session_not_shared",
		},
	},
	{
		name: "not shared: follows from what a node loses of its own",
		round: promising(probes.PolicyShared, strangers(bent(func(r *round) {
			r.eachStep("node1", func(s *probes.Step) { s.Session = otherSession })
		}))),
		want: []string{"critical session_lost/node1", "warning session_not_shared [node1 node2 node3] <- session_lost"},
	},
	{
		name: "not shared: because the store is down",
		round: promising(probes.PolicyShared, strangers(losing(from(scattered, func(r *round) {
			r.Dependencies = redis(false)
			u, _ := url.Parse("redis://192.0.2.5")
			r.Cluster.Dependencies = []probes.Dependency{{Name: "Redis Server", URL: u}}
		})))),
		want: []string{
			"critical dependency_down/Redis Server",
			"warning session_not_shared [node1 node2 node3] <- dependency_down/Redis Server",
			"critical session_lost/after a move [node1 node2 node3] <- session_not_shared",
		},
	},
	{name: "not promised under sticky", round: strangers(healthy)},
	{
		name: "not of a node that is paused",
		round: promising(probes.PolicyReplicated, bent(func(r *round) {
			r.cross("node1", "node2", false)
			r.say(probes.StatusReport{State: "paused"}, "node2")
		})),
		want: []string{"critical node_paused/node2"},
	},
	{
		name: "shared: known everywhere",
		round: promising(probes.PolicyReplicated, bent(func(r *round) {
			r.cross("node1", "node2", true)
			r.cross("node2", "node3", true)
		})),
	},
	{
		name: "unknown: the other node answered with an error",
		round: promising(probes.PolicyReplicated, bent(func(r *round) {
			r.cross("node1", "node2", false)
			r.FailoverChecks[0].There.Status = 500
		})),
	},
}
