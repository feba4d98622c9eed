package lab

import (
	"encoding/csv"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/demo"
)

// sourceOf gives client i a loopback address.
func sourceOf(i int) net.IP { return net.IPv4(127, 0, byte(1+i/50), byte(1+i*7%250)) }

// compareHAProxy starts a comparison of an HAProxy and the demo.
func compareHAProxy(t *testing.T, h HAProxyConfig, d demo.HAProxyConfig) *comparison {
	t.Helper()
	h.Master, h.Admin = true, true
	configured := func(servers []Server) HAProxyConfig {
		c := h
		for _, s := range servers {
			s.MaxFails, s.FailTimeout = d.Check.Fall, d.Check.Inter
			c.Servers = append(c.Servers, s)
		}
		return c
	}
	return newComparison(t, 4, linesOf(1, 2, 3), func(servers []Server) realBalancer {
		haproxy := HAProxy(t, configured(servers))
		return realBalancer{
			url:    haproxy.URL(),
			reload: func(servers []Server) { haproxy.Reload(configured(servers)) },
			state: func(node string, s demo.ServerState) {
				haproxy.AdminCommand(t, fmt.Sprintf("set server cluster/%s state %s", node, haproxyStates[s]))
			},
			usable: func(node string) bool {
				_, stats := get(t, haproxy.StatsURL())
				return haproxyUp(stats, node)
			},
		}
	}, demo.BalancerConfig{HAProxy: &d})
}

var haproxyStates = map[demo.ServerState]string{
	demo.ServerReady: "ready", demo.ServerDrain: "drain", demo.ServerDisabled: "maint",
}

// haproxyUp reports whether HAProxy's statistics show a server as up, possibly with a
// failure or two.
func haproxyUp(stats, node string) bool {
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(stats, "# "))).ReadAll()
	if err != nil || len(rows) == 0 {
		return false
	}
	status := slices.Index(rows[0], "status")
	return slices.ContainsFunc(rows, func(row []string) bool {
		return row[0] == "cluster" && row[1] == node && (strings.HasPrefix(row[status], "UP") || row[status] == "no check")
	})
}

// healthChecks are frequent enough for a short test and tolerant enough for a busy
// machine.
var healthChecks = demo.HealthCheck{Inter: 500 * time.Millisecond, Path: "/status", Rise: 1, Fall: 3}

// An operatedStep is an operation on both balancers with its effect, where HAProxy
// keeps clients by a cookie or a stick table.
type operatedStep struct {
	name    string
	act     func()
	without []int // numbers of nodes that keep no client
	avoided int   // node that gets no new client either; 0: none
	forgets bool  // a reload, which resets stick tables
}

// haproxySteps returns a script of operations. With health checks, each step waits
// until both balancers have noticed.
func (c *comparison) haproxySteps(checked bool) []operatedStep {
	notification := func(up bool, nodes ...int) {
		for _, n := range nodes {
			if checked {
				c.waitNoticed(n, up)
			}
		}
	}
	// Without checks the second attempt may go to a dead node, too: then only one is
	// stopped.
	several := []int{1, 4}
	if !checked {
		several = several[1:]
	}
	return []operatedStep{
		{name: "all is well", act: func() {}},
		{name: "node2 is killed", act: func() { c.stop(2); notification(false, 2) }, without: []int{2}},
		{name: "node2 is started again", act: func() { c.start(2); notification(true, 2) }},
		{name: "node2 is disabled", act: func() { c.state(2, demo.ServerDisabled) }, without: []int{2}},
		{name: "node2 is enabled", act: func() { c.state(2, demo.ServerReady) }},
		{name: "node3 is drained", act: func() { c.state(3, demo.ServerDrain) }, avoided: 3},
		{name: "node3 is back", act: func() { c.state(3, demo.ServerReady) }},
		{name: "reload", act: func() { c.reload() }, forgets: true},
		{name: "node1 is disabled and killed", act: func() { c.state(1, demo.ServerDisabled); c.stop(1) }, without: []int{1}},
		{name: "reload while node1 is dead", act: func() { c.reload(); notification(false, 1) }, without: []int{1}, forgets: true},
		{name: "all are started again", act: func() { c.start(1); notification(true, 1) }},
		{name: "a line removed", act: func() { c.reload(linesOf(1, 3)...) }, without: []int{2}, forgets: true},
		{name: "the line is back", act: func() { c.reload(linesOf(1, 2, 3)...) }, forgets: true},
		{name: "another order", act: func() { c.reload(linesOf(3, 1, 2)...) }, forgets: true},
		{name: "a line added", act: func() { c.reload(linesOf(1, 2, 3, 4)...) }, forgets: true},
		{name: "several are killed", act: func() { c.stop(several...); notification(false, several...) }, without: several},
		{name: "several are started again", act: func() { c.start(several...); notification(true, several...) }},
		{name: "node3 is down", act: func() {
			c.reload(serverLine{node: 1}, serverLine{node: 2}, serverLine{node: 3, down: true}, serverLine{node: 4})
		}, without: []int{3}, forgets: true},
		{name: "weights", act: func() {
			c.reload(serverLine{node: 1, weight: 2}, serverLine{node: 2, weight: 4}, serverLine{node: 4, weight: 6})
		}, without: []int{3}, forgets: true},
	}
}

