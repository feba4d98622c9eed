package lab

import (
	"context"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/redis"
)

// An operation is applied to a cluster while users send requests. expectation is the
// required notification.
type operation struct {
	name  string
	on    func(operatedFront) bool
	small bool          // nodes serve one request at a time: see shrink
	idle  time.Duration // nodes delete sessions that are idle for so long; 0: never
	redis bool          // nodes pause while Redis does not answer
	lru   bool          // sessions are in a Redis that evicts idle ones: see evict
	first bool          // it starts before the users, so that the cluster is never healthy
	play  func(*operatedCluster)
	after time.Duration // observation time after the operation; 0: aftermath
	want  expectation
}

// aftermath is long enough for the notification of a warning.
const aftermath = 45 * time.Second

// settleTime is long enough for a summary: restarts settle for fail_timeout, an
// announced deployment for deployment_grace, and a warning waits after that.
const settleTime = 80 * time.Second

// An expectation is the set of incidents that must be notified for an operation.
type expectation struct {
	critical  int           // minimum number of critical incidents
	optional  int           // maximum number of further critical incidents
	warnings  int           // maximum number of other incidents
	least     int           // minimum number of incidents of any severity
	codes     []checks.Code // allowed causes; nil: any
	node      string        // node of the causes; "": any
	mentions  []string      // texts of the first cause: see cause.mentions
	unharmed  bool          // users must not be harmed, else the operation failed
	harmed    bool          // users must be harmed, else the operation had no effect
	unnoticed bool          // stickwatch's requests must not cause an ejection
}

var (
	nothing = expectation{unharmed: true}
	// remapped: clients of healthy nodes were sent elsewhere, and lost their sessions.
	remapped = expectation{critical: 1, least: 1, codes: []checks.Code{checks.BalancerRemapped}, harmed: true}
	// takenOut: clients of a healthy node were sent elsewhere, and lost their sessions.
	takenOut = expectation{critical: 1, least: 1, codes: []checks.Code{checks.BalancerRemapped, checks.NodeEjected}, harmed: true}
)

