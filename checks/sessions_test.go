package checks_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// scattered returns a round robin: every client is answered by each node in turn.
func scattered() *round {
	r := empty(3)
	r.Cluster.Balancer.Method = probes.MethodRoundRobin
	r.visit("node1", "node2", "node3", "node1", "node2", "node3", "node1", "node2")
	r.visit("node2", "node3", "node1", "node2", "node3", "node1", "node2", "node3")
	r.visit("node3", "node1", "node2", "node3", "node1", "node2", "node3", "node1")
	return r
}

// mostlyStaying returns a round of which six in 32 follow-ups of each client were
// answered by another node, as behind a balancer that loses connections to its nodes.
func mostlyStaying() *round {
	r := empty(3)
	for i, n := range r.Cluster.Nodes {
		labels := slices.Repeat([]string{n.ID}, 33)
		for _, at := range []int{5, 9, 13, 17, 21, 25} {
			labels[at] = r.Cluster.Nodes[(i+1)%3].ID
		}
		r.visit(labels...)
	}
	r.Past = new(checks.Timelines)
	return r
}

// awayAt returns a round of two nodes in which another node answered some follow-ups of
// node1's client, while few clients of the other one came.
func awayAt(followUps ...int) func() *round {
	return func() *round {
		r := empty(2)
		labels := slices.Repeat([]string{"node1"}, 14)
		for _, at := range followUps {
			labels[at] = "node2"
		}
		r.visit(labels...)
		r.visit("node2", "node2", "node2")
		r.Past = new(checks.Timelines)
		return r
	}
}

// scatteredFor returns a round of four nodes in which other nodes answered the clients of all
// nodes at the same time, for a part of the round.
func scatteredFor(followUps ...int) func() *round {
	return func() *round {
		r := empty(4)
		for i, n := range r.Cluster.Nodes {
			labels := slices.Repeat([]string{n.ID}, 9)
			for nth, at := range followUps {
				labels[at] = r.Cluster.Nodes[(i+1+nth%3)%4].ID
			}
			r.visit(labels...)
		}
		r.Past = new(checks.Timelines)
		return r
	}
}

func withPolicy(p probes.Policy, base func() *round) func() *round {
	return from(base, func(r *round) { r.Cluster.Session.Policy = p })
}

// counting returns a healthy round of canaries that hold 1002, and were given 1001
// before.
func counting() *round {
	r := healthy()
	for i := range r.Traces {
		r.Traces[i].Base = 1000
	}
	for _, n := range r.Cluster.Nodes {
		r.eachStep(n.ID, func(s *probes.Step) { s.Counter, s.Value = 1002, "1002" })
	}
	return r
}

// cachedAnswers returns a round in which the clients of a node get one answer, from before a
// value was stored. Writes reach the node, and change alters their answers.
func cachedAnswers(change func(write *probes.Step)) func() *round {
	return func() *round {
		r := healthy()
		r.Cluster.Session.ID = anyCookie{}
		for _, n := range r.Cluster.Nodes {
			r.newClients(1, n.ID)
		}
		byNode := make(map[string]probes.Fingerprint)
		for i := range r.Traces {
			tr := &r.Traces[i]
			tr.Base = 1000 * (i + 1)
			byNode[tr.Steps[0].Label] = cmp.Or(byNode[tr.Steps[0].Label], tr.Steps[0].Session)
			for j := range tr.Steps {
				tr.Steps[j].Session, tr.Steps[j].NewID = byNode[tr.Steps[j].Label], j == 0
				if j > 0 {
					tr.Steps[j].Counter = tr.Base + 1
				}
			}
			write := tr.Steps[0]
			write.Kind, write.Counter, write.NewID = probes.StepWrite, tr.Base+1, false
			change(&write)
			tr.Steps = slices.Insert(tr.Steps, 1, write)
		}
		return r
	}
}

// remapped returns a hash over three nodes whose balancer recently dropped the third,
// with a client of earlier rounds for each node.
func remapped(losing bool) *round {
	r := hashed(3)
	two := *r.Cluster
	two.Nodes = two.Nodes[:2]
	picker, _ := checks.Oracle(&two)
	r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Agreed: true}}
	for i := range 3 {
		tr := &r.Traces[i]
		at, _ := picker.Pick(tr.Client)
		old := r.visit(slices.Repeat([]string{r.Cluster.Nodes[i].ID}, 4)...)
		tr = &r.Traces[i]
		old.Client, old.TargetNode, old.Continued = tr.Client, tr.TargetNode, true
		for s := range old.Steps {
			if s == 0 {
				continue
			}
			old.Steps[s].Label = r.Cluster.Nodes[at].ID
			if losing && at != i {
				old.Steps[s].Session = otherSession
			}
		}
		for s := range tr.Steps {
			tr.Steps[s].Label = r.Cluster.Nodes[at].ID
		}
	}
	return r
}

func hashed3() *round { return hashed(3) }

