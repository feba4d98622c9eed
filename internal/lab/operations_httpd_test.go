package lab

import (
	"slices"
	"testing"
	"time"

	"stickwatch/internal/demo"
)

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
