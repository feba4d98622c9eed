package checks_test

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"stickwatch/probes"
)

// present presents a session of one node to another node, which knows it or not.
func (r *round) present(from, to string, known bool) {
	c := probes.FailoverCheck{From: from, To: to, Session: "s:00000001", There: page(testPage, 200)}
	c.There.Session = otherSession
	if known {
		c.There.Session = c.Session
	}
	r.FailoverChecks = append(r.FailoverChecks, c)
}

// unshared returns a round in which no node knows the sessions of another.
func unshared(base func() *round) func() *round {
	return from(base, func(r *round) {
		r.present("node2", "node3", false)
		r.present("node1", "node2", false)
		r.present("node3", "node1", false)
	})
}

// losing makes every node but its own lose each session.
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

// storedByNodes returns a round of nodes that accept any session id and share nothing, as PHP
// does by default: node2 stored each client's first value, and node3 the second one.
func storedByNodes() *round {
	r := scattered()
	for i := range r.Traces {
		tr := &r.Traces[i]
		tr.Base = 1000 * (i + 1)
		writes := []probes.Step{tr.Steps[0], tr.Steps[0]}
		for j, label := range []string{"node2", "node3"} {
			writes[j].Kind, writes[j].Label, writes[j].Counter = probes.StepWrite, label, tr.Base+1+j
			writes[j].At = writes[j].At.Add(time.Duration(1+j) * time.Millisecond)
		}
		for j := range tr.Steps[1:] {
			step := &tr.Steps[1+j]
			step.Counter = tr.Base + 2
			step.Value = map[string]string{"node2": strconv.Itoa(tr.Base + 1), "node3": strconv.Itoa(tr.Base + 2)}[step.Label]
		}
		tr.Steps = slices.Insert(tr.Steps, 1, writes...)
	}
	return r
}

var sharingSpecs = []spec{
	{
		name:  "not shared: none knows the others' sessions",
		round: withPolicy(probes.PolicyReplicated, unshared(healthy)),
		want:  []string{"warning session_not_shared [node1 node2 node3]"},
	},
	{
		name: "not shared: one node",
		round: withPolicy(probes.PolicyReplicated, changed(func(r *round) {
			r.present("node1", "node2", true)
			r.present("node1", "node3", false)
		})),
		want: []string{"warning session_not_shared/node3"},
	},
	{
		name:  "not shared: and so they are lost by moving",
		round: withPolicy(probes.PolicyShared, unshared(losing(scattered))),
		want: []string{
			"warning session_not_shared [node1 node2 node3]",
			"critical session_lost/after a move [node1 node2 node3] <- session_not_shared",
		},
	},
	{
		name:  "not shared: each node has what was stored through it",
		round: withPolicy(probes.PolicyShared, unshared(storedByNodes)),
		want: []string{
			"warning session_not_shared [node1 node2 node3]",
			"critical session_lost/node1 after a move <- session_not_shared",
			"critical session_rollback/node2 <- session_not_shared",
		},
	},
	{
		name: "not shared: follows from what a node loses of its own",
		round: withPolicy(probes.PolicyShared, unshared(changed(func(r *round) {
			r.eachStep("node1", func(s *probes.Step) { s.Session = otherSession })
		}))),
		want: []string{"critical session_lost/node1", "warning session_not_shared [node1 node2 node3] <- session_lost"},
	},
	{
		name: "not shared: because the store is down",
		round: withPolicy(probes.PolicyShared, unshared(losing(from(scattered, func(r *round) {
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
	{name: "not promised under sticky", round: unshared(healthy)},
	{
		name: "not of a node that is paused",
		round: withPolicy(probes.PolicyReplicated, changed(func(r *round) {
			r.present("node1", "node2", false)
			r.say(probes.StatusReport{State: "paused"}, "node2")
		})),
		want: []string{"critical node_paused/node2"},
	},
	{
		name: "shared: known everywhere",
		round: withPolicy(probes.PolicyReplicated, changed(func(r *round) {
			r.present("node1", "node2", true)
			r.present("node2", "node3", true)
		})),
	},
	{
		name: "unknown: the other node answered with an error",
		round: withPolicy(probes.PolicyReplicated, changed(func(r *round) {
			r.present("node1", "node2", false)
			r.FailoverChecks[0].There.Status = 500
		})),
	},
}
