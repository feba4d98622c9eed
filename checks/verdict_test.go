package checks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestVerdict: what a round comes to, and the doubt, if there is one.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		name  string
		round func() *round
		want  checks.Verdict
		doubt string // "": none
	}{
		{"all is well", healthy, checks.Healthy, ""},
		{"a blind spot is no harm", oneAddress(func(*probes.Balancer) {}), checks.Healthy, ""},
		{"a warning", bent(func(r *round) { took(&r.Nodes[1].Primary, time.Minute) }), checks.Degraded, ""},
		{"a critical", scattered, checks.Failing, ""},
		{
			"a critical outweighs a doubt", from(counting, func(r *round) {
				r.Traces[0].Steps, r.Traces[1].Steps[2].Value = r.Traces[0].Steps[:3], "1001"
			}),
			checks.Failing, "it is unknown whether sessions stick: 2 follow-ups stayed, which happens by chance once in 9",
		},
		{
			"a doubt outweighs a warning", bent(func(r *round) {
				r.down("node2")
				r.Traces[0].Steps = r.Traces[0].Steps[:3]
			}),
			checks.Inconclusive, "2 follow-ups stayed, which happens by chance once in 4",
		},
		{"an ignored finding counts for nothing", from(scattered, func(r *round) { r.Ignore = []checks.Code{checks.SessionDrift} }), checks.Healthy, ""},

		{"luck may explain it", bent(func(r *round) { r.Traces[2].Steps = r.Traces[2].Steps[:7] }), checks.Inconclusive, "6 follow-ups stayed"},
		{"a lower confidence asks less", bent(func(r *round) {
			r.Confidence, r.Traces[2].Steps = 0.99, r.Traces[2].Steps[:6]
		}), checks.Healthy, ""},
		{"no confidence given is the default", bent(func(r *round) { r.Confidence = 0 }), checks.Healthy, ""},
		{"a certainty cannot be had", bent(func(r *round) { r.Confidence = 1 }), checks.Inconclusive, "which happens by chance once in 2187"},
		{"no session could be opened", threeNodes, checks.Inconclusive, "no session could be opened and followed"},
		{"none under shared, either", promising(probes.PolicyShared, threeNodes), checks.Inconclusive, "no session could be opened and followed"},
		{"nothing was promised", promising(probes.PolicyNone, threeNodes), checks.Healthy, ""},
		{"no session test is configured", from(threeNodes, func(r *round) { r.Cluster.Session = nil }), checks.Healthy, ""},
		{"answers do not tell their node", from(threeNodes, func(r *round) { r.visit("", "", "") }), checks.Inconclusive, "the answers do not tell which node"},
		{"one node serves: nowhere to drift to", bent(func(r *round) {
			r.down("node2", "node3")
			r.Traces[0].Steps = r.Traces[0].Steps[:2]
		}), checks.Degraded, ""},
		{"two serve, of which one is ejected: nowhere, either", from(func() *round { return empty(2) }, func(r *round) {
			r.come(19, "node1")
			r.visit(slices.Repeat([]string{"node1"}, 11)...)
		}), checks.Degraded, ""},
		{"sessions failed over", from(threeNodes, func(r *round) {
			r.visit("node1", "node1", "node2", "node2")
			r.direct("node1", refused(testPage))
		}), checks.Inconclusive, "another round must show whether they stick"},
		{"a session got no answer", bent(func(r *round) {
			for i := range r.Traces[1].Steps[1:] {
				r.Traces[1].Steps[1+i].Exchange = hung(testPage)
			}
		}), checks.Failing, "no answer from its own node"},
		{"no node has the test page", from(threeNodes, func(r *round) {
			for _, n := range r.Cluster.Nodes {
				r.direct(n.ID, page(testPage, 404))
			}
		}), checks.Inconclusive, "no node has the session test page /cluster/test"},
		{"no node tells its version", versions("1.2"), checks.Inconclusive, "no node reports its version"},
		{"a node was not asked", bent(func(r *round) { r.Nodes = r.Nodes[1:] }), checks.Inconclusive, "not probed: node1"},
		{"the round was cut short", bent(func(r *round) { r.direct("node3", cancelled(testPage)) }), checks.Inconclusive, "not probed: node3"},
		{"the balancer was not asked", bent(func(r *round) { r.Balancers = nil }), checks.Inconclusive, "not probed: the balancer"},
		{"one address was not asked", bent(func(r *round) {
			r.through(otherLB)
			r.Balancers[1].Primary = cancelled(testPage)
		}), checks.Inconclusive, "not probed: http://shop.example (192.0.2.11:80)"},
		{"nothing could be reached", from(func() *round {
			return silent(probes.Exchange{Failure: probes.FailureUnreachable, Error: "no route to host"})
		}, func(r *round) {
			for _, n := range r.Cluster.Nodes {
				r.direct(n.ID, r.Balancers[0].Primary)
			}
		}), checks.Failing, "check this prober's own network first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := tc.round().Round
			report := checks.Judge(r)
			if report.Verdict != tc.want {
				t.Errorf("got %s, want %s; findings %q", report.Verdict, tc.want, tellAll(report))
			}
			if (tc.doubt == "") != (len(report.Doubts) == 0) ||
				!strings.Contains(strings.Join(texts(report.Doubts), "; "), tc.doubt) {
				t.Errorf("got doubts %q, want %q", report.Doubts, tc.doubt)
			}
			for _, problem := range unsound(r, report) {
				t.Error(problem)
			}
		})
	}
}
