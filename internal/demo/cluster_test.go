package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes/balance"
)

func startCluster(t *testing.T, c Config) *Cluster {
	t.Helper()
	cluster, err := Start(c)
	must.Succeed(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// A browserSet observes a cluster through its balancer, with one client per node.
type browserSet struct {
	t        *testing.T
	cluster  *Cluster
	browsers []*browser // by node
}

func newBrowserSet(t *testing.T, c *Cluster) *browserSet {
	e := &browserSet{t: t, cluster: c}
	picker := balance.IPHash(c.Balancer.config.Servers)
	for i := range c.Nodes {
		client, ok := balance.ClientFor(picker, i, 0)
		if !ok {
			t.Fatalf("no client for node %d", i)
		}
		e.browsers = append(e.browsers, newBrowser(t, c.Config.ClientIPHeader+": "+client.String()))
	}
	return e
}

// get returns the status that client i gets at path, or that there was no answer.
func (b *browserSet) get(i int, path string) (string, reply) {
	r, err := b.browsers[i].try(b.t.Context(), http.MethodGet, b.cluster.Balancer.URL()+path, "")
	if err != nil {
		return "no answer", r
	}
	return fmt.Sprint(r.Status), r
}

var nodeOnPage = regexp.MustCompile(`<td>(\w+)</td>`)

// nodes returns the node that each client gets, or the status of the answer.
func (b *browserSet) nodes() []string {
	var list []string
	for i := range b.browsers {
		status, r := b.get(i, "/cluster/test")
		if m := nodeOnPage.FindStringSubmatch(r.Body); m != nil {
			status = m[1]
		}
		list = append(list, status)
	}
	return list
}

func TestHealthyCluster(t *testing.T) {
	c := startCluster(t, Config{})
	e := newBrowserSet(t, c)
	want := []string{"node1", "node2", "node3"}
	for range 3 {
		expect.Equal(t, "nodes", want, e.nodes())
	}
	var since []string
	for _, n := range c.Nodes {
		s := readStatus(t, n)
		if s.State != "running" || s.Reason != "" {
			t.Errorf("%s is %s: %s", n.ID(), s.State, s.Reason)
		}
		since = append(since, s.Main.UpSince)
	}
	if len(slices.Compact(since)) != len(c.Nodes) {
		t.Errorf("started at %q, want different times", since)
	}
}

// TestFaultsThatMoveClients checks which nodes three clients, one per node, get during
// a fault.
func TestFaultsThatMoveClients(t *testing.T) {
	tests := map[string][]string{
		"balancer-down":  {"no answer", "no answer", "no answer"},
		"balancer-error": {"502", "502", "502"},
		"all-down":       {"502", "502", "502"},
		"node-failing":   {"node1", "500", "node3"},
		"redirect-loop":  {"node1", "302", "node3"},
		"duplicate-id":   {"node1", "node1", "node3"},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, Config{})
			must.Succeed(t, c.Break(name))
			expect.Equal(t, "nodes", want, newBrowserSet(t, c).nodes())
		})
	}
}

// TestHealUndoesEveryFault checks that every client returns to its node in the end.
func TestHealUndoesEveryFault(t *testing.T) {
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) {
			c := startCluster(t, Config{Nodes: 2})
			must.Succeed(t, c.Break(f.Name))
			must.Succeed(t, c.Heal())
			expect.Equal(t, "healed", []string{"node1", "node2"}, newBrowserSet(t, c).nodes())
			for _, n := range c.Nodes {
				if s := readStatus(t, n); s.State != "running" || s.Version != "1.0.0" {
					t.Errorf("%s is %s in version %s", n.ID(), s.State, s.Version)
				}
			}
		})
	}
}

func TestDrift(t *testing.T) {
	c := startCluster(t, Config{Shared: true, Workers: 1})
	must.Succeed(t, c.Break("drift"))
	e := newBrowserSet(t, c)
	seen, ids := map[string]bool{}, map[string]bool{}
	for range 3 {
		_, r := e.get(0, "/cluster/test")
		seen[between(t, r.Body, "<th>node</th><td>", "<")] = true
		ids[shownID(t, r)] = true
	}
	if len(seen) != 3 || len(ids) != 3 {
		t.Errorf("one client saw %d nodes and %d sessions in 3 requests, want 3 and 3", len(seen), len(ids))
	}
}

func TestNodeDownFailsOver(t *testing.T) {
	for _, shared := range []bool{false, true} {
		c := startCluster(t, Config{Shared: shared})
		e := newBrowserSet(t, c)
		_, before := e.get(1, "/cluster/test?key1=41")
		must.Succeed(t, c.Break("node-down"))
		status, after := e.get(1, "/cluster/test")
		if kept := strings.Contains(after.Body, "key1=41\n"); status != "200" || kept != shared {
			t.Errorf("shared %v: status %s, session kept %v", shared, status, kept)
		}
		if node := between(t, after.Body, "<th>node</th><td>", "<"); node == "node2" || !strings.Contains(before.Body, "node2") {
			t.Errorf("shared %v: the client of node2 is at %s", shared, node)
		}
	}
}

