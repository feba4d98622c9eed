package lab

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/internal/expect"
	"stickwatch/probes"
	"stickwatch/probes/balance"

	"github.com/google/go-cmp/cmp"
)

// Numbers of clients in each step of a script: more where a hash places them, and fewer
// in the variants of a comparison.
const (
	operated = 200
	fewer    = 60
)

// addressOf gives client i an address in its own network.
func addressOf(i int) http.Header {
	return http.Header{clientHeader: {fmt.Sprintf("10.%d.%d.7", i*7%256, i*31%256)}}
}

// TestOperationsAlikeNginx: the demo's balancer sends every client to the same servers
// in the same order as nginx, whatever an operator does. Failures are counted by one
// worker, or by several that share a zone; fail_timeout is longer than the test.
func TestOperationsAlikeNginx(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		nginx    NginxConfig
		method   probes.Method
		maxFails int
		clients  int
	}{
		{"ip_hash", NginxConfig{Method: "ip_hash"}, probes.MethodIPHash, 2, operated},
		{"ip_hash, 2 workers with a zone", NginxConfig{Method: "ip_hash", Workers: 2, Zone: true}, probes.MethodIPHash, 1, fewer},
		{"hash", NginxConfig{Method: "hash $remote_addr"}, probes.MethodHash, 1, operated},
		{"round robin", NginxConfig{}, probes.MethodRoundRobin, 2, operated},
		{"round robin, 2 workers with a zone", NginxConfig{Workers: 2, Zone: true}, probes.MethodRoundRobin, 1, fewer},
		{"least_conn", NginxConfig{Method: "least_conn"}, probes.MethodLeastConn, 1, fewer},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := compareNginx(t, 4, linesOf(1, 2, 3), test.nginx, demo.BalancerConfig{
				Method: test.method, MaxFails: test.maxFails, FailTimeout: time.Hour,
				Workers: max(test.nginx.Workers, 1), Zone: test.nginx.Zone,
			})
			o.addClientPairs(test.clients, "/cluster/test", addressOf, nil)
			o.playNginx()
		})
	}
}

// compareNginx starts a comparison of an nginx and the demo.
func compareNginx(t *testing.T, nodes int, lines []serverLine, n NginxConfig, d demo.BalancerConfig) *comparison {
	n.RealIP, n.UpstreamHeader = true, true
	d.ClientIPHeader = clientHeader
	configured := func(servers []Server) NginxConfig {
		c := n
		for _, s := range servers {
			s.MaxFails, s.FailTimeout = d.MaxFails, d.FailTimeout
			c.Servers = append(c.Servers, s)
		}
		return c
	}
	o := newComparison(t, nodes, lines, func(servers []Server) realBalancer {
		nginx := Nginx(t, configured(servers))
		return realBalancer{url: nginx.URL(), reload: func(servers []Server) { nginx.Reload(configured(servers)) }}
	}, d)
	o.trails = true
	return o
}

// playNginx plays a script of operations; all clients send a request after each of
// them.
func (c *comparison) playNginx() {
	c.t.Helper()
	for _, step := range []struct {
		name string
		act  func()
	}{
		{"all is well", func() {}},
		{"node2 is killed", func() { c.stop(2) }},
		{"node2 is started again", func() { c.start(2) }},
		{"reload", func() { c.reload() }},
		{"nodes 1 and 3 are killed", func() { c.stop(1, 3) }},
		{"node1 is started again, node2 killed", func() { c.start(1); c.stop(2) }},
		{"reload while nodes are dead", func() { c.reload() }},
		{"node1 is killed, too", func() { c.stop(1) }},
		{"all are started again", func() { c.start(1, 2, 3) }},
		{"reload after an outage", func() { c.reload() }},
		{"a line removed", func() { c.reload(linesOf(1, 3)...) }},
		{"the line is back", func() { c.reload(linesOf(1, 2, 3)...) }},
		{"another order", func() { c.reload(linesOf(3, 1, 2)...) }},
		{"a line added", func() { c.reload(linesOf(1, 2, 3, 4)...) }},
		{"node3 is down", func() {
			c.reload(serverLine{node: 1}, serverLine{node: 2}, serverLine{node: 3, down: true}, serverLine{node: 4})
		}},
		{"node3 is down, node4 killed", func() { c.stop(4) }},
		{"weights", func() {
			c.start(4)
			c.reload(serverLine{node: 1, weight: 3}, serverLine{node: 2}, serverLine{node: 4, weight: 2})
		}},
	} {
		step.act()
		c.t.Logf("%s: %v", step.name, c.sameAnswers(step.name))
	}
}

