package demo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// clients returns n clients from as many networks.
func clients(t *testing.T, n int) []*browser {
	list := make([]*browser, n)
	for i := range list {
		list[i] = newBrowser(t, fmt.Sprintf("%s: 10.%d.%d.7", clientHeader, i*7%256, i*31%256))
	}
	return list
}

// nodesOf returns the id of the node that each client gets, or the status of the
// answer.
func nodesOf(c *Cluster, browsers []*browser) []string {
	list := make([]string, len(browsers))
	for i, browser := range browsers {
		r := browser.get(c.Balancer.URL() + "/cluster/test")
		list[i] = fmt.Sprint(r.Status)
		if m := nodeOnPage.FindStringSubmatch(r.Body); m != nil {
			list[i] = m[1]
		}
	}
	return list
}

// oracle returns the nodes that ip_hash assigns to the clients of clients, for nodes of
// these ids in this order; a hyphen before an id marks the node down.
func oracle(n int, ids ...string) []string {
	servers := make([]balance.Server, len(ids))
	for i, id := range ids {
		servers[i] = balance.Server{Name: id, Weight: 1, Down: strings.HasPrefix(id, "-")}
	}
	list := make([]string, n)
	for i := range list {
		server, _ := balance.IPHash(servers).Pick(fmt.Sprintf("10.%d.%d.7", i*7%256, i*31%256))
		list[i] = ids[server]
	}
	return list
}

// TestSwitch checks that new nodes alone serve clients after a switch, and the old ones
// after it was undone.
func TestSwitch(t *testing.T) {
	c := startCluster(t, Config{})
	before, browsers := c.Balancer.Servers(), clients(t, 30)
	started, err := c.Switch()
	must.Succeed(t, err)
	if diff := cmp.Diff(oracle(30, "node4", "node5", "node6"), nodesOf(c, browsers)); diff != "" || len(started) != 3 {
		t.Errorf("started %q (-want +got):\n%s", started, diff)
	}
	must.Succeed(t, c.Balancer.Reload(before))
	expect.Equal(t, "after the way back", oracle(30, "node1", "node2", "node3"), nodesOf(c, browsers))
}

func TestReloadPlacesByTheNewList(t *testing.T) {
	c := startCluster(t, Config{})
	browsers := clients(t, 60)
	for _, step := range []struct {
		name  string
		apply func() error
		want  []string
	}{
		{"reload", c.Reload, []string{"node1", "node2", "node3"}},
		{"remove node2", func() error { return c.RemoveServer("node2") }, []string{"node1", "node3"}},
		{"add node2", func() error { return c.AddServer("node2") }, []string{"node1", "node2", "node3"}},
		{"reverse", c.ReverseServers, []string{"node3", "node2", "node1"}},
		{"reverse again", c.ReverseServers, []string{"node1", "node2", "node3"}},
		{"scale out", func() error { _, err := c.ScaleOut(); return err }, []string{"node1", "node2", "node3", "node4"}},
		{"drain node4", func() error { return c.SetServerState("node4", ServerDrain) }, []string{"node1", "node2", "node3", "-node4"}},
		{"disable node1", func() error { return c.SetServerState("node1", ServerDisabled) }, []string{"-node1", "node2", "node3", "-node4"}},
		{"enable node1", func() error { return c.SetServerState("node1", ServerReady) }, []string{"node1", "node2", "node3", "-node4"}},
	} {
		must.Succeed(t, step.apply())
		expect.Equal(t, step.name, oracle(len(browsers), step.want...), nodesOf(c, browsers))
	}
}