// returning adds a client of node1 that the next node answered until a moment ago, and
// that loses its session when node1 answers again.
func returning(r *round) {
	own := r.Traces[0]
	picker, _ := checks.Oracle(r.Cluster)
	next, _ := picker.Pick(own.Client, 0)
	tr := r.visit(r.Cluster.Nodes[next].ID, "node1", "node1")
	tr.Client, tr.TargetNode, tr.Continued, tr.Opened = own.Client, "node1", true, began.Add(-time.Minute)
	tr.Steps[0].At = began.Add(-3 * time.Second)
	tr.Steps[1].Session, tr.Steps[2].Session = otherSession, otherSession
}

// storedIn returns a healthy round whose first session names these stores in its
// answers.
func storedIn(stores ...string) func() *round {
	return changed(func(r *round) {
		for i, store := range stores {
			r.Traces[0].Steps[i].Store = store
		}
	})
}

const otherSession probes.Fingerprint = "s:ffffffff"

var sessionSpecs = []spec{
	{
		name: "drift: round robin", round: scattered,
		want: []string{"critical session_drift [node1 node2 node3]"},
	},
	{
		name:  "no drift: one answer of another node happens once",
		round: changed(func(r *round) { r.Traces[0].Steps[4].Label = "node3" }),
	},
	{
		name: "drift: of the clients of one node, to and fro",
		round: changed(func(r *round) {
			for _, s := range []int{1, 2, 4, 6} {
				r.Traces[0].Steps[s].Label = "node3"
			}
		}),
		want: []string{"warning session_drift/node1"},
	},
	{
		name: "no drift yet: the same, while later rounds will show whether it lasts",
		round: changed(func(r *round) {
			for _, s := range []int{1, 2, 4, 6} {
				r.Traces[0].Steps[s].Label = "node3"
			}
			r.Past = new(checks.Timelines)
		}),
	},
	{
		name: "drift: the same, and it has lasted for longer than an ejection",
		round: changed(func(r *round) {
			for _, s := range []int{1, 2, 4, 6} {
				r.Traces[0].Steps[s].Label = "node3"
			}
			timeline := checks.NodeTimeline{ScatteredSince: began.Add(-20 * time.Second), ScatteredLast: began.Add(-3 * time.Second)}
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node1": timeline}}
		}),
		want: []string{"warning session_drift/node1"},
	},
	{
		name: "no drift: the node did not answer a moment ago",
		round: changed(func(r *round) {
			for _, s := range []int{1, 2, 4, 6} {
				r.Traces[0].Steps[s].Label = "node3"
			}
			down := checks.NodeTimeline{LastReady: began.Add(-15 * time.Second), Disruptions: []checks.Disruption{{
				Span: checks.Span{From: began.Add(-15 * time.Second), To: began.Add(-6 * time.Second)}, Kind: checks.DisruptionDown,
			}}}
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node1": down}}
		}),
	},
	{
		name: "drift: the same, and the sessions are gone",
		round: changed(func(r *round) {
			for _, s := range []int{1, 2, 4, 6} {
				r.Traces[0].Steps[s].Label, r.Traces[0].Steps[s].Session = "node3", otherSession
			}
		}),
		want: []string{"critical session_drift/node1"},
	},
	{name: "no drift yet: most follow-ups of every client stay, which chance does not explain", round: mostlyStaying},
	{name: "no drift yet: a node's client was answered by another one for a while, and before and after by its own", round: awayAt(4, 5, 6, 7)},
	{
		name: "drift: other nodes answer the clients of all nodes for a while, which no balancer that leaves nodes out does", round: scatteredFor(4, 5, 6, 7),
		want: []string{"critical session_drift [node1 node2 node3 node4]"},
	},
	{
		name: "drift: a node's client is answered by it and another one in turns", round: awayAt(2, 4, 5, 8),
		want: []string{"critical session_drift/node1"},
	},
	{
		name: "drift: the same in a single round, which knows no disruption", round: from(mostlyStaying, func(r *round) { r.Past = nil }),
		want: []string{"warning session_drift [node1 node2 node3]"},
	},
	{
		name: "drift: to an unlisted node",
		round: changed(func(r *round) {
			for _, s := range []int{1, 2, 4, 6} {
				r.Traces[0].Steps[s].Label = "node9"
			}
		}),
		want: []string{"warning session_drift/node1", "warning unknown_node/node9"},
	},
	{
		name: "drift: though sessions are replicated", round: withPolicy(probes.PolicyReplicated, scattered),
		want: []string{"critical session_drift [node1 node2 node3]"},
	},
	{
		name: "drift: the lost sessions are its own doing under sticky",
		round: from(scattered, func(r *round) {
			for i := range r.Traces {
				owner := r.Traces[i].First().Label
				for j := range r.Traces[i].Steps {
					if r.Traces[i].Steps[j].Label != owner {
						r.Traces[i].Steps[j].Session = otherSession
					}
				}
			}
		}),
		want: []string{"critical session_drift [node1 node2 node3]"},
	},
	{
		name: "drift: because the cookie would not be sent back",
		round: from(scattered, func(r *round) {
			r.Traces[0].Steps[0].Rejected = []probes.RejectedCookie{{Name: "JSESSIONID", Rule: probes.CookiePath, Has: "/app", Asks: "/"}}
			r.Traces[1].Steps[0].Rejected = r.Traces[0].Steps[0].Rejected
		}),
		want: []string{
			"warning cookie_rejected/JSESSIONID",
			"critical session_drift [node1 node2 node3] <- cookie_rejected/JSESSIONID",
		},
	},
	{name: "no drift: any node may answer under shared", round: withPolicy(probes.PolicyShared, scattered)},
	{name: "no drift: nothing was promised", round: withPolicy(probes.PolicyNone, scattered)},
	{
		name: "no drift: a failover, for the node is down",
		round: from(threeNodes, func(r *round) {
			r.visit("node1", "node1", "node2", "node2", "node2")
			r.visit("node2", "node2", "node2", "node2", "node2")
			r.direct("node1", refused(testPage))
		}),
		want: []string{"warning node_down/node1"},
	},
	{
		name: "no drift: a failover, for the node is paused",
		round: from(threeNodes, func(r *round) {
			r.visit("node1", "node1", "node2", "node1", "node2")
			r.say(probes.StatusReport{State: "paused"}, "node1")
		}),
		want: []string{"critical node_paused/node1"},
	},
	{
		name: "no drift: the node was ejected during the round, and has not answered since",
		round: from(threeNodes, func(r *round) {
			r.visit("node1", "node1", "node2", "node2", "node2")
			r.visit("node2", "node2", "node2", "node2", "node2")
			r.visit("node3", "node3", "node3", "node3", "node3")
		}),
	},
	{
		name: "no drift: the same, but another client met the node afterwards: it moved once, and stays",
		round: from(threeNodes, func(r *round) {
			r.visit("node1", "node1", "node2", "node2", "node2")
			r.visit("node1", "node1", "node1", "node1", "node1")
		}),
	},
	{
		name: "no drift: that client met it through another address",
		round: from(threeNodes, func(r *round) {
			r.through(otherLB)
			r.visit("node1", "node1", "node2", "node2", "node2")
			r.visit("node1", "node1", "node1", "node1", "node1").Balancer = otherLB
		}),
	},
	{
		name:  "no drift: the answers carry no label",
		round: changed(func(r *round) { r.eachStep("node1", func(s *probes.Step) { s.Label = "" }) }),
	},
	{
		name: "no drift: two nodes have one name",
		round: changed(func(r *round) {
			r.node("node3").Label = "node2"
			r.leave("node3")
			r.Traces[0].Steps[4].Label = "node2"
		}),
		want: []string{"warning duplicate_node_id/node2 [node2 node3]"},
	},

	{
		name: "failing: with a session, on every node, while new clients are served",
		round: changed(func(r *round) {
			for _, n := range r.Cluster.Nodes {
				r.eachStep(n.ID, func(s *probes.Step) { s.Status, s.Label = 500, "" })
			}
		}),
		want: []string{"critical session_failing [node1 node2 node3]"},
	},
	{
		name: "not failing: the balancer waited once in vain for a client with a session",
		round: changed(func(r *round) {
			r.Traces[1].Steps[3].Status, r.Traces[1].Steps[3].Label = 504, ""
		}),
		want: []string{"warning balancer_error/http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "one error of a dozen requests is no share",
		round: changed(func(r *round) {
			r.Traces = r.Traces[:2]
			r.Traces[0].Steps, r.Traces[1].Steps = r.Traces[0].Steps[:4], r.Traces[1].Steps[:4]
			r.Traces[1].Steps[3].Status, r.Traces[1].Steps[3].Label = 503, ""
		}),
		want: []string{"warning balancer_error/http://shop.example (192.0.2.10:80)"},
	},
	{
		name:  "not failing: the balancer waits in vain for a third, and few new clients were spared",
		round: changed(waitForThird),
		want:  []string{"critical balancer_error/http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "failing: the probe waits in vain for a third of what clients with a session ask, and once the balancer gave up first",
		round: changed(func(r *round) {
			waitForThird(r)
			for w := range r.Traces {
				for i := range r.Traces[w].Steps {
					if s := &r.Traces[w].Steps[i]; s.Status == 504 && w > 0 {
						s.Status, s.Failure = 0, probes.FailureTimeout
					}
				}
			}
		}),
		want: []string{
			"critical session_failing [node2 node3]",
			"critical balancer_error/http://shop.example (192.0.2.10:80) <- session_failing",
		},
	},
	{
		name: "failing: the balancer waits in vain for a third of what clients with a session ask",
		round: changed(func(r *round) {
			waitForThird(r)
			r.newClients(15, "node1")
		}),
		want: []string{
			"critical session_failing [node1 node2 node3]",
			"critical balancer_error/http://shop.example (192.0.2.10:80) <- session_failing",
		},
	},
	{
		name: "failing: only storing, on one node",
		round: from(counting, func(r *round) {
			r.Traces[1].Steps[1].Kind, r.Traces[1].Steps[1].Status, r.Traces[1].Steps[1].Label = probes.StepWrite, 419, ""
		}),
		want: []string{"warning session_failing/node2"},
	},
	{
		name: "failing: only storing, on every node that shares the sessions",
		round: withPolicy(probes.PolicyShared, from(counting, func(r *round) {
			for w := range r.Traces {
				r.Traces[w].Steps[1].Kind, r.Traces[w].Steps[1].Status, r.Traces[w].Steps[1].Label = probes.StepWrite, 419, ""
			}
		})),
		want: []string{"critical session_failing"},
	},
	{
		name: "failing: only storing, on one of the nodes that share the sessions",
		round: withPolicy(probes.PolicyShared, from(counting, func(r *round) {
			for w := range r.Traces {
				r.Traces[w].Steps[1].Kind = probes.StepWrite
			}
			r.Traces[1].Steps[1].Status, r.Traces[1].Steps[1].Label = 419, ""
		})),
		want: []string{"warning session_failing"},
	},
	{
		name: "not failing: the application takes no values",
		round: changed(func(r *round) {
			for w := range r.Traces {
				r.Traces[w].Steps[1].Kind, r.Traces[w].Steps[1].Status = probes.StepWrite, 404
			}
		}),
	},
	{
		name: "failing: clients with a session are led to another page",
		round: changed(func(r *round) {
			r.eachStep("node1", func(s *probes.Step) { s.Label, s.ShowsSession, s.FinalPath = "", false, "/login" })
		}),
		want: []string{"critical session_failing/node1"},
	},
	{
		name: "leaked: two new clients are given one session",
		round: changed(func(r *round) {
			for i := range r.Traces[1].Steps {
				r.Traces[1].Steps[i].Session = r.Traces[0].First().Session
			}
		}),
		want: []string{"critical session_leaked/node2"},
	},
	{
		name: "leaked: a client that returns gets the session of another one",
		round: changed(func(r *round) {
			r.Traces[1].Steps[4].Session = r.Traces[0].First().Session
		}),
		want: []string{"critical session_leaked/node2"},
	},
	{
		name:  "leaked: a cache answers all requests but those that store a value, which the node of the session answers",
		round: cachedAnswers(func(*probes.Step) {}),
		want:  []string{"critical session_leaked [node1 node2 node3]", "critical session_lost [node1 node2 node3] <- session_leaked"},
	},
	{
		name:  "not leaked: the same answers of nodes that did not know the id",
		round: cachedAnswers(func(write *probes.Step) { write.Session, write.NewID = otherSession, true }),
		want:  []string{"warning cookie_rejected/none", "critical session_lost [node1 node2 node3] <- cookie_rejected/none"},
	},
	{
		name:  "not leaked: the same answers of a balancer that replaces the cookie in each",
		round: from(cachedAnswers(func(*probes.Step) {}), func(r *round) { r.Cluster.Session.Cookie = "JSESSIONID" }),
		want:  []string{"warning cookie_rejected/none", "critical session_lost [node1 node2 node3] <- cookie_rejected/none"},
	},
	{
		name: "not leaked: what looks like an id is the same everywhere, also directly",
		round: changed(func(r *round) {
			for w := range r.Traces {
				for i := range r.Traces[w].Steps {
					r.Traces[w].Steps[i].Session = otherSession
				}
			}
			for i := range r.Nodes {
				r.Nodes[i].Session.Session = otherSession
			}
		}),
	},
	{
		name: "leaked: a client reads what another one has stored",
		round: from(counting, func(r *round) {
			r.Traces[1].Base = 2000
			r.eachStep("node2", func(s *probes.Step) { s.Counter, s.Value = 2002, "1002" })
		}),
		want: []string{
			"critical session_leaked/node2",
		},
	},
	{
		name:  "remapped: the line of a node was removed",
		round: func() *round { return remapped(false) },
		want: []string{
			"warning balancer_remapped [node3]",
		},
	},
	{
		name:  "remapped: the same, and sessions were lost by it",
		round: func() *round { return remapped(true) },
		want: []string{
			"critical balancer_remapped [node3]",
		},
	},
	{
		name: "remapped: the configured list is back",
		round: from(hashed3, func(r *round) {
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Remapped: checks.Remapping{At: began.Add(-4 * time.Minute)}}}
			old := r.visit("node2", "node1", "node1")
			old.Client, old.Continued = r.Traces[0].Client, true
			old.Steps[1].Session, old.Steps[2].Session = otherSession, otherSession
		}),
		want: []string{"critical balancer_remapped [node2]"},
	},
	{
		name: "lost: clients return to a node that the balancer had left out although it was well",
		round: from(hashed3, func(r *round) {
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Agreed: true}, Nodes: map[string]checks.NodeTimeline{"node1": {
				Disruptions: []checks.Disruption{{
					Span: checks.Span{From: began.Add(-2 * time.Minute), To: began.Add(-2 * time.Second)},
					Kind: checks.DisruptionEjected, Finding: "node_ejected/node1", Why: new(checks.Quote("out")),
				}},
			}}}
			returning(r)
		}),
		want: []string{"critical session_lost/node1 after a move <- node_ejected/node1"},
	},
	{
		name: "not lost: clients return to a node that had failed",
		round: from(hashed3, func(r *round) {
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Agreed: true}, Nodes: map[string]checks.NodeTimeline{"node1": {
				Disruptions: []checks.Disruption{{
					Span: checks.Span{From: began.Add(-2 * time.Minute), To: began.Add(-2 * time.Second)},
					Kind: checks.DisruptionDown, Gone: began.Add(-2 * time.Second), Finding: "node_down/node1", Why: new(checks.Quote("down")),
				}},
			}}}
			returning(r)
		}),
	},
	{
		name:  "lost: on its own node",
		round: changed(func(r *round) { r.eachStep("node1", func(s *probes.Step) { s.Session = otherSession }) }),
		want:  []string{"critical session_lost/node1"},
	},
	{
		name:  "lost: the id is there, the contents are gone",
		round: from(counting, func(r *round) { r.eachStep("node1", func(s *probes.Step) { s.Value = "" }) }),
		want:  []string{"critical session_lost/node1"},
	},
	{
		name:  "lost: the contents are another session's",
		round: from(counting, func(r *round) { r.eachStep("node1", func(s *probes.Step) { s.Value = "2002" }) }),
		want:  []string{"critical session_lost/node1"},
	},
	{
		name: "lost: where no answer carries a label",
		round: from(threeNodes, func(r *round) {
			r.visit("", "", "")
			r.Traces[0].Steps[2].Session = otherSession
		}),
		want: []string{"critical session_lost", "info blind_spot/labels"},
	},
	{
		name: "lost: by moving, though it was to be replicated",
		round: withPolicy(probes.PolicyReplicated, changed(func(r *round) {
			for _, s := range []int{1, 2, 4, 6} {
				r.Traces[0].Steps[s].Label, r.Traces[0].Steps[s].Session = "node3", otherSession
			}
		})),
		want: []string{
			"critical session_drift/node1",
			"critical session_lost/node3 after a move <- session_drift",
		},
	},
	{
		name: "lost: by one move that nothing explains",
		round: changed(func(r *round) {
			r.Traces[0].Steps[4].Label, r.Traces[0].Steps[4].Session = "node3", otherSession
		}),
		want: []string{"critical session_lost/node3 after a move"},
	},
	{
		name: "lost: in a failover that it was to survive",
		round: withPolicy(probes.PolicyReplicated, from(threeNodes, func(r *round) {
			tr := r.visit("node1", "node1", "node2", "node2")
			tr.Steps[2].Session, tr.Steps[3].Session = otherSession, otherSession
			r.direct("node1", refused(testPage))
		})),
		want: []string{"critical session_lost/node2 after a move", "warning node_down/node1"},
	},
	{
		name: "not lost: in a failover that may lose it",
		round: from(threeNodes, func(r *round) {
			tr := r.visit("node1", "node1", "node2", "node2")
			tr.Steps[2].Session, tr.Steps[3].Session = otherSession, otherSession
			r.direct("node1", refused(testPage))
		}),
		want: []string{"warning node_down/node1"},
	},
	{
		name:  "not lost: a new id, the contents kept",
		round: from(counting, func(r *round) { r.eachStep("node1", func(s *probes.Step) { s.Session = otherSession }) }),
	},
	{
		name: "not lost: an error shows nothing",
		round: from(counting, func(r *round) {
			r.eachStep("node1", func(s *probes.Step) { s.Status, s.Value = 404, "" })
		}),
		want: []string{"critical session_failing/node1"},
	},
	{
		name: "not lost: nothing was promised",
		round: withPolicy(probes.PolicyNone, changed(func(r *round) {
			r.eachStep("node1", func(s *probes.Step) { s.Session = otherSession })
		})),
	},

	{
		name:  "rollback: under sticky",
		round: from(counting, func(r *round) { r.eachStep("node1", func(s *probes.Step) { s.Value = "1001" }) }),
		want:  []string{"critical session_rollback/node1"},
	},
	{
		name: "rollback: under shared, on the node that served the stale copy",
		round: withPolicy(probes.PolicyShared, from(counting, func(r *round) {
			r.Traces[0].Steps[4].Label, r.Traces[0].Steps[4].Value = "node3", "1001"
		})),
		want: []string{"critical session_rollback/node3"},
	},
	{name: "no rollback: it holds what it was given", round: counting},

	{
		name:  "store failover: the session is kept in another memcached",
		round: storedIn("n1", "n1", "n2", "n2"),
		want:  []string{"info store_failover"},
	},
	{
		name: "no store failover: another session is kept in another memcached",
		round: from(storedIn("n1", "n1", "n2", "n2"), func(r *round) {
			r.Traces[0].Steps[2].Session, r.Traces[0].Steps[3].Session = otherSession, otherSession
		}),
		want: []string{"critical session_lost/node1"},
	},
	{name: "no store failover: the store is not known at first", round: storedIn("", "n1", "n1", "n1")},

	{
		name: "cookie rejected: once, however many clients were given it",
		round: changed(func(r *round) {
			for i := range r.Traces {
				r.Traces[i].Steps[0].Rejected = []probes.RejectedCookie{{Name: "JSESSIONID", Rule: probes.CookieSecure, Asks: "http"}}
			}
		}),
		want: []string{"warning cookie_rejected/JSESSIONID"},
	},
	{
		name:  "cookie rejected: it ended early although its client was at work, which is no lost session and no drift",
		round: cookieEnded(40 * time.Second), want: []string{"warning cookie_rejected/connect.sid"},
	},
	{
		name: "cookie rejected: it ended before a request between two rounds",
		round: from(cookieEnded(40*time.Second), func(r *round) {
			for i := range r.Traces {
				if tr := &r.Traces[i]; tr.Continued {
					tr.Steps[1].At = began.Add(-time.Second)
				}
			}
		}),
		want: []string{"warning cookie_rejected/connect.sid"},
	},
	{name: "no cookie rejected: it lived as long as an unused session", round: cookieEnded(30 * time.Minute)},
	{
		name:  "cookie rejected: no session has ever survived a request, and no answer sets its cookie",
		round: neverKept, want: []string{"warning cookie_rejected/none", "critical session_lost [node1 node2 node3] <- cookie_rejected/none"},
	},
	{
		name:  "cookie rejected: the node is in it too, so that answers show nothing",
		round: from(neverKept, showingNothing),
		want:  []string{"warning cookie_rejected/none", "critical session_lost <- cookie_rejected/none", "info blind_spot/labels"},
	},
	{
		name: "no cookie rejected: answers show nothing any more, as of another page",
		round: from(neverKept, func(r *round) {
			showingNothing(r)
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Agreed: true, LastKeptAt: began.Add(-time.Hour)}}
		}),
		want: []string{"critical session_lost", "info blind_spot/labels"},
	},
	{
		name:  "cookie rejected: nodes set it, and the balancer does not pass it on",
		round: from(neverKept, setByNodes),
		want:  []string{"warning cookie_rejected/none", "critical session_lost [node1 node2 node3] <- cookie_rejected/none"},
	},
	{
		name: "cookie rejected: the balancer replaces it by a cookie of its own with that name, which leaks no session",
		round: from(neverKept, func(r *round) {
			setByNodes(r)
			for w := range r.Traces {
				first := &r.Traces[w].Steps[0]
				first.NewID, first.Session = true, probes.Fingerprint("s:route-of-"+first.Label)
			}
			again := r.visit("node1", "node1")
			again.Steps[0].NewID, again.Steps[0].Session = true, "s:route-of-node1"
			again.Steps[1].Session = otherSession
		}),
		want: []string{"warning cookie_rejected/none", "critical session_lost [node1 node2 node3] <- cookie_rejected/none"},
	},
	{
		name: "no cookie rejected: sessions survived until a moment ago",
		round: from(neverKept, func(r *round) {
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Agreed: true, LastKeptAt: began.Add(-20 * time.Second)}}
		}),
		want: []string{"critical session_lost [node1 node2 node3]"},
	},
}

