package lab

import (
	"testing"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// An entrance is a running balancer.
type entrance interface {
	URL() string
	Stop()
}

// A front is a kind of balancer that scenarios are played behind.
type front struct {
	name   string
	method probes.Method
	header bool // takes the client address that the prober presents
	sticky bool // holds clients on their node
	counts bool // ejects by counting failures of users' requests
	start  func(tb testing.TB, nodes []*demo.Node, p plan) entrance
}

// ejection is long enough to last through a test.
const ejection = time.Minute

// fronts lists every balancer, the demo's own beside the real ones: what one
// scenario finds behind the one it must find behind the other.
var fronts = []front{
	{"demo ip_hash", probes.MethodIPHash, true, true, true, startDemo(probes.MethodIPHash)},
	{"demo cookie", probes.MethodCookie, false, true, true, startDemo(probes.MethodCookie)},
	{"demo round robin", probes.MethodRoundRobin, false, false, true, startDemo(probes.MethodRoundRobin)},
	{"nginx ip_hash", probes.MethodIPHash, true, true, true, startNginx(NginxConfig{Method: "ip_hash", RealIP: true})},
	{"nginx ip_hash, one address", probes.MethodIPHash, false, true, true, startNginx(NginxConfig{Method: "ip_hash"})},
	{"nginx hash", probes.MethodHash, true, true, true, startNginx(NginxConfig{Method: "hash $remote_addr", RealIP: true})},
	{"nginx hash consistent", probes.MethodHash, true, true, true, startNginx(NginxConfig{Method: "hash $remote_addr consistent", RealIP: true})},
	{"nginx round robin", probes.MethodRoundRobin, false, false, true, startNginx(NginxConfig{})},
	{"nginx random", probes.MethodRandom, false, false, true, startNginx(NginxConfig{Method: "random"})},
	{"nginx unknown", probes.MethodUnknown, false, false, true, startNginx(NginxConfig{})},
	{"haproxy cookie", probes.MethodCookie, false, true, true, startHAProxy(HAProxyConfig{Cookie: "SRV insert indirect nocache", Redispatch: true, Retries: 1})},
	{"haproxy round robin", probes.MethodRoundRobin, false, false, true, startHAProxy(HAProxyConfig{Redispatch: true, Retries: 1})},
	{"apache sticky", probes.MethodCookie, false, true, true, startApache(ApacheConfig{StickySession: "JSESSIONID|jsessionid"})},
	{"apache byrequests", probes.MethodRoundRobin, false, false, true, startApache(ApacheConfig{})},
}

func startDemo(m probes.Method) func(testing.TB, []*demo.Node, plan) entrance {
	return func(tb testing.TB, nodes []*demo.Node, p plan) entrance {
		c := demo.BalancerConfig{
			Method: m, MaxFails: 1, FailTimeout: ejection, Timeout: ejection,
			Workers: p.front.workers, ClientIPHeader: clientHeader,
		}
		for i, n := range nodes {
			c.Servers = append(c.Servers, balance.Server{Name: n.Addr(), Weight: p.weight(i), Down: n.ID() == p.front.down})
		}
		b, err := demo.StartBalancer(c)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(b.Close)
		if !p.front.upgrade {
			b.Set(demo.BalancerFaults{NoUpgrade: true})
		}
		return b
	}
}

func startNginx(c NginxConfig) func(testing.TB, []*demo.Node, plan) entrance {
	return func(tb testing.TB, nodes []*demo.Node, p plan) entrance {
		c := c
		c.Servers = servers(nodes, p)
		c.WebSocket = p.front.upgrade
		c.Workers, c.Zone = p.front.workers, p.front.workers == 0
		return Nginx(tb, c)
	}
}

func startHAProxy(c HAProxyConfig) func(testing.TB, []*demo.Node, plan) entrance {
	return func(tb testing.TB, nodes []*demo.Node, p plan) entrance {
		c := c
		c.Servers, c.Observe, c.Timeout = servers(nodes, p), "layer4", ejection
		return HAProxy(tb, c)
	}
}

func startApache(c ApacheConfig) func(testing.TB, []*demo.Node, plan) entrance {
	return func(tb testing.TB, nodes []*demo.Node, p plan) entrance {
		c := c
		c.Servers = servers(nodes, p)
		c.WebSocket = p.front.upgrade
		return Apache(tb, c)
	}
}

func servers(nodes []*demo.Node, p plan) []Server {
	var list []Server
	for i, n := range nodes {
		list = append(list, Server{
			Name: n.ID(), Addr: n.Addr(), Weight: p.weight(i), MaxFails: 1, FailTimeout: ejection, Down: n.ID() == p.front.down,
		})
	}
	return list
}

func (p plan) weight(node int) int {
	if node < len(p.weights) {
		return p.weights[node]
	}
	return 1
}
