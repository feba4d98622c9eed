package checks_test

import (
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

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
