package checks_test

import (
	"net/netip"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// alone returns a round in which the balancer hashes our own address, and the node
// that is the given number of servers after the computed one answers.
func alone(after int) *round {
	r := empty(3)
	r.Cluster.Balancer.Method = probes.MethodIPHash
	picker, _ := checks.Oracle(r.Cluster)
	at := nth(picker, after)
	for range 5 {
		r.visit(r.Cluster.Nodes[at].ID, r.Cluster.Nodes[at].ID)
	}
	return r
}

// nth returns the server that the hash names for our address without the first n.
func nth(picker balance.Picker, n int) int {
	var out []int
	for range n {
		at, _ := picker.Pick(own.String(), out...)
		out = append(out, at)
	}
	at, _ := picker.Pick(own.String(), out...)
	return at
}

// TestRotationByOwnAddress tests that one address, which sees one node, notices when it is
// sent to another.
func TestRotationByOwnAddress(t *testing.T) {
	t.Parallel()
	owner := ownNode(alone(0))
	moved := func(r *round) {
		for w := range r.Traces {
			for s := range r.Traces[w].Steps {
				r.Traces[w].Steps[s].LocalAddress = netip.MustParseAddr("192.0.2.78")
			}
		}
	}
	for _, tc := range []struct {
		name   string
		before int // position of the node that answered in the round before; -1: there was none
		now    *round
		want   checks.Tristate // whether the computed node is in rotation
	}{
		{"it answers us", 0, alone(0), checks.Yes},
		{"the next one does", 0, alone(1), checks.No},
		{"another one does, and the next is well", 0, alone(2), checks.Unknown},
		{"the next is down, and the one after it does", 0, from(func() *round { return alone(2) }, func(r *round) {
			r.direct(r.Cluster.Nodes[nth(pickerOf(checks.Oracle(r.Cluster)), 1)].ID, refused(testPage))
		})(), checks.No},
		{"it has never answered us", -1, alone(1), checks.Unknown},
		{"it never did as the hash has it", 1, alone(1), checks.Unknown},
		{"we have another address than then", 0, from(func() *round { return alone(1) }, moved)(), checks.Unknown},
		{"no client is answered", 0, from(func() *round { return alone(1) }, func(r *round) { r.Traces = nil })(), checks.Unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.before >= 0 {
				tc.now.Past = checks.Judge(alone(tc.before).Round).Timelines
			}
			report := checks.Judge(tc.now.Round)
			for _, n := range report.Nodes {
				if n.Node == owner && n.InRotation != tc.want {
					t.Errorf("in rotation: got %s (%s), want %s", n.InRotation, n.Rotation, tc.want)
				}
			}
			for _, f := range report.Findings {
				if f.Code == checks.NodeEjected && (f.Node != owner || tc.want != checks.No) {
					t.Errorf("found %s: %s", f.Key(), f.Summary)
				}
			}
		})
	}
}

func pickerOf(p balance.Picker, _ bool) balance.Picker { return p }

// TestSourceProvesWhoIsOut: under HAProxy's source, a node that is out moves clients of
// others. It is out for sure only if the answers do not fit any other set of nodes.
func TestSourceProvesWhoIsOut(t *testing.T) {
	for _, tc := range []struct {
		name    string
		clients int // for each node
		out     []int
		want    map[string]checks.Tristate
	}{
		{"many clients", 40, []int{1}, map[string]checks.Tristate{"node1": checks.Yes, "node2": checks.No, "node3": checks.Yes}},
		{"all are in", 1, nil, map[string]checks.Tristate{"node1": checks.Yes, "node2": checks.Yes, "node3": checks.Yes}},
		{"one client, which others that are out would explain, too", 0, []int{1}, map[string]checks.Tristate{"node1": checks.Yes, "node2": checks.Unknown, "node3": checks.Unknown}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := empty(3)
			r.Cluster.Balancer.Method, r.Cluster.Balancer.ClientIPHeader = probes.MethodSource, "X-Stickwatch-Client"
			for node := range r.Cluster.Nodes {
				for nth := range tc.clients {
					r.hashTo(node, nth, tc.out...)
				}
			}
			if tc.clients == 0 {
				r.hashTo(2, 0, 1) // it gets the first node without node2, and without node3 as well
			}
			for _, n := range checks.Judge(r.Round).Nodes {
				if n.InRotation != tc.want[n.Node] {
					t.Errorf("%s: got %q (%s), want %q", n.Node, n.InRotation, n.Rotation, tc.want[n.Node])
				}
			}
		})
	}
}