func TestEjectedNodeIsWell(t *testing.T) {
	c := startCluster(t, Config{})
	e := newBrowserSet(t, c)
	must.Succeed(t, c.Break("ejected"))
	if got := e.nodes(); slices.Contains(got, "node2") || got[0] != "node1" || got[2] != "node3" {
		t.Errorf("clients are at %q, want none at node2 and the others where they were", got)
	}
	if r := newBrowser(t).get(c.Nodes[1].URL() + "/cluster/test"); r.Status != http.StatusOK {
		t.Errorf("asked directly, node2 answers %d", r.Status)
	}
}

func TestSplit(t *testing.T) {
	c := startCluster(t, Config{})
	must.Succeed(t, c.Break("split"))
	e := newBrowserSet(t, c)
	seen := map[string]int{}
	for range 6 {
		_, r := e.get(1, "/cluster/test")
		seen[between(t, r.Body, "<th>node</th><td>", "<")]++
	}
	if len(seen) != 2 || seen["node2"] != 3 {
		t.Errorf("one client saw %v, want node2 3 times of 6 and one other", seen)
	}
}

func TestRedisDownPausesEveryNode(t *testing.T) {
	c := startCluster(t, Config{})
	must.Succeed(t, c.Break("redis-down"))
	if err := c.Redis.ping(t.Context()); err == nil {
		t.Error("Redis answers")
	}
	for _, n := range c.Nodes {
		s := readStatus(t, n)
		if want := pausedBy + RedisServer; s.State != "paused" || s.Reason != want {
			t.Errorf("%s is %s: %q, want paused: %q", n.ID(), s.State, s.Reason, want)
		}
	}
}

// TestFaultsSeenOnNodes checks the answers to direct requests.
func TestFaultsSeenOnNodes(t *testing.T) {
	tests := []struct{ name, path, broken, healthy string }{
		{"node-paused", "/status", `"state":"paused"`, `"state":"running"`},
		{"version-skew", "/status", `"version":"0.9.9"`, `"version":"1.0.0"`},
		{"settings-skew", "/status", `"scaling":"none"`, `"scaling":"horizontal"`},
		{"page-failing", "/app_a/", "Internal Server Error", "<h1>/app_a/</h1>"},
	}
	for _, tt := range tests {
		c := startCluster(t, Config{})
		must.Succeed(t, c.Break(tt.name))
		for i, n := range c.Nodes {
			want := tt.healthy
			if i == 1 {
				want = tt.broken
			}
			if r := newBrowser(t).get(n.URL() + tt.path); !strings.Contains(r.Body, want) {
				t.Errorf("%s: %s says %q, want %q in it", tt.name, n.ID(), r.Body, want)
			}
		}
	}
}

func TestStartOrder(t *testing.T) {
	c := startCluster(t, Config{})
	must.Succeed(t, c.Break("start-order"))
	first, second := c.Nodes[0].process.Load().since, c.Nodes[1].process.Load().since
	if !first.After(second) {
		t.Errorf("node1 is up since %v, want it after node2's %v", first, second)
	}
}

func TestBreakRefuses(t *testing.T) {
	if err := startCluster(t, Config{}).Break("gremlins"); err == nil || !strings.Contains(err.Error(), `"gremlins"`) {
		t.Errorf("got %v, want an error that names the fault", err)
	}
	if err := startCluster(t, Config{Nodes: 1}).Break("node-down"); err == nil {
		t.Error("a cluster of one node lost its second")
	}
}

func TestFaultDescriptions(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Faults() {
		if f.Name == "" || f.Description == "" || strings.Contains(f.Description, "\n") || seen[f.Name] {
			t.Errorf("fault %+v: want a name of its own and a line about it", f)
		}
		seen[f.Name] = true
	}
	// The names are part of the demo command and its documentation.
	for _, name := range []string{
		"drift", "ejected", "node-down", "node-paused", "redis-down", "all-down", "balancer-down", "session-lost", "rollback",
		"not-shared", "duplicate-id", "version-skew", "clock-skew", "slow", "cookie-rejected", "page-failing", "handshake-broken",
	} {
		if !seen[name] {
			t.Errorf("no fault %q", name)
		}
	}
}

// TestEndpointAmidForks stops and starts an endpoint while processes are started, each
// of which holds a copy of every listener for a moment.
func TestEndpointAmidForks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var forks sync.WaitGroup
	defer forks.Wait()
	defer cancel()
	for range 4 {
		forks.Go(func() {
			for ctx.Err() == nil {
				exec.CommandContext(ctx, "true").Run() // the result is irrelevant
			}
		})
	}
	e := newEndpoint("", leave)
	defer e.close()
	for range 500 {
		must.Succeed(t, e.start())
		e.stop()
	}
}

// TestEndpointTaken checks that an address in use is an error.
func TestEndpointTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	defer ln.Close()
	e := newEndpoint(ln.Addr().String(), leave)
	if err := e.start(); err == nil {
		e.close()
		t.Fatal("took an address that is taken")
	}
}

// leave serves no connection until ctx is done.
func leave(ctx context.Context, ln net.Listener) {
	<-ctx.Done()
	ln.Close()
}