// cookieEnded is a round in which the cookies of all clients of earlier rounds end after a
// time, so that each of them gets a new session, from another node.
func cookieEnded(life time.Duration) func() *round {
	return changed(func(r *round) {
		r.Past = new(checks.Timelines)
		for i, other := range []string{"node2", "node3", "node1"} {
			tr := r.visit(r.Cluster.Nodes[i].ID, other)
			tr.Continued, tr.Opened = true, began.Add(-time.Minute)
			s := &tr.Steps[1]
			s.Kind, s.Session, s.NewID = probes.StepReturn, otherSession, true
			s.Rejected = []probes.RejectedCookie{{Name: "connect.sid", Rule: probes.CookieEnded, Life: life}}
		}
	})
}

// TestSessionErrorRemedy: requests that the balancer refuses or leaves without an answer are not in the application's log.
func TestSessionErrorRemedy(t *testing.T) {
	t.Parallel()
	closing := probes.Exchange{Failure: probes.FailureReset, Error: "connection closed before the answer was complete"}
	for want, got := range map[checks.MessageID]probes.Exchange{
		checks.MsgShortenCookies:   {Status: 400, CookieBytes: 8 << 10},
		checks.MsgFindSessionError: {Status: 400, CookieBytes: 100},
		checks.MsgFindNoAnswer:     closing,
	} {
		r := changed(func(r *round) {
			for _, n := range r.Cluster.Nodes {
				r.eachStep(n.ID, func(s *probes.Step) {
					if s.Kind != probes.StepFirst {
						s.Status, s.CookieBytes, s.Failure, s.Error, s.Label, s.Session = got.Status, got.CookieBytes, got.Failure, got.Error, "", ""
					}
				})
			}
		})()
		for _, f := range checks.Judge(r.Round).Findings {
			if f.Code != checks.SessionFailing || f.Remedy.ID != want {
				t.Errorf("got %s with remedy %s, want %s", f.Code, f.Remedy.ID, want)
			}
		}
	}
}

