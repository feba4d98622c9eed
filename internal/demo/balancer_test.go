package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

const clientHeader = "X-Stickwatch-Client"

// A testCluster is a balancer with its nodes.
type testCluster struct {
	t        *testing.T
	nodes    []*Node
	balancer *Balancer
}

// startBehind starts a balancer with n nodes. Servers tried are reported by number,
// from 0. The fail_timeout is longer than any test.
func startBehind(t *testing.T, n int, c BalancerConfig) *testCluster {
	t.Helper()
	l := &testCluster{t: t}
	servers := make([]balance.Server, n)
	for i := range n {
		node := startNode(t, NodeConfig{ID: fmt.Sprint("node", i)})
		l.nodes = append(l.nodes, node)
		servers[i] = balance.Server{Name: node.Addr(), Weight: 1}
		if i < len(c.Servers) {
			servers[i] = c.Servers[i]
			servers[i].Name = node.Addr()
		}
	}
	c.Servers, c.FailTimeout, c.UpstreamHeader, c.ClientIPHeader = servers, time.Hour, "X-Upstream", clientHeader
	b, err := StartBalancer(c)
	must.Succeed(t, err)
	t.Cleanup(b.Close)
	l.balancer = b
	return l
}

// upstreamsTried returns the nodes that were tried for an answer, such as "0, 2".
func (t *testCluster) upstreamsTried(r reply) string {
	upstreamsTried := r.Header.Get("X-Upstream")
	for i, n := range t.nodes {
		upstreamsTried = strings.ReplaceAll(upstreamsTried, n.Addr(), fmt.Sprint(i))
	}
	return upstreamsTried
}

// upstreamsTriedBy sends count requests of a client.
func (t *testCluster) upstreamsTriedBy(v *browser, count int) []string {
	t.t.Helper()
	var list []string
	for range count {
		r := v.get(t.balancer.URL() + "/")
		list = append(list, fmt.Sprintf("%d: %s", r.Status, t.upstreamsTried(r)))
	}
	return list
}

func (t *testCluster) want(what string, got []string, want ...string) {
	t.t.Helper()
	expect.Equal(t.t, what, want, got)
}

// TestBalancerPlacesAsNginx compares the balancer with package balance, which is tested
// against nginx.
func TestBalancerPlacesAsNginx(t *testing.T) {
	servers := []balance.Server{{Weight: 2}, {Weight: 1, Down: true}, {Weight: 1}, {Weight: 3}}
	for method, oracle := range map[probes.Method]func([]balance.Server) balance.Picker{
		probes.MethodIPHash: balance.IPHash, probes.MethodHash: balance.Hash,
	} {
		l := startBehind(t, 4, BalancerConfig{Method: method, Servers: servers, MaxFails: 1})
		for _, ejected := range [][]int{nil, {3}} {
			l.balancer.Change(func(f *BalancerFaults) {
				for _, i := range ejected {
					f.Ejected = append(f.Ejected, l.nodes[i].Addr())
				}
			})
			for i := range 60 {
				client := fmt.Sprintf("10.%d.%d.7", i*7%256, i*31%256)
				if i%6 == 0 {
					client = fmt.Sprintf("2001:db8::%x", i+1)
				}
				want, _ := oracle(servers).Pick(client, ejected...)
				got := l.upstreamsTried(newBrowser(t, clientHeader+": "+client).get(l.balancer.URL() + "/"))
				if got != fmt.Sprint(want) {
					t.Errorf("%s without %v: client %s went to %s, want %d", method, ejected, client, got, want)
				}
			}
		}
	}
}

