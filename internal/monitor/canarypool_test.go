package monitor

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"stickwatch/probes"
)

// refusedCanaries returns a function that makes canaries of an address at which nothing listens.
func refusedCanaries() (newCanary func(node string) *pooledCanary) {
	u := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	cluster := &probes.Cluster{Session: &probes.Session{Path: "/"}, Limits: probes.DefaultLimits}
	frontend := probes.Frontend{URL: u, Address: netip.MustParseAddrPort(u.Host)}
	return func(node string) *pooledCanary {
		return &pooledCanary{Canary: probes.NewCanary(cluster, frontend, "", "", 0), slot: slot{frontend.Address, node}}
	}
}

// TestFollowUpsLeaveOut: as many requests of canaries are left out as address checks have sent, one
// in each follow-up, and none while there may be a problem, or where a pair replaces the canary.
func TestFollowUpsLeaveOut(t *testing.T) {
	newCanary := refusedCanaries()
	pool := &canaryPool{canaries: []*pooledCanary{newCanary("node1"), newCanary("node2")}, toLeaveOut: 2}
	for i, step := range []struct {
		pairs       []pair
		mayLeaveOut bool
		sent, left  int
	}{
		{nil, false, 2, 2},
		{nil, true, 1, 1},
		{[]pair{{newCanary("node2")}}, true, 2, 1}, // it is the turn of node2, whose client is replaced
		{nil, true, 1, 0},
		{nil, true, 2, 0},
	} {
		f := pool.sendFollowUps(t.Context(), step.pairs, nil, step.mayLeaveOut)
		f.wait()
		if got := len(f.take()); got != step.sent || pool.toLeaveOut != step.left {
			t.Errorf("follow-up %d: %d requests and %d to leave out, want %d and %d", i, got, pool.toLeaveOut, step.sent, step.left)
		}
	}
}

// TestReserveReturnsInTurn: while a round waits for a slow node, a canary returns in turn with the clients of the
// reserve in its slot.
func TestReserveReturnsInTurn(t *testing.T) {
	newCanary := refusedCanaries()
	canary := newCanary("node1")
	pool := &canaryPool{canaries: []*pooledCanary{canary}, reserve: []*pooledCanary{newCanary("node1"), newCanary("node2"), newCanary("node1")}}
	for _, c := range slices.Concat(pool.canaries, pool.reserve) {
		c.Return(t.Context())
	}
	returned := make(map[*pooledCanary]int)
	for c := range returnsUntil(t.Context(), canary, pool.reserve, nil, time.Millisecond) {
		if returned[c]++; returned[canary] == 2 {
			break
		}
	}
	want := map[*pooledCanary]int{canary: 2, pool.reserve[0]: 1, pool.reserve[2]: 1}
	if !maps.Equal(returned, want) {
		t.Errorf("returns %v, want two of the canary and one of each client of the reserve: %v", returned, want)
	}
}