// TestRefusalRemedy: what refuses stickwatch may serve users.
func TestRefusalRemedy(t *testing.T) {
	t.Parallel()
	for want, got := range map[checks.MessageID]probes.Exchange{
		checks.MsgCheckRefusal:     {Status: 403},
		checks.MsgCheckBetween:     {Status: 404},
		checks.MsgFindNoAnswerRule: {Failure: probes.FailureReset, Error: "connection closed before the answer was complete"},
	} {
		r := empty(2)
		r.Balancers[0].Primary.Status, r.Balancers[0].Primary.Failure, r.Balancers[0].Primary.Error = got.Status, got.Failure, got.Error
		for range 3 {
			s := &r.visit("").Steps[0]
			s.Status, s.Failure, s.Error, s.Session, s.ShowsSession = got.Status, got.Failure, got.Error, "", false
		}
		for _, f := range checks.Judge(r.Round).Findings {
			if f.Severity == checks.Critical && f.Remedy.ID != want {
				t.Errorf("got %s with remedy %s, want %s", f.Code, f.Remedy.ID, want)
			}
		}
	}
}

// TestLostAtAge: sessions that end at one age although they are used show that age.
func TestLostAtAge(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opened [2]time.Duration // before the round, of two canaries that lose their sessions
		kept   time.Duration    // of one that keeps it
		want   time.Duration
	}{
		"one age":             {[2]time.Duration{30 * time.Minute, 31 * time.Minute}, 20 * time.Minute, 30 * time.Minute},
		"different ages":      {[2]time.Duration{30 * time.Minute, 5 * time.Minute}, time.Minute, 0},
		"an older one stays":  {[2]time.Duration{30 * time.Minute, 31 * time.Minute}, 50 * time.Minute, 0},
		"sessions of seconds": {[2]time.Duration{2 * time.Second, 2 * time.Second}, time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := healthy()
			for i, before := range []time.Duration{tt.opened[0], tt.opened[1], tt.kept} {
				tr := &r.Traces[i]
				tr.Continued, tr.Opened = true, began.Add(-before)
				tr.Steps[0].At = tr.Opened
				if i < 2 {
					for s := range tr.Steps[1:] {
						tr.Steps[s+1].Session, tr.Steps[s+1].NewID = probes.Fingerprint(fmt.Sprint("s:new", i)), true
					}
				}
			}
			var got time.Duration
			for _, f := range checks.Judge(r.Round).Findings {
				for _, e := range f.Evidence {
					if e.ID == checks.MsgLostAtAge {
						got = e.Args.Duration
					}
				}
			}
			expect.Equal(t, "age", tt.want, got)
		})
	}
}