func TestBalancerEjects(t *testing.T) {
	l := startBehind(t, 2, BalancerConfig{Method: probes.MethodRoundRobin, MaxFails: 2, Servers: []balance.Server{{Weight: 100}, {Weight: 1}}})
	l.nodes[0].Stop()
	v := newBrowser(t)
	l.want("with max_fails 2", l.upstreamsTriedBy(v, 4), "200: 0, 1", "200: 0, 1", "200: 1", "200: 1")
	must.Succeed(t, l.nodes[0].Start())
	l.want("started again within fail_timeout", l.upstreamsTriedBy(v, 2), "200: 1", "200: 1")
	l.nodes[1].Set(NodeFaults{Failing: "/"})
	l.want("an answer is an answer", l.upstreamsTriedBy(v, 2), "500: 1", "500: 1")
}

// TestBalancerLogs checks that the log has the status that clients got, and nginx's 499 for a client
// that did not wait for one.
func TestBalancerLogs(t *testing.T) {
	statuses := make(chan string, 4)
	l := startBehind(t, 1, BalancerConfig{Log: func(r *http.Request, status int, took time.Duration) {
		statuses <- fmt.Sprint(r.URL.Path, " ", status, " ", took > 0)
	}})
	v := newBrowser(t)
	v.get(l.balancer.URL() + "/a")
	l.nodes[0].Set(NodeFaults{Failing: "/"})
	v.get(l.balancer.URL() + "/b")
	l.nodes[0].Set(NodeFaults{Delay: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.balancer.URL()+"/c", http.NoBody)
	must.Succeed(t, err)
	if answer, err := http.DefaultClient.Do(request); err == nil {
		answer.Body.Close()
		t.Errorf("got status %d of a node that waits, want none", answer.StatusCode)
	}
	l.want("log", []string{<-statuses, <-statuses, <-statuses}, "/a 404 true", "/b 500 true", "/c 499 true")
}

func TestBalancerWithoutServers(t *testing.T) {
	l := startBehind(t, 2, BalancerConfig{Method: probes.MethodRoundRobin, MaxFails: 1})
	for _, n := range l.nodes {
		n.Stop()
	}
	v := newBrowser(t)
	l.want("all down", l.upstreamsTriedBy(v, 3), "502: 0, 1", "502: demo", "502: demo")
	for _, n := range l.nodes {
		must.Succeed(t, n.Start())
	}
	l.want("started again within fail_timeout", l.upstreamsTriedBy(v, 1), "502: demo")
}

func TestBalancerNeverEjectsTheOnlyServer(t *testing.T) {
	l := startBehind(t, 1, BalancerConfig{MaxFails: 1})
	l.nodes[0].Stop()
	v := newBrowser(t)
	l.want("down", l.upstreamsTriedBy(v, 2), "502: 0", "502: 0")
	must.Succeed(t, l.nodes[0].Start())
	l.want("up", l.upstreamsTriedBy(v, 1), "200: 0")
}

func TestBalancerRetries(t *testing.T) {
	tests := []struct {
		name   string
		breaks func(*Node)
		method string
		want   string
	}{
		{"dropped GET", func(n *Node) { n.Set(NodeFaults{Mode: Drop}) }, http.MethodGet, "200: 0, 1"},
		{"garbled GET", func(n *Node) { n.Set(NodeFaults{Mode: Garbage}) }, http.MethodGet, "200: 0, 1"},
		{"hanging GET", func(n *Node) { n.Set(NodeFaults{Mode: Hang}) }, http.MethodGet, "200: 0, 1"},
		{"POST that may have arrived", func(n *Node) { n.Set(NodeFaults{Mode: Drop}) }, http.MethodPost, "502: 0"},
		{"hanging POST", func(n *Node) { n.Set(NodeFaults{Mode: Hang}) }, http.MethodPost, "504: 0"},
		{"POST that cannot have arrived", (*Node).Stop, http.MethodPost, "200: 0, 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // some cases last as long as the time-out, which leaves the second node enough time
			l := startBehind(t, 2, BalancerConfig{Method: probes.MethodRoundRobin, Timeout: 3 * time.Second})
			tt.breaks(l.nodes[0])
			r := newBrowser(t).do(tt.method, l.balancer.URL()+"/", "key1=1")
			if got := fmt.Sprintf("%d: %s", r.Status, l.upstreamsTried(r)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBalancerPassesBodies(t *testing.T) {
	l := startBehind(t, 1, BalancerConfig{})
	v := newBrowser(t, "Content-Type: application/x-www-form-urlencoded")
	if r := v.do(http.MethodPost, l.balancer.URL()+"/cluster/test", "key1=41"); !strings.Contains(r.Body, "key1=41\n") {
		t.Errorf("no key1=41 in:\n%s", r.Body)
	}
	if r := v.do(http.MethodPost, l.balancer.URL()+"/", strings.Repeat("x", maxBody+1)); r.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("long body: %d, want 413", r.Status)
	}
}

func TestBalancerByCookie(t *testing.T) {
	l := startBehind(t, 3, BalancerConfig{Method: probes.MethodCookie, MaxFails: 1})
	v := newBrowser(t)
	l.want("sticks", l.upstreamsTriedBy(v, 3), "200: 0", "200: 0", "200: 0")
	l.want("another client", l.upstreamsTriedBy(newBrowser(t), 2), "200: 1", "200: 1")
	l.balancer.Set(BalancerFaults{Ejected: []string{l.nodes[0].Addr()}})
	moved := l.upstreamsTriedBy(v, 2)
	if slices.Contains(moved, "200: 0") || moved[0] != moved[1] {
		t.Errorf("redispatched to %q, want one other node", moved)
	}
	l.balancer.Set(BalancerFaults{})
	l.want("stays where it was sent", l.upstreamsTriedBy(v, 1), moved[0])
}

func TestBalancerByChanceOrTurn(t *testing.T) {
	l := startBehind(t, 3, BalancerConfig{Method: probes.MethodRoundRobin, Servers: []balance.Server{{Weight: 1}, {Weight: 1}, {Weight: 1, Backup: true}}})
	l.want("round robin", l.upstreamsTriedBy(newBrowser(t), 4), "200: 0", "200: 1", "200: 0", "200: 1")
	l.nodes[0].Stop()
	l.nodes[1].Stop()
	l.want("backup", l.upstreamsTriedBy(newBrowser(t), 1), "200: 0, 1, 2")

	draws := func(seed uint64) []string {
		l := startBehind(t, 3, BalancerConfig{Method: probes.MethodRandom, Seed: seed})
		return l.upstreamsTriedBy(newBrowser(t), 20)
	}
	one, same, other := draws(1), draws(1), draws(2)
	if !slices.Equal(one, same) || slices.Equal(one, other) {
		t.Errorf("want the seed to decide:\n%q\n%q\n%q", one, same, other)
	}
}

// TestBalancerWorkersCountSeparately: each worker detects a failure by itself. Its first
// request to a dead node is retried, and until then clients see two nodes.
func TestBalancerWorkersCountSeparately(t *testing.T) {
	l := startBehind(t, 2, BalancerConfig{MaxFails: 1, Workers: 3})
	client, _ := balance.ClientFor(balance.IPHash(l.balancer.config.Servers), 0, 0)
	v := newBrowser(t, clientHeader+": "+client.String())
	l.nodes[0].Stop()
	l.want("connections in turn", l.upstreamsTriedBy(v, 6), "200: 0, 1", "200: 0, 1", "200: 0, 1", "200: 1", "200: 1", "200: 1")
	must.Succeed(t, l.nodes[0].Start())

	l = startBehind(t, 2, BalancerConfig{MaxFails: 1, Workers: 2})
	client, _ = balance.ClientFor(balance.IPHash(l.balancer.config.Servers), 0, 0)
	l.balancer.Set(BalancerFaults{Ejected: []string{l.nodes[0].Addr()}, OnlyWorker: 2})
	l.want("split", l.upstreamsTriedBy(newBrowser(t, clientHeader+": "+client.String()), 4), "200: 0", "200: 1", "200: 0", "200: 1")
}

func TestBalancerFaults(t *testing.T) {
	l := startBehind(t, 3, BalancerConfig{})
	client, _ := balance.ClientFor(balance.IPHash(l.balancer.config.Servers), 2, 0)
	v := newBrowser(t, clientHeader+": "+client.String())
	own, _ := balance.IPHash(l.balancer.config.Servers).Pick("127.0.0.1")

	l.want("healthy", l.upstreamsTriedBy(v, 1), "200: 2")
	l.balancer.Set(BalancerFaults{IgnoreClientIP: true})
	l.want("header ignored", l.upstreamsTriedBy(v, 1), fmt.Sprintf("200: %d", own))
	l.balancer.Set(BalancerFaults{Status: http.StatusBadGateway})
	l.want("error of its own", l.upstreamsTriedBy(v, 1), "502: ")
	l.balancer.Set(BalancerFaults{Method: probes.MethodRoundRobin})
	l.want("another method", l.upstreamsTriedBy(v, 3), "200: 0", "200: 1", "200: 2")

	l.balancer.Stop()
	if _, err := v.try(t.Context(), http.MethodGet, l.balancer.URL(), ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("stopped: got %v, want a refused connection", err)
	}
	l.balancer.Set(BalancerFaults{})
	must.Succeed(t, l.balancer.Start())
	l.want("healed", l.upstreamsTriedBy(v, 1), "200: 2")
}

// TestBalancerHidesTheNodesClock: nginx sends its own Date, not the node's.
func TestBalancerHidesTheNodesClock(t *testing.T) {
	l := startBehind(t, 1, BalancerConfig{})
	l.nodes[0].Set(NodeFaults{ClockOffset: 24 * time.Hour})
	date, err := http.ParseTime(newBrowser(t).get(l.balancer.URL()).Header.Get("Date"))
	must.Succeed(t, err)
	if time.Until(date) > time.Hour {
		t.Errorf("Date %v is the node's", date)
	}
}

func TestBalancerPassesWebSockets(t *testing.T) {
	l := startBehind(t, 2, BalancerConfig{})
	sid := opening(t, newBrowser(t), l.balancer.URL())
	c, status := dialWebSocket(t, l.balancer.Addr(), "&sid="+sid)
	if status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d, want 101", status)
	}
	sendPacket(t, c, "2probe")
	if got := receivePacket(t, c); got != "3probe" {
		t.Errorf("got %q, want 3probe", got)
	}
	l.balancer.Stop()
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the WebSocket outlives the balancer")
	}
	must.Succeed(t, l.balancer.Start())
	l.balancer.Set(BalancerFaults{NoUpgrade: true})
	if _, status := dialWebSocket(t, l.balancer.Addr(), ""); status != http.StatusBadRequest {
		t.Errorf("no upgrade: status %d, want 400", status)
	}
}

func TestStartBalancerRefuses(t *testing.T) {
	if _, err := StartBalancer(BalancerConfig{Method: "best_guess"}); err == nil || !strings.Contains(err.Error(), `"best_guess"`) {
		t.Errorf("got %v, want an error that names the method", err)
	}
}

// TestBalancerByLeastConnections: a server with a request in flight gets the next one only
// when the others have as many.
func TestBalancerByLeastConnections(t *testing.T) {
	l := startBehind(t, 3, BalancerConfig{Method: probes.MethodLeastConn})
	l.want("idle servers take turns", l.upstreamsTriedBy(newBrowser(t), 4), "200: 0", "200: 1", "200: 2", "200: 0")
	if _, status := dialWebSocket(t, l.balancer.Addr(), ""); status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d, want 101", status)
	}
	if got := l.upstreamsTriedBy(newBrowser(t), 6); slices.Contains(got, "200: 1") || !slices.Contains(got, "200: 0") || !slices.Contains(got, "200: 2") {
		t.Errorf("node 1 has a WebSocket, and clients went to %q", got)
	}
}
