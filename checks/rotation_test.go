package checks_test

import (
	"net/netip"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// missing returns a balancer of three nodes that sends n new clients to node1 and
// node3 in turn, and none to node2.
func missing(n int) func() *round {
	return from(threeNodes, func(r *round) {
		for i := range n {
			r.visit([]string{"node1", "node3"}[i%2])
		}
	})
}

func method(m probes.Method, base func() *round) func() *round {
	return from(base, func(r *round) { r.Cluster.Balancer.Method = m })
}

// meetOnly makes every client of r meet one node.
func (r *round) meetOnly(node string) {
	for w := range r.Traces {
		for i := range r.Traces[w].Steps {
			r.Traces[w].Steps[i].Label = node
		}
	}
}

// ownNode returns the node that the hash names for this prober's address.
func ownNode(r *round) string {
	picker, _ := checks.Oracle(r.Cluster)
	at, _ := picker.Pick(own.String())
	return r.Cluster.Nodes[at].ID
}

// hashedFrom returns hashed, from an address that the hash sends to node.
func hashedFrom(n, node int) *round {
	r := hashed(n)
	picker, _ := checks.Oracle(r.Cluster)
	for last := byte(0); ; last++ {
		address := netip.AddrFrom4([4]byte{192, 0, last, 77})
		if at, _ := picker.Pick(address.String()); at != node {
			continue
		}
		for w := range r.Traces {
			r.Traces[w].Balancer = netip.AddrPortFrom(address.Next(), 80)
			for i := range r.Traces[w].Steps {
				r.Traces[w].Steps[i].LocalAddress = address
			}
		}
		r.Balancers[0].Address = r.Traces[0].Balancer
		return r
	}
}

var rotationSpecs = []spec{
	{name: "in: it answered, once is proof", round: from(missing(300), func(r *round) { r.visit("node2") })},

	{
		name:  "ejected by hash: its clients are answered by the node that is next",
		round: func() *round { return hashed(3, 1) },
		want:  []string{"warning node_ejected/node2"},
	},
	{
		name:  "ejected by hash: two of five",
		round: func() *round { return hashed(5, 1, 3) },
		want:  []string{"warning node_ejected/node2", "warning node_ejected/node4"},
	},
	{
		name: "ejected by hash: of unequal weights",
		round: func() *round {
			r := hashed(3)
			r.Traces = nil
			r.Cluster.Nodes[0].Weight, r.Cluster.Nodes[2].Weight = 3, 2
			for i := range 3 {
				r.hashTo(i, 0, 2)
			}
			return r
		},
		want: []string{"warning node_ejected/node3"},
	},
	{
		name: "ejected by hash: of a consistent one by a header",
		round: func() *round {
			r := hashed(3)
			b := &r.Cluster.Balancer
			r.Traces, b.Method, b.HashKey, b.Consistent = nil, probes.MethodHash, "$http_x_user", true
			picker, _ := checks.Oracle(r.Cluster)
			for i := range 3 {
				key, _ := balance.KeyFor(picker, i, 0)
				at, _ := picker.Pick(key, 1)
				tr := r.visit(slices.Repeat([]string{r.Cluster.Nodes[at].ID}, 8)...)
				tr.Client, tr.TargetNode = key, r.Cluster.Nodes[i].ID
			}
			return r
		},
		want: []string{"warning node_ejected/node2"},
	},
	{
		name: "not ejected by hash: the arithmetic does not describe this balancer",
		round: from(func() *round { return hashed(3, 1) }, func(r *round) {
			for i := range r.Traces {
				if r.Traces[i].TargetNode == "node1" {
					for s := range r.Traces[i].Steps {
						r.Traces[i].Steps[s].Label = "node3"
					}
				}
			}
		}),
	},
	{
		name: "not ejected by hash: an unlisted server has a share of it",
		round: from(func() *round { return hashed(3, 1) }, func(r *round) {
			for s := range r.Traces[0].Steps {
				r.Traces[0].Steps[s].Label = "node9"
			}
		}),
		want: []string{"warning unknown_node/node9"},
	},
	{
		name: "not ejected by hash: it is down, and its clients rightly go on",
		round: from(func() *round { return hashed(3, 1) }, func(r *round) {
			r.direct("node2", refused(testPage))
		}),
		want: []string{"warning node_down/node2"},
	},
	{
		name: "not ejected by hash: it is paused",
		round: from(func() *round { return hashed(3, 1) }, func(r *round) {
			r.say(probes.StatusReport{State: "paused"}, "node2")
		}),
		want: []string{"critical node_paused/node2"},
	},
	{
		name: "not ejected by hash: its client got no answer",
		round: from(func() *round { return hashed(3, 1) }, func(r *round) {
			for i := range r.Traces {
				if r.Traces[i].TargetNode == "node2" {
					r.Traces[i].Steps = r.Traces[i].Steps[:1]
					r.Traces[i].Steps[0].Exchange = refused(testPage)
				}
			}
		}),
	},
	{
		name: "not ejected by hash: the header is ignored, and all clients are taken for us",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			r.meetOnly(ownNode(r))
		}),
		want: []string{"info blind_spot/rotation [node2 node3]"},
	},
	{
		name: "not ejected by hash: unknown, since clients met only one of two nodes",
		round: from(func() *round { return hashedFrom(2, 0) }, func(r *round) {
			r.meetOnly("node1")
		}),
		want: []string{"info blind_spot/rotation [node2]"},
	},
	{
		name: "ejected by hash: the same, and the balancer took the header in earlier rounds",
		round: from(func() *round { return hashedFrom(2, 0) }, func(r *round) {
			r.meetOnly("node1")
			r.Past = &checks.Timelines{
				Balancer: checks.BalancerTimeline{Agreed: true},
				Nodes:    map[string]checks.NodeTimeline{"node2": {LeftOutSince: began.Add(-time.Minute)}},
			}
		}),
		want: []string{"warning node_ejected/node2"},
	},
	{
		name: "ejected by hash: even our own address should have met it",
		round: from(func() *round { return hashedFrom(2, 1) }, func(r *round) {
			r.meetOnly("node1")
		}),
		want: []string{"warning node_ejected/node2"},
	},
	{
		name: "ejected by hash: only that one, for the header may be ignored",
		round: func() *round {
			r := hashedFrom(3, 1)
			picker, _ := checks.Oracle(r.Cluster)
			at, _ := picker.Pick(r.Traces[0].Steps[0].LocalAddress.String(), 1)
			r.meetOnly(r.Cluster.Nodes[at].ID)
			return r
		},
		want: []string{"warning node_ejected/node2", "info blind_spot/rotation [node3]"},
	},
	{
		name: "not ejected by hash: our address may be translated on the way",
		round: from(func() *round { return hashedFrom(2, 1) }, func(r *round) {
			r.meetOnly("node1")
			for i := range r.Traces {
				r.Traces[i].Balancer = netip.MustParseAddrPort("198.51.100.1:80")
			}
		}),
		want: []string{"info blind_spot/rotation [node2]"},
	},

	{
		name: "ejected by chance: two samples of 18 missed it", round: missing(36),
		want: []string{"warning node_ejected/node2"},
	},
	{name: "not ejected by chance: one client less", round: missing(35)},
	{
		name:  "ejected by chance: also where nothing was promised",
		round: withPolicy(probes.PolicyNone, missing(36)),
		want:  []string{"warning node_ejected/node2"},
	},
	{
		name:  "not ejected by chance: a lighter node needs more",
		round: from(missing(36), func(r *round) { r.Cluster.Nodes[0].Weight, r.Cluster.Nodes[2].Weight = 3, 3 }),
	},
	{
		name:  "ejected by chance: a heavier node needs fewer",
		round: from(missing(20), func(r *round) { r.Cluster.Nodes[1].Weight = 2 }),
		want:  []string{"warning node_ejected/node2"},
	},
	{
		name:  "not ejected by chance: unlisted nodes answered half of the clients",
		round: from(missing(18), func(r *round) { r.newClients(18, "node9") }),
		want:  []string{"warning unknown_node/node9"},
	},
	{
		name: "not ejected by chance: it may have the label that no node reported",
		round: from(missing(36), func(r *round) {
			r.node("node2").Label = ""
			r.newClients(18, "tomcat2")
		}),
	},
	{
		name:  "not ejected by chance: it is a backup",
		round: from(missing(36), func(r *round) { r.Cluster.Nodes[1].Backup = true }),
	},
	{
		name:  "not ejected by chance: the operator took it out",
		round: from(missing(36), func(r *round) { r.Cluster.Nodes[1].Down = true }),
	},
	{
		name:  "not ejected by chance: it is down",
		round: from(missing(36), func(r *round) { r.direct("node2", refused(testPage)) }),
		want:  []string{"warning node_down/node2"},
	},
	{
		name: "not ejected by chance: least_conn may rightly send it no clients", round: method(probes.MethodLeastConn, missing(300)),
	},
	{
		name:  "not ejected by chance: one client of a hash is one sample, however often it comes",
		round: method(probes.MethodHash, missing(300)),
		want:  []string{"info blind_spot/rotation [node2]"},
	},
	{
		name: "ejected by chance: the method is unknown, but two nodes were met", round: method(probes.MethodUnknown, missing(36)),
		want: []string{"warning node_ejected/node2"},
	},
	{
		name: "not ejected by chance: the method is unknown, and one node was met, as under ip_hash",
		round: method(probes.MethodUnknown, from(threeNodes, func(r *round) {
			r.newClients(300, "node1")
		})),
		want: []string{"info blind_spot/rotation [node2 node3]"},
	},
	{
		name: "ejected by chance: one node was met, and clients with several addresses have met several before",
		round: method(probes.MethodUnknown, from(threeNodes, func(r *round) {
			r.newClients(36, "node1")
			r.Traces[0].Client = "198.18.0.1"
			left := checks.NodeTimeline{LeftOutSince: began.Add(-time.Minute)}
			r.Past = &checks.Timelines{
				Balancer: checks.BalancerTimeline{Scatters: true},
				Nodes:    map[string]checks.NodeTimeline{"node2": left, "node3": left},
			}
		})),
		want: []string{"warning node_ejected/node2", "warning node_ejected/node3"},
	},
	{
		name: "not ejected by chance: one address now meets one node",
		round: method(probes.MethodUnknown, from(threeNodes, func(r *round) {
			r.newClients(36, "node1")
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Scatters: true}}
		})),
		want: []string{"info blind_spot/rotation [node2 node3]"},
	},
	{
		name:  "not ejected by chance: the answers carry no label",
		round: from(threeNodes, func(r *round) { r.newClients(300, "") }),
		want:  []string{"info blind_spot/labels"},
	},
	{
		name:  "not ejected by chance: another node has its name",
		round: from(missing(36), func(r *round) { r.node("node2").Label = "node1" }),
		want:  []string{"warning duplicate_node_id/node1 [node1 node2]"},
	},
	{
		name:  "not ejected by chance: the confidence asked for cannot be had",
		round: from(missing(300), func(r *round) { r.Confidence = 1 }),
		want:  []string{"info blind_spot/rotation [node2]"},
	},

	{
		name: "ejected by one of two addresses",
		round: from(missing(36), func(r *round) {
			r.through(otherLB)
			for range 12 {
				for _, n := range r.Cluster.Nodes {
					r.visit(n.ID).Balancer = otherLB
				}
			}
		}),
		want: []string{"warning node_ejected/node2 http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "not ejected by one of two addresses: too few clients came there",
		round: from(missing(30), func(r *round) {
			r.through(otherLB)
			for range 12 {
				for _, n := range r.Cluster.Nodes {
					r.visit(n.ID).Balancer = otherLB
				}
			}
		}),
	},
}