// TestLostWithinNode tests that the remedy differs if the node knows the session again.
func TestLostWithinNode(t *testing.T) {
	t.Parallel()
	for last, want := range map[string]checks.MessageID{"1002": checks.MsgShareWithinNode, "": checks.MsgFindLoss} {
		r := counting()
		steps := r.Traces[0].Steps
		for i := 2; i < len(steps); i++ {
			steps[i].Value = ""
		}
		steps[len(steps)-1].Value = last
		for _, f := range checks.Judge(r.Round).Findings {
			if f.Code != checks.SessionLost || f.Remedy.ID != want {
				t.Errorf("last value %q: got %s with remedy %s, want %s", last, f.Code, f.Remedy.ID, want)
			}
		}
	}
}

// setByNodes makes the nodes set a session cookie when asked directly.
func setByNodes(r *round) {
	for i := range r.Nodes {
		r.Nodes[i].Session.NewID = true
	}
}

// TestCookieRemoved tests that the remedy differs if only the balancer's clients get no cookie.
func TestCookieRemoved(t *testing.T) {
	t.Parallel()
	for want, round := range map[checks.MessageID]func() *round{
		checks.MsgLetCookiePass: from(neverKept, setByNodes),
		checks.MsgForwardScheme: neverKept,
	} {
		for _, f := range checks.Judge(round().Round).Findings {
			if f.Code == checks.CookieRejected && f.Remedy.ID != want {
				t.Errorf("got remedy %s, want %s", f.Remedy.ID, want)
			}
		}
	}
}

