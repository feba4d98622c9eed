package watch

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"stickwatch/internal/demo"
	"stickwatch/internal/gate"
	"stickwatch/internal/lab"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestBalancerChangesAddresses checks that a watch follows the addresses of the balancer's name
// as browsers do: one that DNS adds gets clients, and one that stops after DNS has dropped it
// costs nothing, because its sessions go on at another one. One that stops while DNS lists it
// is an outage.
func TestBalancerChangesAddresses(t *testing.T) {
	zone := lab.NewZone(t, "web.lab")
	zone.UseForAllNames(t)
	balancers := make(map[string]*demo.Balancer)
	f := prepareDemo(t, demo.Config{Method: probes.MethodCookie}, probes.PolicySticky)
	_, port, _ := net.SplitHostPort(f.Balancer.Addr())
	for i := range 3 {
		address := fmt.Sprintf("127.0.8.%d", i+1)
		b, err := demo.StartBalancer(demo.BalancerConfig{Addr: net.JoinHostPort(address, port), Method: probes.MethodCookie, Servers: f.Balancer.Servers()})
		must.Succeed(t, err)
		t.Cleanup(b.Close)
		balancers[address] = b
	}
	f.cluster.Balancer.URLs = []*url.URL{{Scheme: "http", Host: "web.lab:" + port}}
	zone.Set("127.0.8.1", "127.0.8.2")
	f.start()
	at := func(r gate.Report, kind gate.ClientKind, address string) (n int) {
		for _, c := range r.Clients {
			if c.Kind == kind && c.Requests > 0 && strings.Contains(c.Frontend, address) {
				n++
			}
		}
		return n
	}
	if r := f.report(); at(r, gate.KindSession, "127.0.8.1") != 3 {
		t.Fatalf("got clients %+v, want a session on each node at the first address", r.Clients)
	}

	zone.Set("127.0.8.2", "127.0.8.3")
	f.until("clients at the new address", func(r gate.Report) bool {
		return at(r, gate.KindSession, "127.0.8.3") == 3 && at(r, gate.KindNewClient, "127.0.8.3") == 1
	})
	balancers["127.0.8.1"].Stop()
	f.until("the sessions to have left the old address", func(r gate.Report) bool { return at(r, gate.KindSession, "127.0.8.1") == 0 })
	balancers["127.0.8.2"].Stop()
	f.until("the outage of an address that DNS lists", func(r gate.Report) bool { return r.Failed > 0 })
	got := f.end()
	if got.Lost > 0 || got.Moved > 0 {
		t.Errorf("got %d lost and %d moved, want the cookies to be kept: %+v", got.Lost, got.Moved, got.Moves)
	}
	for _, c := range got.Clients {
		if c.Failed > 0 && !strings.Contains(c.Frontend, "127.0.8.2") {
			t.Errorf("got %d failed requests at %s", c.Failed, c.Frontend)
		}
	}
}
