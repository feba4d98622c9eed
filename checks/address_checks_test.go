package checks_test

import "stickwatch/probes"

// carried returns a round in which the session of node1, presented at the other address of
// otherURL, is answered by a node that knows it or not.
func carried(otherURL, by string, known bool) func() *round {
	return func() *round {
		r := healthy()
		r.through(otherLB)
		there := page(testPage, 200)
		there.Label, there.ShowsSession = by, true
		if there.Session = "s:99999999"; known {
			there.Session = "s:00000000"
		}
		r.AddressChecks = []probes.AddressCheck{{
			FailoverCheck: probes.FailoverCheck{From: "node1", Session: "s:00000000", There: there},
			URL:           lbURL, OtherURL: otherURL, Address: lb, Second: otherLB,
		}}
		return r
	}
}

// inAnotherOrder returns a hash with two addresses, of which the second one lists the servers in
// another order, so that the session of node1 is lost there.
func inAnotherOrder() *round {
	r := hashed(3)
	r.through(otherLB)
	for i := range r.Cluster.Nodes {
		tr := r.hashTo(i, 0)
		tr.Balancer = otherLB
		for s := range tr.Steps {
			tr.Steps[s].Label = r.Cluster.Nodes[(i+1)%3].ID
		}
	}
	r.AddressChecks = carried(lbURL, "node2", false)().AddressChecks
	return r
}

var addressSpecs = []spec{
	{name: "it is answered by its node", round: carried(lbURL, "node1", true)},
	{name: "lost, and DNS leads clients from one to the other", round: carried(lbURL, "node2", false), want: []string{"critical balancer_split [node1]"}},
	{name: "lost, where only a failover does", round: carried("http://192.0.2.11", "node2", false), want: []string{"warning balancer_split [node1]"}},
	{name: "lost, and a hash shows that they differ", round: inAnotherOrder, want: []string{"critical balancer_split [node1 node2 node3]"}},
	{name: "moved, and nothing is lost", round: carried(lbURL, "node2", true), want: []string{"warning balancer_split [node1]"}},
	{
		name:  "any node may answer under the shared policy",
		round: from(carried(lbURL, "node2", true), func(r *round) { r.Cluster.Session.Policy = probes.PolicyShared }),
	},
	{
		name:  "lost, where answers do not show the node that holds it",
		round: from(carried(lbURL, "node2", false), func(r *round) { r.AddressChecks[0].From = "" }),
		want:  []string{"critical balancer_split"},
	},
	{
		name: "lost, and it is not known whether with the node that is down",
		round: from(carried(lbURL, "node2", false), func(r *round) {
			r.AddressChecks[0].From = ""
			r.direct("node1", refused(testPage))
		}),
		want: []string{"warning node_down/node1", "warning balancer_split"},
	},
	{
		name:  "shared, and lost at the other address only",
		round: from(carried(lbURL, "node2", false), func(r *round) { r.Cluster.Session.Policy = probes.PolicyShared }),
		want:  []string{"critical balancer_split [node1]"},
	},
	{
		name: "shared, and a node does not know it either",
		round: from(carried(lbURL, "node2", false), func(r *round) {
			r.Cluster.Session.Policy = probes.PolicyShared
			there := r.AddressChecks[0].There
			r.FailoverChecks = []probes.FailoverCheck{{From: "node1", To: "node2", Session: "s:00000000", There: there}}
		}),
		want: []string{"warning session_not_shared/node2"},
	},
	{
		name:  "lost, and the next request was answered by its node: one session may meet that by chance",
		round: from(carried(lbURL, "node2", false), func(r *round) { r.AddressChecks[0].Mixed = true }),
	},
	{
		name: "two sessions, though each was answered by its node then",
		round: from(carried(lbURL, "node2", false), func(r *round) {
			r.AddressChecks[0].Mixed = true
			r.AddressChecks = append(r.AddressChecks, r.AddressChecks[0])
		}),
		want: []string{"critical balancer_split [node1]"},
	},
	{name: "a void check", round: from(carried(lbURL, "node2", false), func(r *round) { r.AddressChecks[0].Void = true })},
	{
		name:  "its node is down",
		round: from(carried(lbURL, "node2", false), func(r *round) { r.direct("node1", refused(testPage)) }),
		want:  []string{"warning node_down/node1"},
	},
}