// anyCookie is how the session id of neverKept is read.
type anyCookie struct{ probes.Extractor }

// TestChosenByURL: where only requests that store a value reach another node, and lose the session, the
// balancer chooses the node by the URL.
func TestChosenByURL(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind probes.StepKind
		want bool
	}{
		{"a write moves", probes.StepWrite, true},
		{"a follow-up moves as well", probes.StepReturn, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := healthy()
			r.Cluster.Balancer.Method = probes.MethodUnknown
			for w := range r.Traces {
				moved := r.Traces[w].First()
				moved.Label, moved.Session = "node2", probes.FingerprintOf(fmt.Sprint("of node2", w))
				if r.Traces[w].First().Label == "node2" {
					moved.Label = "node3"
				}
				r.Traces[w].Steps = slices.Insert(r.Traces[w].Steps, 1, probes.Step{Kind: tt.kind, Counter: 1001, Exchange: moved})
			}
			got := slices.ContainsFunc(checks.Judge(r.Round).Findings, func(f checks.Finding) bool { return f.Remedy.ID == checks.MsgHashNoURL })
			if got != tt.want {
				t.Errorf("got the remedy for a hash of the URL %v, want %v: %+v", got, tt.want, checks.Judge(r.Round).Findings)
			}
		})
	}
}