// TestOperationsAlikeNginxWorkers: each worker of an nginx without a zone detects
// failures by itself. The worker of a request is random; the set of nodes that a client
// may get is not.
func TestOperationsAlikeNginxWorkers(t *testing.T) {
	t.Parallel()
	o := compareNginx(t, 3, linesOf(1, 2, 3), NginxConfig{Method: "ip_hash", Workers: 2}, demo.BalancerConfig{
		Method: probes.MethodIPHash, MaxFails: 1, FailTimeout: time.Hour, Workers: 2,
	})
	o.addClientPairs(operated, "/cluster/test", addressOf, nil)
	o.sameAnswers("all is well")
	own := o.clientOf("node2")
	o.stop(2)
	// After one request one worker of each balancer has ejected node2, and the other
	// has not.
	o.trails = false
	nextOwner := o.ask(o.pairs[own].real)
	if got := o.ask(o.pairs[own].demo); got != nextOwner {
		t.Fatalf("the client of node2 went to %q behind nginx and to %q behind the demo", nextOwner, got)
	}
	o.start(2)
	for name, u := range map[string]*httpClient{"nginx": o.pairs[own].real, "demo": o.pairs[own].demo} {
		met := map[string]bool{}
		o.until(name+": the client of node2 meets two nodes", func() bool { o.sendConcurrently(u, met); return len(met) > 1 })
		expect.Equal(t, fmt.Sprintf("%s: nodes that the client of node2 meets", name), map[string]bool{"node2": true, nextOwner: true}, met)
	}
	oracle := balance.IPHash(o.demoServers())
	real, demo := o.askAll()
	for i := range o.pairs {
		addr := addressOf(i).Get(clientHeader)
		owner, _ := oracle.Pick(addr)
		without, _ := oracle.Pick(addr, 1)
		may := []string{o.nodes[owner].ID(), o.nodes[without].ID()}
		if !slices.Contains(may, real[i]) || !slices.Contains(may, demo[i]) {
			t.Errorf("client %s met %s behind nginx and %s behind the demo, want one of %q", addr, real[i], demo[i], may)
		}
	}
	o.trails = true
	o.reload()
	o.sameAnswers("reload")
}

// TestOperationsAlikeNginxReadmission: both readmit a server by themselves, and no
// sooner than fail_timeout after its last failure.
func TestOperationsAlikeNginxReadmission(t *testing.T) {
	t.Parallel()
	const failTimeout = 2 * time.Second
	o := compareNginx(t, 3, linesOf(1, 2, 3), NginxConfig{Method: "ip_hash"}, demo.BalancerConfig{
		Method: probes.MethodIPHash, MaxFails: 1, FailTimeout: failTimeout,
	})
	o.addClientPairs(operated, "/cluster/test", addressOf, nil)
	o.sameAnswers("all is well")
	p := o.pairs[o.clientOf("node2")]
	o.readmit(failTimeout, p, p)
	o.sameAnswers("node2 is back")
}

// TestOperationsAlikeCache: a cache gives the same clients one session in front of
// both.
func TestOperationsAlikeCache(t *testing.T) {
	t.Parallel()
	const careless = "proxy_ignore_headers Cache-Control Set-Cookie;"
	for _, test := range []struct {
		name  string
		nginx string
		demo  demo.CacheConfig
	}{
		{"obeys Cache-Control", "proxy_ignore_headers Set-Cookie;", demo.CacheConfig{IgnoreSetCookie: true}},
		{"keeps no cookies", "proxy_ignore_headers Cache-Control;", demo.CacheConfig{IgnoreCacheControl: true}},
		{"careless", careless, demo.CacheConfig{IgnoreCacheControl: true, IgnoreSetCookie: true}},
		{
			"only without a cookie", careless + " proxy_cache_bypass $http_cookie; proxy_no_cache $http_cookie;",
			demo.CacheConfig{IgnoreCacheControl: true, IgnoreSetCookie: true, OnlyWithoutCookie: true},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.demo.TTL = time.Hour
			o := compareNginx(t, 3, linesOf(1, 2, 3), NginxConfig{
				Locations: "location /cluster/ { proxy_pass http://cluster; proxy_cache answers; proxy_cache_valid 200 1h; " +
					"proxy_set_header Host cluster; " + test.nginx + " }",
				ExtraServers: "proxy_cache_path " + t.TempDir() + " keys_zone=answers:1m;",
			}, demo.BalancerConfig{Method: probes.MethodRoundRobin, MaxFails: 1, FailTimeout: time.Hour, Cache: test.demo})
			o.trails = false
			o.addClientPairs(10, "/cluster/test", addressOf, nil)
			for range 3 {
				o.sameAnswers("nodes")
				real, demo := o.sessions()
				if diff := cmp.Diff(real, demo); diff != "" {
					t.Errorf("sessions (-real +demo):\n%s", diff)
				}
				t.Log(real)
			}
		})
	}
}

