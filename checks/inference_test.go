package checks_test

import (
	"slices"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// inferenceSpecs are rounds from which a wrong conclusion lies near.
var inferenceSpecs = []spec{
	{
		name: "unknown method behind two addresses, each of which hashes our own: two draws, however many clients",
		round: method(probes.MethodUnknown, from(threeNodes, func(r *round) {
			r.through(otherLB)
			r.come(18, "node1")
			for range 18 {
				r.visit("node3").Balancer = otherLB
			}
		})),
	},
	{
		name: "an answer that no ejection explains: the nodes are not listed as the balancer has them",
		round: func() *round {
			r := hashed(3)
			r.Cluster.Nodes[0], r.Cluster.Nodes[1] = r.Cluster.Nodes[1], r.Cluster.Nodes[0]
			return r
		},
		want: []string{"info blind_spot/rotation"},
	},
	{
		name: "one of many nodes is missed by all clients that a round opens",
		round: func() *round {
			r := empty(30)
			for i := range checks.MaxFreshClients {
				r.visit(r.Cluster.Nodes[i%29].ID)
			}
			return r
		},
		want: []string{"info blind_spot/rotation [node30]"},
	},
	{
		name: "a limit of the balancer's own, met by a session that it holds on a node that is well",
		round: from(threeNodes, func(r *round) {
			r.direct("node3", refused(testPage))
			r.visit(slices.Repeat([]string{"node2"}, 11)...)
			w := r.visit(slices.Repeat([]string{"node1"}, 12)...)
			w.Steps[5].Status, w.Steps[5].Label, w.Steps[5].Session = 503, "", ""
		}),
		want: []string{"warning balancer_error/http://shop.example (192.0.2.10:80)", "warning node_down/node3"},
	},
	{
		name: "every client is turned away, those of well nodes, too",
		round: func() *round {
			r := hashed(3)
			r.direct("node1", refused(testPage))
			r.Balancers[0].Primary = page(testPage, 502)
			for w := range r.Traces {
				r.Traces[w].Steps = r.Traces[w].Steps[:1]
				r.Traces[w].Steps[0].Exchange = page(testPage, 502)
			}
			return r
		},
		want: []string{"critical balancer_error/http://shop.example (192.0.2.10:80)", "warning node_down/node1"},
	},
}

// TestHeavyNode: a node that gets nearly everybody keeps nearly everybody by
// luck; that the light one's session stays, too, is no luck.
func TestHeavyNode(t *testing.T) {
	r := empty(2)
	r.Cluster.Nodes[0].Weight = 100
	r.visit(slices.Repeat([]string{"node1"}, 1+checks.MaxFollowUps)...)
	r.visit(slices.Repeat([]string{"node2"}, 4)...)
	report := checks.Judge(r.Round)
	if report.Session.Sticky != checks.Yes || report.Verdict != checks.Healthy {
		t.Errorf("got sticky %s (%s), %s, want yes and healthy", report.Session.Sticky, report.Session.Reason, report.Verdict)
	}
}

// TestStrangersHome: a session that an unlisted node opened has a home, and may
// leave it.
func TestStrangersHome(t *testing.T) {
	r := healthy()
	r.visit(slices.Repeat([]string{"ghost"}, 8)...)
	report := checks.Judge(r.Round)
	if report.Session.Sticky != checks.Yes {
		t.Errorf("a stranger keeps its session: got sticky %s (%s), want yes", report.Session.Sticky, report.Session.Reason)
	}
	r = healthy()
	r.visit("ghost", "node1", "node2", "ghost", "node1")
	r.visit("ghost")
	if report = checks.Judge(r.Round); report.Session.Sticky == checks.Yes {
		t.Errorf("a stranger loses its session: got sticky yes (%s)", report.Session.Reason)
	}
}