// TestCookieDoesNotArrive: nodes that know a session when asked directly, of which none survives a
// request through the balancer, do not get the cookie.
func TestCookieDoesNotArrive(t *testing.T) {
	for _, tt := range []struct {
		name  string
		known probes.Fingerprint
		want  checks.MessageID
	}{
		{"known directly", "", checks.MsgPassCookie},
		{"not known directly either", "another", checks.MsgFindLoss},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := neverKept()
			r.Cluster.Session.Policy = probes.PolicySticky
			for _, tr := range r.Traces {
				c := probes.OwnerCheck{FailoverCheck: probes.FailoverCheck{From: tr.First().Label, To: tr.First().Label, Session: tr.First().Session}}
				c.There = probes.Exchange{At: began.Add(time.Hour), Status: 200, Label: c.To, Session: cmp.Or(tt.known, c.Session)}
				r.OwnerChecks = append(r.OwnerChecks, c)
			}
			report := checks.Judge(r.Round)
			for _, f := range report.Findings {
				if f.Code == checks.SessionLost && f.Remedy.ID == tt.want {
					return
				}
			}
			t.Errorf("got findings %+v, want lost sessions with the remedy %q", report.Findings, tt.want)
		})
	}
}

// neverKept is a round in which every request of every client shows a new session.
func neverKept() *round {
	r := withPolicy(probes.PolicyShared, healthy)()
	r.Cluster.Session.ID = anyCookie{}
	for w := range r.Traces {
		for i := range r.Traces[w].Steps {
			s := &r.Traces[w].Steps[i]
			s.NewID, s.Session = false, probes.Fingerprint(fmt.Sprintf("%064x", 100*w+i))
		}
	}
	return r
}

