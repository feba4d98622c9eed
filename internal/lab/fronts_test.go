package lab

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A frontend is a running balancer.
type frontend interface {
	URL() string
	Stop()
}

// A front is a kind of balancer for scenarios.
type front struct {
	name   string
	method probes.Method // as an operator would configure it
	key    string        // key of method hash; "": the client's address
	header bool          // uses the client address that the prober presents
	sticky bool          // keeps clients on their node
	narrow bool          // sends all clients of one address to one node
	equal  bool          // has no weights, or ignores them
	noMark bool          // nodes cannot be marked down
	cookie string        // the only cookie that makes clients sticky; "": any client is
	alters bool          // modifies the session's cookie, so that no node knows it in a direct request
	label  string        // response header that names the node; "": pages do
	start  func(tb testing.TB, nodes []*demo.Node, p plan) frontend
}

// ejection is longer than any test.
const ejection = time.Minute

// jsessionid is Tomcat's session cookie, which some balancers use.
const jsessionid = "JSESSIONID"

// fronts lists every balancer, including the demo's: each scenario must have the same
// result behind all of them. The hashes of HAProxy and Caddy differ from nginx's: their
// methods are unknown to stickwatch.
var fronts = []front{
	{name: "demo ip_hash", method: probes.MethodIPHash, header: true, sticky: true, start: startDemo(probes.MethodIPHash)},
	{name: "demo cookie", method: probes.MethodCookie, sticky: true, start: startDemo(probes.MethodCookie)},
	{name: "demo round robin", method: probes.MethodRoundRobin, start: startDemo(probes.MethodRoundRobin)},

	{name: "nginx ip_hash", method: probes.MethodIPHash, header: true, sticky: true, start: startNginx(NginxConfig{Method: "ip_hash", RealIP: true})},
	{name: "nginx ip_hash, 4 workers", method: probes.MethodIPHash, header: true, sticky: true, start: startNginx(NginxConfig{Method: "ip_hash", RealIP: true, Workers: 4, Zone: true})},
	{name: "nginx ip_hash, one address", method: probes.MethodIPHash, sticky: true, narrow: true, start: startNginx(NginxConfig{Method: "ip_hash"})},
	{name: "nginx hash", method: probes.MethodHash, header: true, sticky: true, start: startNginx(NginxConfig{Method: "hash $remote_addr", RealIP: true})},
	{name: "nginx hash consistent", method: probes.MethodHash, header: true, sticky: true, start: startNginx(NginxConfig{Method: "hash $remote_addr consistent", RealIP: true})},
	{name: "nginx hash of a header", method: probes.MethodHash, key: "$http_x_user", sticky: true, start: startNginx(NginxConfig{Method: "hash $http_x_user"})},
	{name: "nginx round robin", method: probes.MethodRoundRobin, start: startNginx(NginxConfig{})},
	{name: "nginx round robin, X-Upstream", method: probes.MethodRoundRobin, label: "X-Upstream", start: startNginx(NginxConfig{UpstreamHeader: true})},
	{name: "nginx least_conn", method: probes.MethodLeastConn, start: startNginx(NginxConfig{Method: "least_conn"})},
	{name: "nginx random", method: probes.MethodRandom, start: startNginx(NginxConfig{Method: "random"})},
	{name: "nginx unknown", method: probes.MethodUnknown, start: startNginx(NginxConfig{})},

	{name: "haproxy cookie", method: probes.MethodCookie, sticky: true, start: startHAProxy(HAProxyConfig{Cookie: "SRV insert indirect nocache"})},
	{name: "haproxy cookie prefix", method: probes.MethodCookie, sticky: true, cookie: jsessionid, alters: true, start: startHAProxy(HAProxyConfig{Cookie: "JSESSIONID prefix"})},
	{name: "haproxy stick on src", method: probes.MethodUnknown, sticky: true, narrow: true, start: startHAProxy(HAProxyConfig{StickOn: "src"})},
	{name: "haproxy stick on a header", method: probes.MethodUnknown, start: startHAProxy(HAProxyConfig{StickOn: "X-User"})}, // probing clients do not send it
	{name: "haproxy leastconn", method: probes.MethodLeastConn, start: startHAProxy(HAProxyConfig{Balance: "leastconn"})},
	{name: "haproxy round robin", method: probes.MethodRoundRobin, start: startHAProxy(HAProxyConfig{})},

	{name: "apache sticky", method: probes.MethodCookie, sticky: true, cookie: jsessionid, start: startApache(ApacheConfig{StickySession: "JSESSIONID|jsessionid"})},
	{name: "apache byrequests", method: probes.MethodRoundRobin, start: startApache(ApacheConfig{})},
	{name: "apache bybusyness", method: probes.MethodLeastConn, start: startApache(ApacheConfig{Method: "bybusyness"})},

	{name: "caddy cookie", method: probes.MethodCookie, sticky: true, equal: true, noMark: true, start: startCaddy(CaddyConfig{Policy: "cookie lb"})},
	{name: "caddy ip_hash", method: probes.MethodUnknown, sticky: true, narrow: true, equal: true, noMark: true, start: startCaddy(CaddyConfig{Policy: "ip_hash"})},
	{name: "caddy round_robin", method: probes.MethodRoundRobin, equal: true, noMark: true, start: startCaddy(CaddyConfig{Policy: "round_robin"})},
}

