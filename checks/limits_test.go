package checks_test

import (
	"time"

	"stickwatch/probes"
)

// took sets the duration of an exchange.
func took(ex *probes.Exchange, d time.Duration) {
	ex.Timing = probes.Timing{FirstByte: d, Total: d}
}

// expires gives an exchange a certificate with a remaining time.
func expires(ex *probes.Exchange, left time.Duration) { ex.Certificate = ex.At.Add(left) }

const day = 24 * time.Hour

var latencySpecs = []spec{
	{
		name:  "slow: a node",
		round: changed(func(r *round) { took(&r.Nodes[1].Primary, 3*time.Second) }),
		want:  []string{"warning slow/node2"},
	},
	{
		name:  "slow: a node's session page",
		round: changed(func(r *round) { took(r.Nodes[1].Session, 3*time.Second) }),
		want:  []string{"warning slow/node2"},
	},
	{
		name: "slow: a node, and so the balancer",
		round: changed(func(r *round) {
			took(&r.Nodes[1].Primary, 3*time.Second)
			took(&r.Balancers[0].Primary, 3*time.Second)
		}),
		want: []string{"warning slow/node2", "warning slow/http://shop.example (192.0.2.10:80) <- slow/node2"},
	},
	{
		name: "slow: two addresses of the balancer, of which neither explains the other",
		round: changed(func(r *round) {
			r.through(otherLB)
			took(&r.Balancers[0].Primary, 3*time.Second)
			took(&r.Balancers[1].Primary, 3*time.Second)
		}),
		want: []string{"warning slow/http://shop.example (192.0.2.10:80)", "warning slow/http://shop.example (192.0.2.11:80)"},
	},
	{
		name: "slow: the balancer, and not by a node that refuses at once",
		round: changed(func(r *round) {
			r.down("node2")
			took(&r.Balancers[0].Primary, 3400*time.Millisecond)
		}),
		want: []string{"warning node_down/node2", "warning slow/http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "slow: the balancer, by a second's wait before each try on a node that refuses",
		round: changed(func(r *round) {
			r.down("node2")
			took(&r.Balancers[0].Primary, 3010*time.Millisecond)
		}),
		want: []string{"warning node_down/node2", "warning slow/http://shop.example (192.0.2.10:80) <- node_down/node2"},
	},
	{
		name: "slow: the balancer, by tries on a node that hangs",
		round: changed(func(r *round) {
			r.down("node2")
			r.node("node2").Primary.Failure = probes.FailureTimeout
			took(&r.Balancers[0].Primary, 3*time.Second)
		}),
		want: []string{"warning node_down/node2", "warning slow/http://shop.example (192.0.2.10:80) <- node_down/node2"},
	},
	{name: "not slow: at the limit", round: changed(func(r *round) { took(&r.Nodes[1].Primary, 2*time.Second) })},
	{
		name: "not slow: no answer at all is another finding",
		round: changed(func(r *round) {
			r.down("node2")
			took(&r.node("node2").Primary, 5*time.Second)
		}),
		want: []string{"warning node_down/node2"},
	},
	{
		name: "not slow: no limit",
		round: changed(func(r *round) {
			r.Cluster.Limits.Slow = 0
			took(&r.Nodes[1].Primary, time.Minute)
		}),
	},

	{
		name: "certificate: expires within two weeks, at the balancer and at a node",
		round: changed(func(r *round) {
			expires(&r.Balancers[0].Primary, 13*day)
			expires(&r.Nodes[1].Primary, day)
		}),
		want: []string{"warning certificate_expiring/node2", "warning certificate_expiring/http://shop.example (192.0.2.10:80)"},
	},
	{
		name:  "certificate: has expired",
		round: changed(func(r *round) { expires(&r.Balancers[0].Primary, -day) }),
		want:  []string{"warning certificate_expiring/http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "certificate: has expired, and is why a node seems to be down",
		round: changed(func(r *round) {
			r.down("node2")
			r.node("node2").Primary.Failure = probes.FailureTLS
			expires(&r.node("node2").Primary, -day)
		}),
		want: []string{"warning certificate_expiring/node2", "warning node_down/node2 <- certificate_expiring/node2"},
	},
	{
		name: "certificate: has expired, and clients accept it; the node is down",
		round: changed(func(r *round) {
			r.down("node2")
			expires(&r.node("node2").Primary, -day)
		}),
		want: []string{"warning node_down/node2", "warning certificate_expiring/node2"},
	},
	{name: "certificate: has more than two weeks", round: changed(func(r *round) { expires(&r.Balancers[0].Primary, 15*day) })},
}