// operations is the table of operations.
var operations = []operation{
	{
		// The clients of nodes that are well are rehashed, too, and lose their sessions.
		name: "rolling restart, and others are rehashed", on: operatedNamed("haproxy source"), play: rollingRestart, after: settleTime,
		want: expectation{optional: 1, warnings: 1, least: 1, codes: []checks.Code{checks.NodeRestarted, checks.NodeDown, checks.BalancerRemapped}, harmed: true},
	},
	{
		name: "rolling restart", on: func(f operatedFront) bool { return sharesNothing(f) && f.name != "haproxy source" }, play: rollingRestart, after: settleTime,
		want: expectation{warnings: 1, least: 1, codes: []checks.Code{checks.NodeRestarted, checks.NodeDown}, harmed: true},
	},
	{
		name: "rolling restart, sessions shared", on: sharesSessions, play: rollingRestart, after: settleTime,
		want: expectation{warnings: 1},
	},
	{
		name: "rolling restart, announced", on: sharesNothing, play: announced(rollingRestart), after: settleTime,
		want: expectation{warnings: 1, least: 1, mentions: []string{"lost|moved"}, harmed: true},
	},
	{
		name: "rolling restart, announced, sessions shared", on: sharesSessions, play: announced(rollingRestart), after: settleTime,
		want: expectation{warnings: 1, least: 1},
	},
	{
		name: "one node killed, and others are rehashed", on: operatedNamed("haproxy source"), play: stopNode,
		want: expectation{optional: 1, warnings: 1, least: 1, codes: []checks.Code{checks.NodeDown, checks.BalancerRemapped, checks.SessionLost}},
	},
	{
		name: "one node killed", on: func(f operatedFront) bool { return f.name != "haproxy source" }, play: stopNode,
		want: expectation{warnings: 1, least: 1, codes: []checks.Code{checks.NodeDown}, node: "node2"},
	},
	{
		name: "two nodes killed", on: operatedNamed("nginx ip_hash", "nginx round robin, shared", "haproxy cookie"), play: func(c *operatedCluster) {
			c.nodes[0].Stop()
			c.nodes[1].Stop()
		},
		want: expectation{warnings: 2, least: 1, codes: []checks.Code{checks.NodeDown}},
	},
	{
		name: "all nodes killed", on: anyOperated, play: func(c *operatedCluster) {
			for _, n := range c.nodes {
				n.Stop()
			}
		},
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.NodeDown, checks.BalancerError, checks.BalancerDown}, harmed: true},
	},
	{
		name: "reloaded three times, unchanged", on: operatedNamed("nginx ip_hash", "nginx ip_hash, zone", "nginx ip_hash, max_fails=1", "nginx round robin, shared", "haproxy cookie", "haproxy source", "httpd routes"),
		play: func(c *operatedCluster) {
			for range 3 {
				c.balancer.reload(c.servers)
				time.Sleep(2 * time.Second)
			}
		},
		want: nothing,
	},
	{
		name: "a server removed", on: hashesClients, play: removeServer,
		want: remapped.withText("node2|removed|fewer|gone"),
	},
	{
		name: "a server removed, announced", on: operatedNamed("nginx ip_hash"), after: settleTime,
		play: announced(removeServer),
		want: expectation{warnings: 1, least: 1, mentions: []string{"lost"}, harmed: true}, // the summary
	},
	{
		name: "a weight changed", on: operatedNamed("nginx ip_hash"), play: func(c *operatedCluster) {
			servers := slices.Clone(c.servers)
			servers[0].Weight = 3
			c.balancer.reload(servers)
		},
		want: remapped,
	},
	{
		name: "a server removed, routes", on: operatedNamed("haproxy cookie", "httpd routes"), play: removeServer,
		want: takenOut,
	},
	{
		name: "a server added", on: hashesClients, play: addServer,
		want: expectation{critical: 1, warnings: 1, least: 1, codes: []checks.Code{checks.BalancerRemapped, checks.UnknownNode}, mentions: []string{"added|more|new server|node4"}, harmed: true},
	},
	{
		name: "servers in another order", on: operatedNamed("nginx ip_hash", "nginx ip_hash, zone"),
		play: func(c *operatedCluster) { c.balancer.reload([]Server{c.servers[2], c.servers[0], c.servers[1]}) },
		want: remapped.withText("order"),
	},
	{
		name: "a server removed, sessions shared", on: sharesSessions,
		play: removeServer,
		want: expectation{warnings: 1, unharmed: true},
	},
	{
		name: "a server disabled by the socket, hash", on: operatedNamed("haproxy source"), play: disableServer,
		want: remapped.withText("node2"),
	},
	{
		name: "a server disabled by the socket", on: operatedNamed("haproxy cookie", "haproxy stick table"), play: disableServer,
		want: takenOut,
	},
	{
		name: "reloaded without peers", on: operatedNamed("haproxy stick table"), play: func(c *operatedCluster) { c.balancer.reload(c.servers) },
		want: remapped.withText("peers|cookie"),
	},
	{
		name: "a node drained", on: operatedNamed("nginx ip_hash", "nginx ip_hash, zone"), play: drain,
		want: takenOut,
	},
	{
		name: "a node drained, sessions shared", on: sharesSessions, play: drain,
		want: expectation{warnings: 1, unharmed: true},
	},
	{
		name: "small nodes", on: operatedNamed("nginx ip_hash, max_fails=1", "nginx round robin, shared"), small: true, first: true,
		play: func(*operatedCluster) {}, want: expectation{unharmed: true, unnoticed: true},
	},
	{
		name: "clients with a session get 500", on: operatedNamed("nginx ip_hash", "nginx round robin, shared", "haproxy cookie", "httpd routes"),
		play: breakAll(returning(500)),
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionFailing}, harmed: true},
	},
	{
		name: "one node shows an error page with 200", on: operatedNamed("nginx ip_hash", "nginx round robin, shared", "haproxy cookie"),
		play: func(c *operatedCluster) { c.nodes[1].Change(errorPage) },
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.PageFailing}, node: "node2", harmed: true},
	},
	{
		name: "the application is gone from every node", on: operatedNamed("nginx ip_hash", "nginx round robin, shared"),
		play: breakAll(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/", 404 }),
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.PageFailing}, harmed: true},
	},
	{
		name: "a third of what returning clients ask is never answered", on: operatedNamed("nginx ip_hash", "haproxy cookie"),
		play: breakAll(func(f *demo.NodeFaults) { f.ReturningHangs = 3 }),
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionFailing}, harmed: true},
	},
	{
		name: "sessions that are idle for 12 s are evicted", on: operatedNamed("nginx ip_hash", "haproxy cookie"), idle: 12 * time.Second, first: true,
		play: func(*operatedCluster) {}, after: 90 * time.Second,
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionLost}, mentions: []string{"idle|without a request"}, harmed: true},
	},
	{
		name: "Redis evicts what is not used for 12 s", on: sharesSessions, lru: true, first: true,
		play: func(*operatedCluster) {}, after: 90 * time.Second,
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionLost}, mentions: []string{"idle|without a request|evict"}, harmed: true},
	},
	{
		name: "the session store is emptied", on: sharesSessions, play: func(c *operatedCluster) { c.store.flush() },
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionLost}, harmed: true},
	},
	{
		name: "the sessions of all nodes are deleted", on: sharesNothing, play: func(c *operatedCluster) {
			for _, n := range c.nodes {
				n.DeleteSessions()
			}
		},
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionLost}, harmed: true},
	},
	{
		name: "the sessions of one node are deleted", on: operatedNamed("nginx ip_hash", "nginx ip_hash, zone", "haproxy cookie"),
		play: func(c *operatedCluster) { c.nodes[1].DeleteSessions() },
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.SessionLost}, node: "node2", harmed: true},
	},
	{
		name: "redis hangs, and the reason changes with every answer", on: operatedNamed("nginx ip_hash", "nginx round robin, shared"), redis: true,
		play: func(c *operatedCluster) { c.redis.Suspend() }, after: 75 * time.Second,
		want: expectation{critical: 1, least: 1, codes: []checks.Code{checks.DependencyDown, checks.NodePaused}},
	},
}

