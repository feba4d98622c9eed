package lab

import (
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/users"
	"stickwatch/probes"
)

// An operable is a balancer that can be operated while users send requests.
type operable struct {
	frontend
	reload func([]Server) // loads another list of servers
}

// An operatedFront is a kind of balancer in front of a cluster that is operated.
type operatedFront struct {
	name    string
	method  probes.Method
	profile string        // "": generic
	policy  probes.Policy // "": sticky
	shared  bool          // all nodes share a session store
	header  bool          // uses the client address that a request presents
	page    users.Page    // page that users request; zero: the generic one
	// maxFails and failTimeout are the balancer's, as in the configuration.
	maxFails    int
	failTimeout time.Duration
	start       func(testing.TB, []Server) operable
}

// operatedFronts are the balancers of the table of operations.
var operatedFronts = []operatedFront{
	{
		name: "nginx ip_hash", method: probes.MethodIPHash, header: true, maxFails: 2, failTimeout: 10 * time.Second,
		start: operateNginx(NginxConfig{Method: "ip_hash", RealIP: true, Workers: 2}),
	},
	{
		name: "nginx ip_hash, zone", method: probes.MethodIPHash, header: true, maxFails: 2, failTimeout: 10 * time.Second,
		start: operateNginx(NginxConfig{Method: "ip_hash", RealIP: true, Workers: 2, Zone: true}),
	},
	{
		name: "nginx ip_hash, max_fails=1", method: probes.MethodIPHash, header: true, maxFails: 1, failTimeout: 10 * time.Second,
		start: operateNginx(NginxConfig{Method: "ip_hash", RealIP: true, Workers: 2}),
	},
	{
		name: "nginx round robin, shared", method: probes.MethodRoundRobin, policy: probes.PolicyShared, shared: true,
		maxFails: 2, failTimeout: 10 * time.Second, start: operateNginx(NginxConfig{Workers: 2}),
	},
	{
		name: "haproxy cookie", method: probes.MethodCookie,
		start: operateHAProxy(HAProxyConfig{Cookie: "SRV insert indirect nocache"}),
	},
	{
		name: "haproxy source", method: probes.MethodSource, header: true,
		start: operateHAProxy(HAProxyConfig{Balance: "source", RealIP: true}),
	},
	{
		name: "haproxy stick table", method: probes.MethodUnknown, header: true,
		start: operateHAProxy(HAProxyConfig{StickOn: "src", RealIP: true}),
	},
	{
		name: "httpd routes", method: probes.MethodCookie, profile: "tomcat", policy: probes.PolicySticky, page: users.Tomcat, failTimeout: 10 * time.Second,
		start: operateApache(ApacheConfig{StickySession: "JSESSIONID|jsessionid"}),
	},
}

func operateNginx(c NginxConfig) func(testing.TB, []Server) operable {
	return func(tb testing.TB, servers []Server) operable {
		c := c
		c.Servers, c.ConnectTimeout = servers, time.Second
		n := Nginx(tb, c)
		return operable{n, func(servers []Server) {
			c.Servers = servers
			n.Reload(c)
		}}
	}
}

// operateHAProxy configures HAProxy to check its servers twice per second, to
// redispatch clients of a dead one, and to run under a master process.
func operateHAProxy(c HAProxyConfig) func(testing.TB, []Server) operable {
	return func(tb testing.TB, servers []Server) operable {
		c := c
		c.Servers, c.Master, c.Admin = servers, true, true
		c.CheckPath, c.Redispatch, c.Retries = "/status", true, 2
		for i := range c.Servers { // HAProxy's settings of these names apply to checks
			c.Servers[i].MaxFails, c.Servers[i].FailTimeout = 2, 500*time.Millisecond
		}
		h := HAProxy(tb, c)
		return operable{h, func(servers []Server) {
			c.Servers = servers
			h.Reload(c)
		}}
	}
}

func operateApache(c ApacheConfig) func(testing.TB, []Server) operable {
	return func(tb testing.TB, servers []Server) operable {
		c := c
		c.Servers, c.Reloadable = servers, true
		a := Apache(tb, c)
		return operable{a, func(servers []Server) {
			c.Servers = servers
			a.Reload(c)
		}}
	}
}

// operatedServers returns the nodes as listed in the configuration of f.
func (f operatedFront) operatedServers(nodes []*demo.Node) (list []Server) {
	for _, n := range nodes {
		list = append(list, Server{Name: n.ID(), Addr: n.Addr(), MaxFails: f.maxFails, FailTimeout: f.failTimeout})
	}
	return list
}

// TestIdleClientsForgotten: a balancer whose cookie or table forgets idle clients before their
// sessions end throws these out. Its expiry is named, and no node.
func TestIdleClientsForgotten(t *testing.T) {
	if testing.Short() {
		t.Skip("clients idle for half a minute")
	}
	for _, f := range []operatedFront{
		{name: "haproxy cookie, maxidle", method: probes.MethodCookie, start: operateHAProxy(HAProxyConfig{Cookie: "SRV insert indirect nocache maxidle 10s"})},
		{name: "haproxy table, expire", method: probes.MethodUnknown, header: true, start: operateHAProxy(HAProxyConfig{
			RealIP: true, ExtraBackend: "stick-table type ip size 10k expire 10s\nstick on src",
		})},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			pairing{operation{
				name: "idle clients are forgotten", first: true, play: func(*operatedCluster) {}, after: 80 * time.Second,
				want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionLost}, mentions: []string{"without a request", "maxidle"}},
			}, f}.playOnce(t, &results{new: make(map[string]int)})
		})
	}
}
