package checks_test

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// splitWorker makes every second answer to node2's client come from the node that is
// next without node2.
func splitWorker() *round {
	r := hashed(3)
	for s := 1; s < len(r.Traces[1].Steps); s += 2 {
		r.Traces[1].Steps[s].Label = r.successor(1)
	}
	return r
}

// successor returns the node that answers a node's client while that node is out.
func (r *round) successor(node int) string {
	picker, _ := checks.Oracle(r.Cluster)
	at, _ := picker.Pick(r.Traces[node].Client, node)
	return r.Cluster.Nodes[at].ID
}

// other returns the node that never answers a node's client while the node and its
// successor are ready.
func (r *round) other(node int) string {
	for _, n := range r.Cluster.Nodes {
		if n.ID != r.Cluster.Nodes[node].ID && n.ID != r.successor(node) {
			return n.ID
		}
	}
	return ""
}

// twoAddresses returns a hash with two addresses; the second one has ejected the
// servers in without.
func twoAddresses(without ...int) func() *round {
	return func() *round {
		r := hashed(3)
		r.through(otherLB)
		for i := range r.Cluster.Nodes {
			r.hashTo(i, 0, without...).Balancer = otherLB
		}
		return r
	}
}

// scattersAtOther returns a hash over two nodes with two addresses, of which the second
// one sends each request to any node.
func scattersAtOther() *round {
	r := hashed(2)
	r.through(otherLB)
	for i := range r.Cluster.Nodes {
		tr := r.hashTo(i, 0)
		tr.Balancer = otherLB
		for s := 1; s < len(tr.Steps); s++ {
			tr.Steps[s].Label = r.Cluster.Nodes[(i*s+s/2)%2].ID
		}
	}
	return r
}

var splitSpecs = []spec{
	{
		name: "drift and no split: one address scatters over two nodes", round: scattersAtOther,
		want: []string{"critical session_drift [node1 node2]"},
	},
	{
		name: "by worker: a client goes to and fro between its node and the next", round: splitWorker,
		want: []string{"warning balancer_split [node1 node2]"},
	},
	{
		name: "by worker: another client's drift is one nevertheless",
		round: from(splitWorker, func(r *round) {
			other := "node1"
			if r.successor(2) == other {
				other = "node2"
			}
			for _, s := range []int{1, 3, 4, 6, 8, 9} {
				r.Traces[2].Steps[s].Label = other
			}
		}),
		want: []string{"warning session_drift/node3", "warning balancer_split [node1 node2]"},
	},
	{
		name: "drift and no split: no client stays where the hash sends it",
		round: from(splitWorker, func(r *round) {
			for _, w := range []int{0, 2} {
				r.Traces[w].Steps[1].Label, r.Traces[w].Steps[2].Label = "node2", "node3"
				r.Traces[w].Steps[4].Label = "node1"
			}
		}),
		want: []string{"critical session_drift [node1 node2 node3]"},
	},
	{
		name: "no split: the node was ejected in mid-round",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			for s := 5; s < len(r.Traces[1].Steps); s++ {
				r.Traces[1].Steps[s].Label = r.successor(1)
			}
		}),
	},
	{
		name: "no split, no drift: the node returned during the round",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			for s := range 5 {
				r.Traces[1].Steps[s].Label = r.successor(1)
			}
		}),
	},
	{
		name: "no split, no drift: it is tried while its client still gets the next",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			steps := r.Traces[1].Steps
			steps[0].Label, steps[2].Label = r.successor(1), r.successor(1)
			steps[1].Timing.Total = steps[3].At.Sub(steps[1].At) // the trial
		}),
	},
	{
		name: "no split, no drift: it was out for longer than fail_timeout between",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			r.Cluster.Balancer.FailTimeout = time.Second
			steps := r.Traces[1].Steps
			for s := 5; s < len(steps); s++ {
				steps[s].At = steps[s].At.Add(2 * time.Second)
			}
			for s := 2; s < 5; s++ {
				steps[s].Label = r.successor(1)
			}
			for w := range r.Traces { // no other client asked for it meanwhile
				for s := range r.Traces[w].Steps {
					if step := &r.Traces[w].Steps[s]; w != 1 && step.Label == "node2" {
						step.At = steps[5].At
					}
				}
			}
		}),
	},
	{
		name: "drift: to a node that the hash does not name for it",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			for s := 5; s < 8; s++ {
				r.Traces[1].Steps[s].Label = r.other(1)
			}
		}),
		want: []string{"warning session_drift/node2"},
	},
	{
		name:  "no split: the node is down",
		round: from(splitWorker, func(r *round) { r.direct("node2", refused(testPage)) }),
		want:  []string{"warning node_down/node2"},
	},
	{
		name:  "no split, but drift: nothing is hashed",
		round: from(splitWorker, func(r *round) { r.Cluster.Balancer.Method = probes.MethodCookie }),
		want:  []string{"warning session_drift/node2"},
	},

	{
		name: "by address: one has ejected a node, the other has not", round: twoAddresses(1),
		want: []string{
			"warning node_ejected/node2 http://shop.example (192.0.2.11:80)",
			"warning balancer_split [node1 node2] <- node_ejected/node2 http://shop.example (192.0.2.11:80)",
		},
	},
	{name: "no split: both addresses agree", round: twoAddresses()},
	{
		name: "no split: the node left between the two visits",
		round: from(twoAddresses(1), func(r *round) {
			for i := range 3 {
				r.Traces[i].Steps = r.Traces[i].Steps[:1] // before any client came to the other address
			}
		}),
		want: []string{"warning node_ejected/node2 http://shop.example (192.0.2.11:80)"},
	},
	{
		name: "no split: we come to the two addresses from two of our own",
		round: func() *round {
			r := empty(3)
			r.Cluster.Balancer.Method = probes.MethodIPHash
			r.through(otherLB)
			r.visit(slices.Repeat([]string{"node1"}, 8)...)
			tr := r.visit(slices.Repeat([]string{"node2"}, 8)...)
			tr.Balancer = otherLB
			for i := range tr.Steps {
				tr.Steps[i].LocalAddress = own.Next().Next()
			}
			return r
		},
		want: []string{"info blind_spot/rotation [node3]"},
	},
	{
		name: "no split: what is hashed of us is not known",
		round: func() *round {
			r := empty(3)
			r.Cluster.Balancer.Method, r.Cluster.Balancer.HashKey = probes.MethodHash, "$cookie_user"
			r.through(otherLB)
			r.visit(slices.Repeat([]string{"node1"}, 8)...)
			r.visit(slices.Repeat([]string{"node2"}, 8)...).Balancer = otherLB
			return r
		},
		want: []string{"info blind_spot/rotation [node3]"},
	},
}
