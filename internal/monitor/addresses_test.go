package monitor_test

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/lab"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestBalancerChangesAddresses checks that the addresses of a balancer's name are followed: one
// that DNS adds is probed from the next status probes on, and one that stops after DNS has
// dropped it is no trouble. One that stops while DNS lists it is down.
func TestBalancerChangesAddresses(t *testing.T) {
	zone := lab.NewZone(t, "web.lab")
	zone.UseForAllNames(t)

	d := start(t, demo.Config{}, "generic", nil)
	_, port, _ := net.SplitHostPort(d.Balancer.Addr())
	var balancers []*demo.Balancer
	for i := range 3 {
		b, err := demo.StartBalancer(demo.BalancerConfig{
			Addr: fmt.Sprintf("127.0.7.%d:%s", i+1, port), Servers: d.Balancer.Servers(), ClientIPHeader: d.Config.ClientIPHeader,
		})
		must.Succeed(t, err)
		t.Cleanup(b.Close)
		balancers = append(balancers, b)
	}
	d.config.Balancer.URLs = []*url.URL{{Scheme: "http", Host: "web.lab:" + port}}
	zone.Set("127.0.7.1", "127.0.7.2")
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{})
	want := func(when string, addresses int, changes ...string) {
		t.Helper()
		got := log.last()
		if len(got.Observed.Balancers) != addresses || fmt.Sprint(log.newChanges()) != fmt.Sprint(changes) {
			t.Errorf("%s: got %d addresses and %+v, want %d and %q", when, len(got.Observed.Balancers), got.Report.Findings, addresses, changes)
		}
		if (got.Report.Verdict == checks.Healthy) != (len(changes) == 0) {
			t.Errorf("%s: got %s %v", when, got.Report.Verdict, got.Report.Doubts)
		}
	}
	want("first", 2)

	zone.Set("127.0.7.1", "127.0.7.2", "127.0.7.3")
	w.Refresh(t.Context(), monitor.Status)
	want("one came", 3)

	zone.Set("127.0.7.2", "127.0.7.3")
	w.FollowUp(t.Context())
	want("one is listed no more", 3)
	balancers[0].Stop()
	w.FollowUp(t.Context())
	want("it stopped", 2)
	w.FollowUp(t.Context())
	w.Refresh(t.Context(), monitor.Status)
	want("later", 2)

	zone.Set("127.0.7.1", "127.0.7.2", "127.0.7.3")
	w.TakeRound(t.Context())
	if got := log.last().Report.Findings; len(got) != 1 || got[0].Code != checks.BalancerDown {
		t.Errorf("it is listed, and down: got %+v", got)
	}

	zone.Set("127.0.7.2") // the answers list some of the addresses only
	w.TakeRound(t.Context())
	balancers[2].Stop()
	before := len(log.requests)
	w.FollowUp(t.Context())
	failing := func(r checks.Request) bool {
		return r.Outcome == checks.OutcomeError && strings.Contains(r.Balancer, "127.0.7.3")
	}
	if !slices.ContainsFunc(log.requests[before:], failing) {
		t.Errorf("one that stops, although addresses come back: got %+v", log.requests[before:])
	}
}

// TestUnprobedAddresses checks that an address stays new until it is probed or DNS drops it, however
// often DNS is asked in between.
func TestUnprobedAddresses(t *testing.T) {
	zone := lab.NewZone(t, "web.lab")
	zone.UseForAllNames(t)
	cluster := &probes.Cluster{Balancer: probes.Balancer{URLs: []*url.URL{{Scheme: "http", Host: "web.lab:80"}}}}
	at := func(ip string) netip.AddrPort { return netip.MustParseAddrPort(ip + ":80") }
	var addresses monitor.Addresses
	addresses.MarkKnown(at("127.0.7.1"))
	for _, step := range []struct {
		name     string
		listed   []string
		probed   string
		unprobed bool
	}{
		{"known", []string{"127.0.7.1"}, "", false},
		{"new", []string{"127.0.7.1", "127.0.7.2"}, "", true},
		{"asked again", []string{"127.0.7.1", "127.0.7.2"}, "", true},
		{"probed", []string{"127.0.7.1", "127.0.7.2"}, "127.0.7.2", false},
		{"another one", []string{"127.0.7.3"}, "", true},
		{"which is dropped", []string{"127.0.7.1"}, "", false},
	} {
		zone.Set(step.listed...)
		if step.probed != "" {
			addresses.MarkKnown(at(step.probed))
		}
		addresses.LookUp(t.Context(), cluster)
		if got := addresses.HasUnprobed(); got != step.unprobed {
			t.Errorf("%s: got %t", step.name, got)
		}
	}
}
