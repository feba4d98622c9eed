package users

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes"

	"github.com/google/go-cmp/cmp"
)

// quick are pacings for tests over real connections.
var quick = []Pacing{{Every: 2 * time.Millisecond}, {Every: time.Millisecond, Burst: 3, Idle: 5 * time.Millisecond}, {Every: 2 * time.Millisecond, New: true}}

// start runs a population behind a demo cluster until the test ends or stop is called.
func start(t *testing.T, c demo.Config, u Config) (*demo.Cluster, *Population, func()) {
	t.Helper()
	cluster, err := demo.Start(c)
	must.Succeed(t, err)
	t.Cleanup(cluster.Close)
	u.URL, u.ClientHeader, u.Pacings = cluster.Balancer.URL(), "X-Stickwatch-Client", quick
	population := New(u)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		population.Run(ctx)
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return cluster, population, stop
}

// until waits until the totals of the log meet a condition.
func until(t *testing.T, l *Log, what string, met func(Totals) bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !met(l.Totals()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: still not after 30 s; got %v", what, l.Totals())
		}
	}
}

// TestStrategy checks that users without sessions still see which process answers.
func TestStrategy(t *testing.T) {
	page := Strategy
	page.Socket = "" // nginx does not repeat the POST of a connection at another node
	cluster, population, stop := start(t, demo.Config{}, Config{Page: page, Sticky: true, Users: 8})
	until(t, population.Log(), "100 requests", func(got Totals) bool { return got.All() >= 100 })
	if got := population.Log().Totals(); got[Served] != got.All() {
		t.Errorf("got %v, want all served", got)
	}
	must.Succeed(t, cluster.Nodes[1].Restart())
	until(t, population.Log(), "moves to another process", func(got Totals) bool { return got[Moved] > 0 })
	stop()
	if got := population.Log().Totals(); got.Harmed() != 0 {
		t.Errorf("got %v, want no user harmed", got)
	}
}

// TestSocket checks that a connection which is refused is an error, although the page was
// served.
func TestSocket(t *testing.T) {
	cluster, population, stop := start(t, demo.Config{}, Config{Page: Strategy, Sticky: true, Users: 8})
	until(t, population.Log(), "100 requests", func(got Totals) bool { return got.All() >= 100 })
	if got := population.Log().Totals(); got[Served] != got.All() {
		t.Errorf("got %v, want all served", got)
	}
	cluster.Nodes[0].Change(func(f *demo.NodeFaults) { f.ForgetSockets = true })
	until(t, population.Log(), "refused connections", func(got Totals) bool { return got[Error] > 0 })
	stop()
	for _, r := range population.Log().Requests() {
		if r.Outcome == Error && r.Detail != "joining over the connection: status 400" {
			t.Errorf("got %+v, want only refused connections", r)
		}
	}
}

func TestPages(t *testing.T) {
	for name, page := range map[string]Page{"generic": Generic, "ebridge": EBridge, "tomcat": Tomcat, "msm": MSM} {
		t.Run(name, func(t *testing.T) {
			_, population, stop := start(t, demo.Config{}, Config{Page: page, Sticky: true, Users: 12})
			until(t, population.Log(), "300 requests", func(got Totals) bool { return got.All() >= 300 })
			stop()
			if got := population.Log().Totals(); got[Served] != got.All() {
				t.Errorf("got %v, want all served", got)
			}
			writes := 0
			for _, r := range population.Log().Requests() {
				if r.Write {
					writes++
				}
			}
			if nodes := population.Log().ByNode(); writes == 0 || len(nodes) != 4 {
				t.Errorf("got %d writes and nodes %v, want some and node1 to node3, beside new clients", writes, nodes)
			}
		})
	}
}

// TestPopulationSpreads checks that the default addresses use every node, whichever
// part of the address the balancer hashes.
func TestPopulationSpreads(t *testing.T) {
	for name, c := range map[string]demo.Config{
		"nginx ip_hash":  {Nodes: 2},
		"HAProxy source": {Nodes: 2, HAProxy: &demo.HAProxyConfig{Balance: demo.HAProxySource}},
	} {
		t.Run(name, func(t *testing.T) {
			_, population, stop := start(t, c, Config{Sticky: true, Users: 12})
			until(t, population.Log(), "100 requests", func(got Totals) bool { return got.All() >= 100 })
			stop()
			byNode := make(map[string]int)
			for _, r := range population.Log().Requests() {
				byNode[r.Node]++
			}
			if len(byNode) != 2 {
				t.Errorf("got requests by node %v, want both nodes", byNode)
			}
		})
	}
}

// TestPopulationNoticesARestart checks that the harm after a restart is one period, and
// that only sessions of the restarted node are affected.
func TestPopulationNoticesARestart(t *testing.T) {
	cluster, population, stop := start(t, demo.Config{}, Config{Sticky: true, Users: 18})
	until(t, population.Log(), "100 requests", func(got Totals) bool { return got.All() >= 100 })
	before := time.Now()
	must.Succeed(t, cluster.Nodes[1].Restart())
	until(t, population.Log(), "a loss", func(got Totals) bool { return got[Lost] > 0 })
	stop()
	harms := population.Log().Harms(time.Minute)
	if len(harms) != 1 {
		t.Fatalf("got %d harms, want 1: %+v", len(harms), harms)
	}
	h := harms[0]
	if diff := cmp.Diff([]string{"node2"}, h.Owners); diff != "" || h.To.Before(before) || h.Outcomes[Lost] < 1 {
		t.Errorf("got %+v, want losses of node2 after the restart\n%s", h, diff)
	}
}

// TestPopulationDialsFromItsAddresses checks that, without a header, the balancer sees
// the address of each user.
func TestPopulationDialsFromItsAddresses(t *testing.T) {
	seen := make(chan string, 1000)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	must.Succeed(t, err)
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			select {
			case seen <- conn.RemoteAddr().(*net.TCPAddr).IP.String():
			default:
			}
			conn.Close()
		}
	}()
	population := New(Config{
		URL: "http://" + ln.Addr().String(), Users: 1, Pacings: quick, FromClient: true,
		Client: func(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, byte(n), 9}) },
	})
	r, _ := population.users[0].request(t.Context(), 1)
	if got := <-seen; got != "127.0.1.9" || r.Outcome != Error {
		t.Errorf("came from %s and met %q, want 127.0.1.9 and an error", got, r.Outcome)
	}
}

// TestPopulationSeesMoves checks that round robin over a shared store moves every user
// and loses no session.
func TestPopulationSeesMoves(t *testing.T) {
	_, population, stop := start(t, demo.Config{Method: probes.MethodRoundRobin, Shared: true}, Config{Sticky: true, Users: 4})
	until(t, population.Log(), "moves", func(got Totals) bool { return got[Moved] >= 20 })
	stop()
	if got := population.Log().Totals(); got.Harmed() != 0 {
		t.Errorf("got %v, want no user harmed", got)
	}
}
