package monitor

import (
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/must"
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

// TestPartialRoundRepeats tests that a round is judged while a request to a node that timed out behind another one is
// sent again: the node has not answered.
func TestPartialRoundRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := probes.Node{ID: "node1", URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}
		cluster := &probes.Cluster{Nodes: []probes.Node{node}, Limits: probes.DefaultLimits, Status: new(probes.Status)}
		cluster.Limiter = probes.NewLimiter(probes.DefaultBudget, cluster.Nodes)
		began := time.Now()
		send := func(times ...time.Duration) {
			must.Succeed(t, probes.NewClient(cluster.NodeTarget(node)).Admit(t.Context(), probes.RequestSequence{Path: "/", Requests: 1}, func() bool {
				took := times[0]
				times = times[1:]
				time.Sleep(took)
				return took >= 5*time.Second
			}))
		}
		var wg sync.WaitGroup
		wg.Go(func() { send(4 * time.Second) })
		synctest.Wait()
		wg.Go(func() { send(5*time.Second, time.Second) }) // it starts when the first one has waited for a second
		for elapsed, want := range map[time.Duration]bool{5 * time.Second: false, 6500 * time.Millisecond: true} {
			wg.Go(func() {
				time.Sleep(elapsed)
				r, ok := new(partialRound).round(checks.Round{Cluster: cluster, Started: began})
				if ok != want || ok && (r.Nodes[0].Node != "node1" || checks.Up(r.Nodes[0])) {
					t.Errorf("after %s: got %t, %+v, want %t", elapsed, ok, r.Nodes, want)
				}
			})
		}
		wg.Wait()
	})
}

// TestPartialRoundAsksAgain tests that the first observations of nodes that are asked again are kept.
func TestPartialRoundAsksAgain(t *testing.T) {
	var seen partialRound
	seen.setNodes([]probes.NodeObservation{{Node: "node1", Label: "first"}})
	seen.update(func([]probes.NodeObservation) []probes.NodeObservation {
		return []probes.NodeObservation{{Node: "node1", Label: "second"}}
	})
	if newest, first := seen.observedNodes(); newest[0].Label != "second" || first[0].Label != "first" {
		t.Errorf("got newest %+v and first %+v", newest, first)
	}
}
