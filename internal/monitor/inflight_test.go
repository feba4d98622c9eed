package monitor

import (
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestPartialRound tests that a round can be judged while it waits for a node that was slow in the round before, and
// not while it waits for one that was quick or takes much longer.
func TestPartialRound(t *testing.T) {
	took := func(node string, d time.Duration) probes.NodeObservation {
		return probes.NodeObservation{Node: node, Primary: probes.Exchange{Timing: probes.Timing{Total: d}}}
	}
	cluster := &probes.Cluster{Nodes: []probes.Node{{ID: "quick"}, {ID: "slow"}}}
	for _, tt := range []struct {
		name    string
		elapsed time.Duration
		answers []string
		want    bool
	}{
		{"no node has answered", 2 * time.Second, nil, false},
		{"the quick one has", 2 * time.Second, []string{"quick"}, true},
		{"the slow one has", 2 * time.Second, []string{"slow"}, false},
		{"the slow one takes much longer", 10 * time.Second, []string{"quick"}, false},
		{"both have", 10 * time.Second, []string{"quick", "slow"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := partialRound{last: []probes.NodeObservation{took("quick", time.Millisecond), took("slow", 3*time.Second)}}
			for _, node := range tt.answers {
				seen.addNode(took(node, time.Second))
			}
			r, ok := seen.round(checks.Round{Cluster: cluster, Started: time.Now().Add(-tt.elapsed)})
			if ok != tt.want || ok && (len(r.Nodes) != 2 || r.Nodes[0].Node != "quick") {
				t.Errorf("got %t and %d nodes, want %t", ok, len(r.Nodes), tt.want)
			}
		})
	}
}
