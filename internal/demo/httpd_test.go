package demo

import (
	"fmt"
	"testing"
	"time"

	"stickwatch/probes/balance"
)

func httpdOf(n int, c HTTPDConfig) *httpd {
	servers := make([]balance.Server, n)
	for i := range servers {
		servers[i] = balance.Server{Name: fmt.Sprint("node", i), Weight: 1}
	}
	return newHTTPD(BalancerConfig{HTTPD: &c}, servers)
}

// A step is a request at a second, while the servers in down refuse connections.
type step struct {
	second float64
	cookie string
	down   []int
	want   string
}

func TestHTTPD(t *testing.T) {
	const sticky = "JSESSIONID"
	tests := []struct {
		name   string
		config HTTPDConfig
		steps  []step
	}{
		{"routes", HTTPDConfig{StickySession: sticky}, []step{
			{0, "JSESSIONID=A.node1", nil, "1"},
			{0, "JSESSIONID=B.node1", nil, "1"},
			{0, "JSESSIONID=C", nil, "0"},
			{0, "JSESSIONID=D.x.node1", nil, "2"}, // the route is x.node1
			{0, "", nil, "0"},
		}},
		{"retry", HTTPDConfig{StickySession: sticky, Retry: 10 * time.Second}, []step{
			{0, "JSESSIONID=A.node1", []int{1}, "1 0"},
			{1, "JSESSIONID=A.node1", nil, "2"}, // the server would answer but is not tried
			{10, "JSESSIONID=A.node1", nil, "0"},
			{10.1, "JSESSIONID=A.node1", []int{1}, "1 2"},
			{20.2, "JSESSIONID=A.node1", nil, "1"},
		}},
		{"no failover", HTTPDConfig{StickySession: sticky, Retry: 10 * time.Second, NoFailover: true}, []step{
			{0, "JSESSIONID=A.node1", []int{1}, "1 503"},
			{1, "JSESSIONID=A.node1", nil, "503"},
			{1, "JSESSIONID=A.node9", nil, "0"},
			{1, "", nil, "2"},
			{11, "JSESSIONID=A.node1", nil, "1"},
		}},
		{"retry=0", HTTPDConfig{StickySession: sticky, Retry: -1}, []step{
			{0, "JSESSIONID=A.node1", []int{1}, "1 1 1 503"},
			{1, "JSESSIONID=A.node1", nil, "1"},
		}},
		{"all in error", HTTPDConfig{}, []step{
			{0, "", []int{0, 1, 2}, "0 1 2 503"},
			{1, "", nil, "2"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := httpdOf(3, tt.config)
			for i, s := range tt.steps {
				if got := pass(h, request("127.0.0.1", s.cookie), at(s.second), s.down...); got != s.want {
					t.Errorf("step %d: got %q, want %q", i, got, s.want)
				}
			}
		})
	}
}

func TestHTTPDStates(t *testing.T) {
	h := httpdOf(2, HTTPDConfig{StickySession: "JSESSIONID"})
	for _, tt := range []struct {
		state      ServerState
		known, new string
	}{
		{ServerDrain, "1", "0"}, {ServerDisabled, "0", "0"}, {ServerReady, "1", "0"},
	} {
		h.setState(1, tt.state)
		known, unknown := pass(h, request("127.0.0.1", "JSESSIONID=A.node1"), at(0)), pass(h, request("127.0.0.1", ""), at(0))
		if known != tt.known || unknown != tt.new {
			t.Errorf("%q: a client of node1 went to %s and a new one to %s, want %s and %s", tt.state, known, unknown, tt.known, tt.new)
		}
	}
}