func (e expectation) withText(words ...string) expectation {
	e.mentions = words
	return e
}

func anyOperated(operatedFront) bool { return true }

// sharesNothing fronts are sticky, with nodes that share no sessions.
func sharesNothing(f operatedFront) bool  { return !f.shared }
func sharesSessions(f operatedFront) bool { return f.shared }

// hashesClients fronts place clients by a hash over all servers.
func hashesClients(f operatedFront) bool {
	return f.method == probes.MethodIPHash || f.name == "haproxy source"
}

func operatedNamed(list ...string) func(operatedFront) bool {
	return func(f operatedFront) bool { return slices.Contains(list, f.name) }
}

// rollingRestart stops each node for a second, with three seconds before the next one.
func rollingRestart(c *operatedCluster) {
	for i, n := range c.nodes {
		if i > 0 {
			time.Sleep(3 * time.Second)
		}
		n.Stop()
		time.Sleep(time.Second)
		if err := n.Restart(); err != nil {
			c.t.Error(err)
		}
	}
}

// announced announces an operation as probe --watch --server does. No notification is
// allowed before its end.
func announced(play func(*operatedCluster)) func(*operatedCluster) {
	return func(c *operatedCluster) {
		c.t.Helper()
		var deployment struct{ ID string }
		c.call("/api/v1/deployments", `{"cluster": "shop", "name": "a new version"}`, &deployment)
		play(c)
		c.call("/api/v1/deployments/"+deployment.ID+"/end", "", nil)
		c.quiet = time.Now()
	}
}

func stopNode(c *operatedCluster) { c.nodes[1].Stop() }

func removeServer(c *operatedCluster) {
	c.balancer.reload(slices.Delete(slices.Clone(c.servers), 1, 2))
}

func addServer(c *operatedCluster) {
	c.t.Helper()
	n, err := demo.StartNode(demo.NodeConfig{ID: names[3]})
	must.Succeed(c.t, err)
	c.t.Cleanup(n.Close)
	one := c.servers[0]
	one.Name, one.Addr = n.ID(), n.Addr()
	c.balancer.reload(append(slices.Clone(c.servers), one))
}

func disableServer(c *operatedCluster) {
	c.balancer.frontend.(*HAProxyBalancer).AdminCommand(c.t, "disable server cluster/node2")
}

func drain(c *operatedCluster) {
	servers := slices.Clone(c.servers)
	servers[1].Down = true
	c.balancer.reload(servers)
}

// breakAll applies a fault to every node.
func breakAll(change func(*demo.NodeFaults)) func(*operatedCluster) {
	return func(c *operatedCluster) {
		for _, n := range c.nodes {
			n.Change(change)
		}
	}
}

// pausedByRedis makes nodes pause while Redis does not answer.
func pausedByRedis(d *Dependency) map[string]func(context.Context) error {
	u := must.URL(d.URL())
	return map[string]func(context.Context) error{demo.RedisServer: func(ctx context.Context) error { return redis.Ping(ctx, u) }}
}