// TestReloadResetsEjection checks that a reload resets ejections, so that a dead server
// is tried again.
func TestReloadResetsEjection(t *testing.T) {
	for _, zone := range []bool{false, true} {
		l := startBehind(t, 2, BalancerConfig{Method: probes.MethodRoundRobin, MaxFails: 1, Servers: []balance.Server{{Weight: 100}, {Weight: 1}}, Zone: zone})
		l.nodes[0].Stop()
		v := newBrowser(t)
		l.want("ejects", l.upstreamsTriedBy(v, 2), "200: 0, 1", "200: 1")
		must.Succeed(t, l.balancer.Reload(l.balancer.Servers()))
		l.want("tries again", l.upstreamsTriedBy(v, 2), "200: 0, 1", "200: 1")
	}
}

func TestZoneSharesEjection(t *testing.T) {
	l := startBehind(t, 2, BalancerConfig{MaxFails: 1, Workers: 3, Zone: true})
	client, _ := balance.ClientFor(balance.IPHash(l.balancer.config.Servers), 0, 0)
	l.nodes[0].Stop()
	v := newBrowser(t, clientHeader+": "+client.String())
	l.want("one failure for all workers", l.upstreamsTriedBy(v, 4), "200: 0, 1", "200: 1", "200: 1", "200: 1")
}

func TestReloadRefuses(t *testing.T) {
	b := startBehind(t, 2, BalancerConfig{}).balancer
	if err := b.Reload(nil); err == nil {
		t.Error("reloaded without a server")
	}
	twice := slices.Repeat(b.Servers()[:1], 2)
	if err := b.Reload(twice); err == nil || !strings.Contains(err.Error(), twice[0].Name) {
		t.Errorf("got %v, want an error that names the server", err)
	}
}

func TestNodeOperations(t *testing.T) {
	c := startCluster(t, Config{})
	e := newBrowserSet(t, c)
	_, before := e.get(1, "/cluster/test?key1=41")
	since := c.Nodes[1].process.Load()
	for _, apply := range []func(string) error{c.StopNode, c.StartNode} {
		must.Succeed(t, apply("node2"))
	}
	if c.Nodes[1].process.Load() == since {
		t.Error("a stopped node starts as the process that it was")
	}
	must.Succeed(t, c.Reload()) // so that no worker has node2 ejected
	if _, after := e.get(1, "/cluster/test"); shownID(t, after) == shownID(t, before) || !strings.Contains(after.Body, "node2") {
		t.Error("want a new session at node2")
	}
	running := c.Nodes[0].process.Load()
	if err := c.StartNode("node1"); err != nil || c.Nodes[0].process.Load() != running {
		t.Errorf("starting a running node: %v, and another process: %t", err, c.Nodes[0].process.Load() != running)
	}
}

func TestScaleOutStartsANode(t *testing.T) {
	c := startCluster(t, Config{Shared: true})
	began := time.Now()
	n, err := c.ScaleOut()
	must.Succeed(t, err)
	if n.ID() != "node4" || len(c.Nodes) != 4 || n.store() != c.Nodes[0].store() || n.process.Load().since.Before(began) {
		t.Errorf("got %s of %d nodes, up since %v", n.ID(), len(c.Nodes), n.process.Load().since)
	}
}

func TestOperationsRefuse(t *testing.T) {
	c := startCluster(t, Config{})
	if err := c.StopNode("node9"); err == nil || !strings.Contains(err.Error(), `"node9"`) {
		t.Errorf("stopping node9: got %v, want an error that names it", err)
	}
	if err := c.AddServer("node1"); err == nil || !strings.Contains(err.Error(), `"node1"`) {
		t.Errorf("adding node1: got %v, want an error that names it", err)
	}
	must.Succeed(t, c.RemoveServer("node1"))
	if err := c.RemoveServer("node1"); err == nil {
		t.Error("a server was removed twice")
	}
}

// TestScenariosCanBeRepeated: each step works on the cluster that the scenario leaves.
func TestScenariosCanBeRepeated(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			c, err := Start(Config{})
			must.Succeed(t, err)
			defer c.Close()
			for range 2 {
				for _, step := range s.Steps {
					if err := step.Do(c); err != nil {
						t.Errorf("%q: %v", step.Text, err)
					}
				}
			}
		})
	}
}