// compareHTTPD starts a comparison of an Apache httpd and the demo.
func compareHTTPD(t *testing.T, a ApacheConfig, d demo.HTTPDConfig) *comparison {
	t.Helper()
	configured := func(servers []Server) ApacheConfig {
		c := a
		c.Reloadable = true
		for _, s := range servers {
			s.FailTimeout = d.Retry
			c.Servers = append(c.Servers, s)
		}
		return c
	}
	return newComparison(t, 4, linesOf(1, 2, 3), func(servers []Server) realBalancer {
		apache := Apache(t, configured(servers))
		return realBalancer{
			url:    apache.URL(),
			reload: func(servers []Server) { apache.Reload(configured(servers)) },
			state: func(node string, s demo.ServerState) {
				i := slices.IndexFunc(servers, func(s Server) bool { return s.Name == node })
				for status, is := range map[string]demo.ServerState{"N": demo.ServerDrain, "D": demo.ServerDisabled} {
					value := "0"
					if s == is {
						value = "1"
					}
					setWorkerStatus(t, apache, "http://"+servers[i].Addr, status, value)
				}
			},
		}
	}, demo.BalancerConfig{HTTPD: &d})
}

// TestOperationsAlikeHTTPD: httpd's processes share their state, and its choice is
// deterministic: every client gets the same node, or the same failure, behind both.
// retry is longer than the test.
func TestOperationsAlikeHTTPD(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		real ApacheConfig
		demo demo.HTTPDConfig
	}{
		{"sticky", ApacheConfig{StickySession: "JSESSIONID"}, demo.HTTPDConfig{StickySession: "JSESSIONID"}},
		{"nofailover", ApacheConfig{StickySession: "JSESSIONID", NoFailover: true}, demo.HTTPDConfig{StickySession: "JSESSIONID", NoFailover: true}},
		{"byrequests", ApacheConfig{}, demo.HTTPDConfig{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.demo.Retry = time.Hour
			o := compareHTTPD(t, test.real, test.demo)
			o.addClientPairs(operated, "/cluster/index.jsp", nil, nil)
			for _, step := range []struct {
				name string
				act  func()
			}{
				{"all is well", func() {}},
				{"node2 is killed", func() { o.stop(2) }},
				{"node2 is started again", func() { o.start(2) }},
				{"new clients", func() { o.addClientPairs(20, "/cluster/index.jsp", nil, nil) }},
				{"node3 is killed, too", func() { o.stop(3) }},
				{"node1 is killed, too", func() { o.stop(1, 2) }},
				{"all are started again", func() { o.start(1, 2, 3) }},
				{"reload after an outage", func() { o.reload() }},
				{"node2 is drained", func() { o.state(2, demo.ServerDrain) }},
				{"more new clients", func() { o.addClientPairs(21, "/cluster/index.jsp", nil, nil) }},
				{"node2 is disabled", func() { o.state(2, demo.ServerDisabled) }},
				{"all come again, an odd number", func() {}}, // so that the turns differ from those at the beginning
				{"node2 is enabled", func() { o.state(2, demo.ServerReady) }},
				{"node2 is killed again", func() { o.stop(2) }},
				{"node2 is back, and in error", func() { o.start(2) }},
				{"reload", func() { o.reload() }},
				{"a line removed", func() { o.reload(linesOf(1, 3)...) }},
				{"the line is back", func() { o.reload(linesOf(1, 2, 3)...) }},
				{"another order", func() { o.reload(linesOf(3, 1, 2)...) }},
				{"a line added", func() { o.reload(linesOf(1, 2, 3, 4)...) }},
				{"node3 is down", func() {
					o.reload(serverLine{node: 1}, serverLine{node: 2}, serverLine{node: 3, down: true}, serverLine{node: 4})
				}},
				{"weights", func() { o.reload(serverLine{node: 1, weight: 3}, serverLine{node: 2}, serverLine{node: 4, weight: 2}) }},
			} {
				step.act()
				t.Logf("%s: %v", step.name, o.sameAnswers(step.name))
			}
		})
	}
}

// TestOperationsAlikeHTTPDRetry: both readmit a server no sooner than retry after its
// failure, for a client that still has its route. Clients that were moved have another
// one by then.
func TestOperationsAlikeHTTPDRetry(t *testing.T) {
	t.Parallel()
	const retry = 2 * time.Second
	o := compareHTTPD(t, ApacheConfig{StickySession: "JSESSIONID", NoFailover: true},
		demo.HTTPDConfig{StickySession: "JSESSIONID", NoFailover: true, Retry: retry})
	o.addClientPairs(30, "/cluster/index.jsp", nil, nil)
	o.sameAnswers("all is well")
	p := o.pairs[o.clientOf("node2")]
	o.readmit(retry, p, p)
	o.sameAnswers("node2 is back")
}
