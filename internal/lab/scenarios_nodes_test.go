package lab

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

// nodeScenarios are faults of a whole node.
var nodeScenarios = []scenario{
	{
		name: "node down", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.stop("node2") }, want: []string{"node_down/node2"}, also: []checks.Code{checks.NodeFailingInRotation},
	},
	{
		name: "node answers 500 in rotation", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Failing = "/" }) },
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "node hangs in rotation", on: named("demo ip_hash", "nginx round robin", "haproxy cookie"), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.cluster.Limits.Timeout = 3 * time.Second
			r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Hang })
		},
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "node closes connections", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Drop }) },
		want: []string{"node_down/node2"}, also: []checks.Code{checks.NodeFailingInRotation},
	},
	{
		name: "node speaks no HTTP", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Garbage }) },
		want: []string{"node_down/node2"}, also: []checks.Code{checks.NodeFailingInRotation},
	},
	{
		name: "slow node", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.cluster.Limits.Slow = 400 * time.Millisecond
			r.change("node2", func(f *demo.NodeFaults) { f.Delay = 500 * time.Millisecond })
		},
		want: []string{"slow/node2"}, also: []checks.Code{checks.Slow},
	},
	{
		name: "two of three nodes down", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.stop("node1", "node3") },
		want: []string{"node_down/node1", "node_down/node3"}, also: []checks.Code{checks.NodeFailingInRotation, checks.BalancerError},
	},
	{
		name: "the last of five nodes", on: some, plan: plan{nodes: 5, profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.stop("node1", "node2", "node4", "node5") },
		want: []string{"node_down/node1", "node_down/node2", "node_down/node4", "node_down/node5"}, also: []checks.Code{checks.NodeFailingInRotation, checks.BalancerError},
	},
	{
		name: "all nodes paused", on: some, plan: plan{profile: "generic", policy: "none"},
		act:  func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.Paused = "maintenance" }) },
		want: []string{"node_paused/node1", "node_paused/node2", "node_paused/node3"},
	},
	{
		name: "node answers 503 in rotation", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/", 503 }) },
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "node answers 504 in rotation", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/", 504 }) },
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "every node answers 503", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/", 503 }) },
		want: []string{"node_down/node1", "node_down/node2", "node_down/node3"}, also: []checks.Code{checks.BalancerError}, is: checks.Failing,
	},
	{
		name: "node answers without end", on: named("demo ip_hash"), plan: plan{profile: "tomcat-msm", shared: true},
		// Reading of an answer is limited: a longer one is valid.
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Endless }) },
		also: []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.BalancerDown, checks.Slow},
	},
	{
		name: "node drips", on: named("demo ip_hash", "caddy round_robin"), plan: plan{profile: "tomcat-msm", shared: true, middleware: slowBody("node2")},
		act:  func(r *rig) { r.cluster.Limits.Timeout = 3 * time.Second },
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "node redirects in circles", on: named("demo ip_hash", "nginx ip_hash", "haproxy cookie"), plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Redirect }) },
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "a node's certificate has expired", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.encrypt("node2", -time.Minute) },
		want: []string{"node_down/node2"}, also: []checks.Code{checks.CertificateExpiring},
	},
	{
		name: "a node's certificate will expire", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.encrypt("node2", 48*time.Hour) },
		want: []string{"certificate_expiring"},
	},
}

// slowBody makes one node send a byte at a time, forever.
func slowBody(id string) func(*demo.Node) http.Handler {
	return func(n *demo.Node) http.Handler {
		if n.ID() != id {
			return n
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for r.Context().Err() == nil {
				w.Write([]byte("."))
				http.NewResponseController(w).Flush()
				select {
				case <-tick.C:
				case <-r.Context().Done():
				}
			}
		})
	}
}

// encrypt makes stickwatch use TLS with a node, with its own certificate.
func (r *rig) encrypt(id string, valid time.Duration) {
	r.tb.Helper()
	cert, key, pool := certificate(r.tb, valid)
	pair, err := tls.LoadX509KeyPair(cert, key)
	must.Succeed(r.tb, err)
	s := httptest.NewUnstartedServer(r.node(id))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	r.tb.Cleanup(s.Close)
	for i := range r.cluster.Nodes {
		if n := &r.cluster.Nodes[i]; n.ID == id {
			n.Server, n.URL = n.URL.Host, must.URL(s.URL) // the balancer still uses plain HTTP
		}
	}
	r.cluster.TLS = &tls.Config{RootCAs: pool}
}

// alikeScenarios are differences between nodes that should not exist, and missing ones.
var alikeScenarios = []scenario{
	{
		name: "one id twice", plan: plan{}, on: named("demo ip_hash", "nginx ip_hash", "haproxy cookie"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ID = "node1" }) },
		want: []string{"duplicate_node_id"},
	},
	{
		name: "addresses mixed up", plan: plan{}, on: named("demo cookie", "haproxy cookie"),
		act: func(r *rig) {
			a, b := &r.cluster.Nodes[1], &r.cluster.Nodes[2]
			a.URL, b.URL = b.URL, a.URL
		},
		want: []string{"node_misidentified/node2", "node_misidentified/node3"},
	},
	{
		name: "two versions", on: named("demo ip_hash", "demo cookie", "nginx ip_hash", "nginx hash", "haproxy cookie"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Version = "0.9.9" }) },
		want: []string{"version_skew/node2"},
	},
	{
		name: "two settings", plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Scaling = "none" }) },
		want: []string{"settings_skew"},
	},
	{
		name: "a clock runs ahead", plan: plan{profile: "tomcat", shared: true}, on: sticky,
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 30 * time.Second }) },
		want: []string{"clock_skew/node2"},
	},
	{
		name: "primary started last", plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act: func(r *rig) {
			must.Succeed(r.tb, r.node("node1").Restart())
		},
		want: []string{"start_order/node1"},
	},
	{
		name: "addresses mixed up under a hash", on: named("demo ip_hash", "nginx ip_hash", "nginx hash"), plan: plan{},
		act: func(r *rig) {
			a, b := &r.cluster.Nodes[1], &r.cluster.Nodes[2]
			a.Server, b.Server = a.URL.Host, b.URL.Host
			a.URL, b.URL = b.URL, a.URL
		},
		want: []string{"node_misidentified/node2", "node_misidentified/node3"},
	},
	{
		name: "three versions", on: matchesAll(holdsAny, some), plan: plan{},
		act: func(r *rig) {
			r.change("node2", func(f *demo.NodeFaults) { f.Version = "0.9.9" })
			r.change("node3", func(f *demo.NodeFaults) { f.Version = "0.9.8" })
		},
		want: []string{"version_skew"},
	},
	{
		name: "clocks run ahead and behind", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act: func(r *rig) {
			r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 10 * time.Second })
			r.change("node3", func(f *demo.NodeFaults) { f.ClockOffset = -10 * time.Second })
		},
		want: []string{"clock_skew"},
	},
	{
		name: "a clock in the wrong time zone", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 8 * time.Hour }) },
		want: []string{"clock_skew/node2"},
	},
	{
		name: "a clock within the limit", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act: func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 2 * time.Second }) }, is: checks.Healthy,
	},
}
