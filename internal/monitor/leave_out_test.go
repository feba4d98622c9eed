package monitor

import (
	"net/netip"
	"net/url"
	"testing"

	"stickwatch/probes"
)

// TestFollowUpsLeaveOut: as many requests of canaries are left out as address checks have sent, one
// in each follow-up, and none while there may be a problem, or where a pair replaces the canary.
func TestFollowUpsLeaveOut(t *testing.T) {
	u := &url.URL{Scheme: "http", Host: "127.0.0.1:1"} // nothing listens there
	cluster := &probes.Cluster{Session: &probes.Session{Path: "/"}, Limits: probes.DefaultLimits}
	frontend := probes.Frontend{URL: u, Address: netip.MustParseAddrPort(u.Host)}
	newCanary := func(node string) *pooledCanary {
		return &pooledCanary{Canary: probes.NewCanary(cluster, frontend, "", "", 0), slot: slot{frontend.Address, node}}
	}
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