func startDemo(m probes.Method) func(testing.TB, []*demo.Node, plan) frontend {
	return func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		c := demo.BalancerConfig{
			Method: m, MaxFails: max(1, p.front.maxFails), FailTimeout: ejection, Timeout: ejection,
			Workers: p.front.workers, ClientIPHeader: clientHeader,
		}
		for _, server := range servers(tb, nodes, p) {
			c.Servers = append(c.Servers, balance.Server{Name: server.Addr, Weight: server.Weight, Down: server.Down, Backup: server.Backup})
		}
		b, err := demo.StartBalancer(c)
		must.Succeed(tb, err)
		tb.Cleanup(b.Close)
		if !p.front.upgrade {
			b.Set(demo.BalancerFaults{NoUpgrade: true})
		}
		return b
	}
}

func startNginx(c NginxConfig) func(testing.TB, []*demo.Node, plan) frontend {
	return func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		c := c
		c.Servers = servers(tb, nodes, p)
		c.WebSocket = p.front.upgrade
		if c.Workers == 0 {
			c.Workers, c.Zone = p.front.workers, p.front.workers == 0
		}
		c.Locations = p.front.locations
		return Nginx(tb, c)
	}
}

func startHAProxy(c HAProxyConfig) func(testing.TB, []*demo.Node, plan) frontend {
	return func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		c := c
		c.Servers, c.Observe, c.Timeout = servers(tb, nodes, p), "layer4", ejection
		c.Redispatch, c.Retries = true, 1
		h := HAProxy(tb, c)
		if c.StickOn == "src" {
			firstRequest(tb, h.URL()) // concurrent first clients may each get their own node
		}
		return h
	}
}

// firstRequest sends the first client's request.
func firstRequest(tb testing.TB, url string) {
	tb.Helper()
	resp, err := http.Get(url)
	must.Succeed(tb, err)
	resp.Body.Close()
}

func startApache(c ApacheConfig) func(testing.TB, []*demo.Node, plan) frontend {
	return func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		c := c
		c.Servers = servers(tb, nodes, p)
		c.WebSocket = p.front.upgrade
		return Apache(tb, c)
	}
}

func startCaddy(c CaddyConfig) func(testing.TB, []*demo.Node, plan) frontend {
	return func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		c := c
		c.Servers, c.FailDuration, c.Retries = servers(tb, nodes, p), ejection, 1
		c.MaxFails = p.front.maxFails
		return Caddy(tb, c)
	}
}

// servers returns the nodes as listed in the balancer's configuration.
func servers(tb testing.TB, nodes []*demo.Node, p plan) []Server {
	tb.Helper()
	var list []Server
	for i, n := range nodes {
		server := Server{
			Name: n.ID(), Addr: p.addr(n), Weight: p.weight(i), MaxFails: max(1, p.front.maxFails), FailTimeout: cmp.Or(p.front.failTimeout, ejection),
			Down: n.ID() == p.front.down || n.ID() == p.down, Backup: n.ID() == p.backup,
		}
		if n.ID() == p.front.misnamed {
			server.Name = "misnamed"
		}
		if p.front.dead {
			server.Addr = FreeAddr(tb)
		}
		list = append(list, server)
	}
	return list
}

func (p plan) weight(node int) int {
	if node < len(p.weights) {
		return p.weights[node]
	}
	return 1
}

// A plan describes a rig.
type plan struct {
	profile string
	policy  probes.Policy       // "": the profile's
	shared  bool                // all nodes share a session store
	redis   bool                // nodes depend on a real Redis
	gbk     bool                // the e-Bridge page is encoded in GBK
	store   demo.Store          // session store of all nodes; nil: see shared
	stores  func() []demo.Store // session stores of three nodes; nil: see store

	memcached func(context.Context) string // memcached node that memcached-session-manager puts into ids
	nodes     int                          // 0: 3
	unlisted  int                          // number of nodes that are not in stickwatch's configuration
	weights   []int                        // by node; nil: equal
	down      string                       // node marked down in the balancer and in stickwatch's configuration
	backup    string                       // backup node in both
	prefix    string                       // prefix of every path, at the balancer and at the nodes

	// middleware wraps every node, so that its pages differ from those of demo nodes.
	middleware  func(*demo.Node) http.Handler
	middlewares map[*demo.Node]string // addresses of wrapped nodes: see newRig

	front frontPlan
}

// addr returns the address of a node for the balancer.
func (p plan) addr(n *demo.Node) string { return cmp.Or(p.middlewares[n], n.Addr()) }

// crosses reports whether the policy requires failover checks.
func (p plan) crosses() bool {
	if p.policy == "" {
		return strings.HasPrefix(p.profile, "tomcat")
	}
	return p.policy == probes.PolicyShared || p.policy == probes.PolicyReplicated
}

// A frontPlan describes how the balancer differs from a healthy one.
type frontPlan struct {
	down     string // node marked down in the balancer only
	upgrade  bool   // passes the WebSocket upgrade
	workers  int    // number of workers, each with its own failure counts; 0: 1
	maxFails int    // 0: 1
	// failTimeout is nginx's; 0: longer than any test
	failTimeout time.Duration
	misnamed    string // node whose name in the balancer is wrong
	dead        bool   // nothing listens at the servers' addresses
	locations   string // nginx: further locations
}
