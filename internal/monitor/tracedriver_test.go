package monitor

import (
	"net/netip"
	"testing"

	"stickwatch/probes"
)

// TestSyntheticAddresses: the addresses of new clients are consecutive from a random one on, so that a balancer that
// takes them modulo a number of nodes gives the first client of each round any of the nodes.
func TestSyntheticAddresses(t *testing.T) {
	cluster := &probes.Cluster{Session: new(probes.Session), Balancer: probes.Balancer{ClientIPHeader: "X-Forwarded-For"}}
	driver := new(Prober).newTraceDriver(cluster, probes.Frontend{})
	met := make(map[byte]bool) // last byte of the first address, modulo 3
	for range 100 {
		last := func(c client) byte { return netip.MustParseAddr(c.key).As4()[3] }
		clients := driver.withSyntheticAddresses(make([]client, 3))
		if first, second := last(clients[0]), last(clients[1]); second != first+1 && second != first+2 && second > 2 {
			t.Errorf("the second address ends in %d after %d", second, first)
		}
		met[last(clients[0])%3] = true
	}
	if len(met) != 3 {
		t.Errorf("got first addresses of %d classes modulo 3, want all", len(met))
	}
}