// TestOperationsAlikeHAProxySource: the hash of the source address is deterministic:
// every client gets the same node, or the same failure, behind both.
func TestOperationsAlikeHAProxySource(t *testing.T) {
	t.Parallel()
	for _, checked := range []bool{false, true} {
		t.Run(fmt.Sprintf("checked %t", checked), func(t *testing.T) {
			t.Parallel()
			h := HAProxyConfig{Balance: "source", Redispatch: true, Retries: 1}
			d := demo.HAProxyConfig{Balance: demo.HAProxySource, Redispatch: true, Retries: 1}
			if checked {
				h.CheckPath, d.Check = healthChecks.Path, healthChecks
			}
			o := compareHAProxy(t, h, d)
			o.addClientPairs(operated, "/cluster/test", nil, sourceOf)
			for _, step := range o.haproxySteps(checked) {
				step.act()
				t.Logf("%s: %v", step.name, o.sameAnswers(step.name))
			}
		})
	}
}

// TestOperationsAlikeHAProxyPersistence: a cookie or a stick table keeps every client
// on its node, behind both, while that node can serve it. Round robin distributes the
// others; its position is not compared, but its shares are. Under leastconn the shares
// are not compared: they depend on how soon a thread counts the end of a request.
func TestOperationsAlikeHAProxyPersistence(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		real HAProxyConfig
		demo demo.HAProxyConfig
	}{
		{"cookie", HAProxyConfig{Cookie: "SRV insert indirect nocache"}, demo.HAProxyConfig{Cookie: "SRV"}},
		{
			"cookie, leastconn",
			HAProxyConfig{Cookie: "SRV insert indirect nocache", Balance: "leastconn"},
			demo.HAProxyConfig{Cookie: "SRV", Balance: demo.HAProxyLeastConn},
		},
		{"stick table", HAProxyConfig{StickOn: "src"}, demo.HAProxyConfig{StickOnSrc: true}},
	} {
		for _, checked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, checked %t", test.name, checked), func(t *testing.T) {
				t.Parallel()
				h, d, clients := test.real, test.demo, fewer
				h.Redispatch, h.Retries, d.Redispatch, d.Retries = true, 1, true, 1
				if checked {
					h.CheckPath, d.Check, clients = healthChecks.Path, healthChecks, operated
				}
				o := compareHAProxy(t, h, d)
				o.addClientPairs(clients, "/cluster/test", nil, sourceOf)
				if o.chance = d.Balance == demo.HAProxyLeastConn; !o.chance {
					o.sameAnswers("new clients, before everything")
				}
				for _, step := range o.haproxySteps(checked) {
					step.act()
					if step.avoided > 0 {
						o.addClientPairs(20, "/cluster/test", nil, func(i int) net.IP { return net.IPv4(127, 0, 100, byte(1+i)) })
					}
					if step.forgets && d.StickOnSrc && len(step.without) == 0 {
						t.Logf("%s: %v", step.name, o.sameAnswers(step.name))
						continue
					}
					o.kept(step.name, step.without, step.avoided, step.forgets && d.StickOnSrc)
				}
			})
		}
	}
}

// TestOperationsAlikeHAProxyNoRedispatch: without redispatch clients of a dead node get
// errors until it is available.
func TestOperationsAlikeHAProxyNoRedispatch(t *testing.T) {
	t.Parallel()
	o := compareHAProxy(t, HAProxyConfig{Cookie: "SRV insert indirect nocache"}, demo.HAProxyConfig{Cookie: "SRV"})
	o.addClientPairs(operated, "/cluster/test", nil, sourceOf)
	o.sameAnswers("all is well")
	o.stop(2)
	if met := o.sameAnswers("node2 is killed"); met["503"] != met["node1"] {
		t.Errorf("got %v, want an error for a third of the clients", met)
	}
	o.start(2)
	o.sameAnswers("node2 is started again")
}
