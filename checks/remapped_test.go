package checks_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestRehash tests the cause of losses behind a balancer that hashes over the nodes that
// are left: a node that leaves or returns moves clients of the other nodes, too.
func TestRehash(t *testing.T) {
	t.Parallel()
	const session = 2 // number of the first answer from elsewhere
	for _, tc := range []struct {
		name   string
		method probes.Method
		change func(*round)
		moved  func(*round) *probes.Trace // the client of node1 that node2 answers
		want   []string
	}{
		{
			"a node is down, and a client of an earlier round moved just now", probes.MethodUnknown, func(r *round) { r.down("node3") }, ofEarlierRound,
			[]string{"warning node_down/node3", "critical balancer_remapped [node1] <- node_down/node3"},
		},
		{
			"the same with a client of this round", probes.MethodUnknown, func(r *round) { r.down("node3") }, ofThisRound,
			[]string{"warning node_down/node3", "critical balancer_remapped [node1] <- node_down/node3"},
		},
		{
			"a node restarted and is back", probes.MethodUnknown, func(r *round) { r.Past = restartedAgoAt("node3", 4) }, ofEarlierRound,
			[]string{"info node_restarted/node3", "critical balancer_remapped [node1] <- node_restarted/node3"},
		},
		{
			"the balancer keeps clients by a cookie", probes.MethodCookie, func(r *round) { r.down("node3") }, ofEarlierRound,
			[]string{"critical session_lost/node2 after a move", "warning node_down/node3"},
		},
		{
			"nothing happened to a node", probes.MethodUnknown, func(*round) {}, ofThisRound,
			[]string{"critical session_lost/node2 after a move"},
		},
		{
			"a node restarted long ago", probes.MethodUnknown, func(r *round) { r.Past = restartedAgoAt("node3", 100) }, ofEarlierRound,
			[]string{"critical session_lost/node2 after a move", "info node_restarted/node3"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Cluster.Balancer.Method, r.Past = tc.method, new(checks.History)
			tc.change(r)
			w := tc.moved(r)
			w.Steps[session].Label, w.Steps[session].Session = "node2", otherSession
			if diff := cmp.Diff(tc.want, lines(checks.Judge(r.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// ofThisRound adds a new client of node1.
func ofThisRound(r *round) *probes.Trace { return r.visit("node1", "node1", "node1") }

// ofEarlierRound adds a client of node1 that an earlier round opened.
func ofEarlierRound(r *round) *probes.Trace {
	w := ofThisRound(r)
	w.Continued, w.Opened, w.OpenedBy = true, began.Add(-time.Minute), "node1"
	w.Steps[0].At = began.Add(-3 * time.Second)
	return w
}
