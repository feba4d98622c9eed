package demo

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes/balance"
)

// refused is the error of a connection to a dead server.
var refused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

// haproxyOf returns an HAProxy with n servers, whose names and routes are node0, node1
// and so on.
func haproxyOf(n int, c HAProxyConfig) *haproxy {
	servers := make([]balance.Server, n)
	for i := range servers {
		servers[i] = balance.Server{Name: fmt.Sprint("node", i), Weight: 1}
	}
	c = c.withDefaults()
	return newHAProxy(BalancerConfig{HAProxy: &c, Timeout: time.Minute}, servers, newStickTable(c.StickExpire))
}

// request returns a request of a client, with a cookie if it is not "".
func request(client, cookie string) *selection {
	r, _ := http.NewRequest(http.MethodGet, "http://cluster/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return &selection{client: client, request: r}
}

// pass sends a request through a scheduler while the servers in down refuse
// connections. It returns the servers tried, the pauses between them, and the cookie or
// the failure that the client gets.
func pass(s scheduler, c *selection, now time.Time, down ...int) string {
	var events []string
	for {
		i, ok := s.choose(c, now)
		if !ok {
			return strings.Join(append(events, fmt.Sprint(s.status(nil))), " ")
		}
		c.tried = append(c.tried, i)
		events = append(events, fmt.Sprint(i))
		if !slices.Contains(down, i) {
			header := http.Header{}
			s.answered(c, i, header, now)
			s.finished(i)
			if set := header.Get("Set-Cookie"); set != "" {
				events = append(events, strings.TrimSuffix(set, "; Path=/"))
			}
			return strings.Join(events, " ")
		}
		s.failed(i, refused, now)
		wait, again := s.retry(c, refused)
		if !again {
			return strings.Join(append(events, fmt.Sprint(s.status(refused))), " ")
		}
		if wait > 0 {
			events = append(events, wait.String())
		}
		now = now.Add(wait)
	}
}

func TestHealthCounts(t *testing.T) {
	h := newHealth(HealthCheck{Rise: 2, Fall: 3})
	var got []bool
	for _, passed := range []bool{true, false, false, true, false, false, false, true, false, true, true} {
		h.add(passed)
		got = append(got, h.up())
	}
	want := []bool{true, true, true, true, true, true, false, false, false, false, true}
	expect.Equal(t, "up", want, got)
	if h := newHealth(HealthCheck{Rise: 2, Fall: 3}); !h.up() {
		t.Error("down before its first check")
	} else if h.add(false); h.up() {
		t.Error("up after a failure of its first check")
	}
}

func TestHAProxyKeepsByCookie(t *testing.T) {
	h := haproxyOf(3, HAProxyConfig{Cookie: "SRV", Retries: 3, Redispatch: true})
	now := at(0)
	for _, tt := range []struct {
		what, cookie string
		act          func()
		down         []int
		want         string
	}{
		{"a new client", "", nil, nil, "0 SRV=node0"},
		{"another", "", nil, nil, "1 SRV=node1"},
		{"known", "SRV=node0", nil, nil, "0"},
		{"an unknown server", "SRV=node9", nil, nil, "2 SRV=node2"},
		{"dead and not yet found out", "SRV=node0", nil, []int{0}, "0 1s 0 1s 0 1 SRV=node1"},
		{"found out", "SRV=node0", func() { h.health[0].value = 0 }, []int{0}, "2 SRV=node2"},
		{"up again", "SRV=node0", func() { h.health[0] = newHealth(HealthCheck{Rise: 2, Fall: 3}) }, nil, "0"},
		{"drained", "SRV=node0", func() { h.setState(0, ServerDrain) }, nil, "0"},
		{"drained, a new client", "", nil, nil, "1 SRV=node1"},
		{"disabled", "SRV=node0", func() { h.setState(0, ServerDisabled) }, nil, "2 SRV=node2"},
		{"enabled", "SRV=node0", func() { h.setState(0, ServerReady) }, nil, "0"},
		{"all down", "SRV=node0", func() {
			for i := range h.health {
				h.health[i].value = 0
			}
		}, nil, "503"},
	} {
		if tt.act != nil {
			tt.act()
		}
		expect.Equal(t, tt.what, tt.want, pass(h, request("127.0.0.1", tt.cookie), now, tt.down...))
	}
	if want := []int{0, 0, 0}; !slices.Equal(h.conns, want) {
		t.Errorf("requests under way: %v, want %v", h.conns, want)
	}
}

func TestHAProxyRetries(t *testing.T) {
	for _, tt := range []struct {
		what   string
		config HAProxyConfig
		cookie string
		want   string
	}{
		{"no retries", HAProxyConfig{Redispatch: true}, "", "0 503"},
		{"no redispatch", HAProxyConfig{Retries: 2}, "", "0 1s 0 1s 0 503"},
		{"round robin is redispatched at once", HAProxyConfig{Retries: 2, Redispatch: true}, "", "0 1"},
		{"leastconn only at last", HAProxyConfig{Retries: 2, Redispatch: true, Balance: HAProxyLeastConn}, "", "0 1s 0 1"},
		{"source comes to the same server", HAProxyConfig{Retries: 1, Redispatch: true, Balance: HAProxySource}, "", "0 0 503"},
		{"a cookie binds until the last try", HAProxyConfig{Cookie: "SRV", Retries: 1, Redispatch: true}, "SRV=node0", "0 1 SRV=node1"},
	} {
		h := haproxyOf(2, tt.config)
		expect.Equal(t, tt.what, tt.want, pass(h, request("127.0.0.2", tt.cookie), at(0), 0))
	}
}

func TestHAProxySticksOnSource(t *testing.T) {
	h := haproxyOf(3, HAProxyConfig{StickOnSrc: true, StickExpire: time.Minute, Retries: 1, Redispatch: true})
	for _, tt := range []struct {
		client string
		second float64
		down   []int
		want   string
	}{
		{"127.0.0.1", 0, nil, "0"},
		{"127.0.0.2", 0, nil, "1"},
		{"127.0.0.1", 59, nil, "0"},
		{"127.0.0.1", 70, []int{0}, "0 2"}, // its entry is stored again
		{"127.0.0.1", 71, nil, "2"},
		{"127.0.0.2", 71, nil, "2"}, // expired
	} {
		if got := pass(h, request(tt.client, ""), at(tt.second), tt.down...); got != tt.want {
			t.Errorf("%s at %v s: got %q, want %q", tt.client, tt.second, got, tt.want)
		}
	}
}

// until waits until a condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestHealthChecksTakeServersOut(t *testing.T) {
	for _, path := range []string{"", "/status"} {
		c := startCluster(t, Config{HAProxy: &HAProxyConfig{
			Cookie: "SRV", Retries: 1, Redispatch: true, Check: HealthCheck{Inter: 20 * time.Millisecond, Path: path},
		}})
		b, addr := c.Balancer, c.Nodes[1].Addr()
		is := func(want bool) func() bool { return func() bool { return b.Usable(addr) == want } }

		operate(t, c.StopNode("node2"))
		until(t, "down", is(false))
		operate(t, c.StartNode("node2"))
		until(t, "up", is(true))
		if path != "" {
			c.Nodes[1].Set(NodeFaults{Failing: path})
			until(t, "failing", is(false))
			c.Nodes[1].Set(NodeFaults{})
			until(t, "well", is(true))
		}
		operate(t, c.SetServerState("node2", ServerDisabled))
		if b.Usable(addr) {
			t.Error("a disabled server is used")
		}
		operate(t, c.Reload())
		if !b.Usable(addr) {
			t.Error("a reload keeps a server disabled that was disabled by the socket")
		}
		operate(t, c.StopNode("node2"))
		until(t, "down", is(false))
		operate(t, c.Reload())
		until(t, "down again", is(false))
	}
}

// TestReloadForgetsTheStickTable checks that a reload resets the stick table, unless
// peers keep it.
func TestReloadForgetsTheStickTable(t *testing.T) {
	for _, peers := range []bool{false, true} {
		c := startCluster(t, Config{HAProxy: &HAProxyConfig{StickOnSrc: true, Peers: peers}})
		browsers := clients(t, 4)
		before := nodesOf(c, browsers)
		expect.Equal(t, "stuck", before, nodesOf(c, browsers))
		operate(t, c.Reload())
		slices.Reverse(browsers)
		after := nodesOf(c, browsers)
		slices.Reverse(after)
		if kept := slices.Equal(before, after); kept != peers {
			t.Errorf("peers %t: before the reload %q, after it %q", peers, before, after)
		}
	}
}

// operate fails the test if an operation has failed.
func operate(t *testing.T, err error) {
	t.Helper()
	must.Succeed(t, err)
}