// showingNothing removes nodes and sessions from all answers, and stores a value that is lost.
func showingNothing(r *round) {
	for i := range r.Nodes {
		r.Nodes[i].Label, r.Nodes[i].Session.Label = "", ""
	}
	for w := range r.Traces {
		for i := range r.Traces[w].Steps {
			s := &r.Traces[w].Steps[i]
			s.Label, s.Session, s.ShowsSession = "", "", false
			if i > 0 {
				s.Counter = 1001
			}
		}
	}
}

// waitForThird makes the balancer wait in vain for a third of the follow-ups.
func waitForThird(r *round) {
	for w := range r.Traces {
		for i := range r.Traces[w].Steps {
			if i%3 == 1 {
				r.Traces[w].Steps[i].Status, r.Traces[w].Steps[i].Label = 504, ""
			}
		}
	}
}

// TestWaitsOfSeveralRounds tests that new clients of several rounds together exclude chance, and
// that a round in which a new client waits in vain, or nobody does, begins anew.
func TestWaitsOfSeveralRounds(t *testing.T) {
	t.Parallel()
	var past *checks.Timelines
	for i, tc := range []struct {
		change func(*round)
		want   bool
	}{
		{waitForThird, false},
		{waitForThird, false},
		{waitForThird, false},
		{waitForThird, false},
		{waitForThird, true},
		{func(*round) {}, false},
		{waitForThird, false},
		{waitForThird, false},
		{waitForThird, false},
		{waitForThird, false},
		{waitForThird, true},
		{func(r *round) { waitForThird(r); r.visit("").Steps[0].Status = 504 }, false},
	} {
		r := healthy()
		tc.change(r)
		shift := time.Duration(i) * time.Minute
		r.Started, r.Past = r.Started.Add(shift), past
		for w := range r.Traces {
			for s := range r.Traces[w].Steps {
				r.Traces[w].Steps[s].At = r.Traces[w].Steps[s].At.Add(shift)
			}
		}
		report := checks.Judge(r.Round)
		if got := slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionFailing }); got != tc.want {
			t.Errorf("round %d: session_failing found is %t, want %t: %v", i, got, tc.want, lines(report))
		}
		past = report.Timelines
	}
}
