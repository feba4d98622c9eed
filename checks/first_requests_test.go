package checks_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestFirstRequests tests a balancer that places the first request of a client by another
// rule than those that bring the session cookie: each client moves once, at its second request.
func TestFirstRequests(t *testing.T) {
	t.Parallel()
	lost := func(tr *probes.Trace) {
		for i := range tr.Steps[1:] {
			tr.Steps[1+i].Session = otherSession
		}
	}
	elsewhere := func(r *round, from, to string) { lost(r.visit(from, to, to, to, to, to, to, to)) }
	later := func(tr *probes.Trace) *probes.Trace {
		for i := range tr.Steps {
			tr.Steps[i].At = tr.Steps[i].At.Add(time.Second)
		}
		return tr
	}
	older := func(r *round, labels ...string) *probes.Trace {
		tr := r.visit(labels...)
		tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute), labels[0]
		tr.Steps[0].At, tr.Steps[1].Kind = began.Add(-3*time.Second), probes.StepReturn
		return tr
	}
	for _, tc := range []struct {
		name   string
		key    string // of nginx's hash; "": the method is unknown
		past   *checks.Timelines
		change func(*round)
		sticky checks.Tristate
		want   []string
	}{
		{
			"clients of two nodes", "", nil, func(r *round) {
				elsewhere(r, "node1", "node2")
				elsewhere(r, "node2", "node1")
				r.visit("node3", "node3", "node3", "node3", "node3", "node3", "node3", "node3")
			}, checks.No, []string{"critical session_drift [node1 node2]"},
		},
		{
			"one client, and the balancer hashes a cookie", "$cookie_SESSIONID", nil, func(r *round) {
				r.newClients(3, "node1")
				r.newClients(3, "node3")
				elsewhere(r, "node2", "node1")
			}, checks.No, []string{"critical session_drift/node2"},
		},
		{
			"one client of one node", "", nil, func(r *round) {
				r.newClients(3, "node1")
				r.newClients(3, "node3")
				elsewhere(r, "node2", "node1")
			}, checks.Unknown, []string{"critical session_lost/node1 after a move"},
		},
		{
			"another client of that node, which came after the first had left", "", nil, func(r *round) {
				r.newClients(3, "node1")
				r.newClients(3, "node3")
				elsewhere(r, "node2", "node1")
				lost(later(r.visit("node2", "node1")))
			}, checks.No, []string{"critical session_drift/node2"},
		},
		{
			"also while older clients stay", "", new(checks.Timelines), func(r *round) {
				elsewhere(r, "node1", "node2")
				elsewhere(r, "node2", "node1")
				lost(later(r.visit("node2", "node1")))
				older(r, "node3", "node3")
			}, checks.No, []string{"critical session_drift [node1 node2]"},
		},
		{
			"others answer them in turns", "", new(checks.Timelines), func(r *round) {
				lost(r.visit("node1", "node2", "node3", "node2", "node3"))
				lost(r.visit("node2", "node1", "node3", "node1", "node3"))
			}, checks.No, []string{"critical session_drift [node1 node2]"},
		},
		{
			"a later client stays: the list of servers changed after the first requests of the others", "", new(checks.Timelines), func(r *round) {
				elsewhere(r, "node1", "node2")
				elsewhere(r, "node2", "node3")
				later(r.visit("node1", "node1", "node1"))
			}, checks.Unknown, []string{"critical balancer_remapped [node1 node2]"},
		},
		{
			"older clients move as well: the list of servers changed", "", new(checks.Timelines), func(r *round) {
				elsewhere(r, "node1", "node2")
				elsewhere(r, "node2", "node1")
				lost(older(r, "node1", "node2", "node2"))
				lost(older(r, "node2", "node3", "node3"))
			}, checks.Unknown, []string{"critical balancer_remapped [node1 node2]"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := empty(3)
			r.Past, r.Cluster.Balancer.Method = tc.past, probes.MethodUnknown
			if tc.key != "" {
				r.Cluster.Balancer.Method, r.Cluster.Balancer.HashKey = probes.MethodHash, tc.key
			}
			tc.change(r)
			report := checks.Judge(r.Round)
			got := lines(report)
			if diff := cmp.Diff(tc.want, got); diff != "" || report.Session.Sticky != tc.sticky {
				t.Errorf("sticky %q, want %q; findings (-want +got):\n%s", report.Session.Sticky, tc.sticky, diff)
			}
		})
	}
}
