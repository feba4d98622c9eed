package lab

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/extract"
	"stickwatch/probes/memcached"
	"stickwatch/probes/mysql"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"
)

// roundTimeout limits the duration of a round.
const roundTimeout = time.Minute

// answerTimeout is the time-out of answers in scenarios that are not about it: the machine may
// be busy.
const answerTimeout = 25 * time.Second

// clientHeader is the header from which fronts take the client address.
const clientHeader = "X-Stickwatch-Client"

// A rig is a cluster of demo nodes behind a balancer, with the configuration of an
// operator.
type rig struct {
	tb      testing.TB
	nodes   []*demo.Node
	front   frontend
	redis   *Dependency // nil unless the scenario needs it
	cluster *probes.Cluster
	cut     bool // the last round was cancelled
}

// newRig starts the nodes and f in front of them.
func newRig(tb testing.TB, f front, p plan) *rig {
	tb.Helper()
	r := &rig{tb: tb}
	dependencies := map[string]func(context.Context) error{}
	if p.redis {
		r.redis = Redis(tb)
		u := must.URL(r.redis.URL())
		dependencies["Redis Server"] = func(ctx context.Context) error { return redis.Ping(ctx, u) }
	}
	store := p.store
	if store == nil && p.shared {
		store = demo.NewStore()
	}
	stores := slices.Repeat([]demo.Store{store}, max(3, p.nodes))
	if p.stores != nil {
		stores = p.stores()
	}
	began := time.Now().Add(-time.Hour)
	for i, store := range stores {
		n, err := demo.StartNode(demo.NodeConfig{
			ID: names[i], Store: store, GBK: p.gbk, Memcached: p.memcached, Dependencies: dependencies, UpSince: began.Add(time.Duration(i) * time.Minute),
		})
		must.Succeed(tb, err)
		tb.Cleanup(n.Close)
		r.nodes = append(r.nodes, n)
	}
	if p.middleware != nil {
		p.middlewares = wrapNodes(tb, r.nodes, p.middleware)
	}
	r.front = f.start(tb, r.nodes, p)
	r.cluster = r.configure(f, p)
	return r
}

var names = []string{"node1", "node2", "node3", "node4", "node5"}

// configure returns the cluster as an operator would configure it.
func (r *rig) configure(f front, p plan) *probes.Cluster {
	r.tb.Helper()
	flags := config.Flags{Balancer: []string{r.front.URL() + p.prefix}, Profile: p.profile, Method: string(f.method)}
	if f.header {
		flags.ClientIPHeader = clientHeader
	}
	for _, n := range r.nodes[:len(r.nodes)-p.unlisted] {
		flags.Nodes = append(flags.Nodes, n.ID()+"=http://"+p.addr(n)+p.prefix)
	}
	cfg, err := config.FromFlags(flags)
	must.Succeed(r.tb, err)
	c := cfg.Clusters[0]
	c.Name = f.name
	c.Nodes[0].Primary = true
	c.Limits.Timeout, c.Limits.Slow = answerTimeout, answerTimeout
	if f.method == probes.MethodHash {
		c.Balancer.HashKey, c.Balancer.Consistent = cmp.Or(f.key, "$remote_addr"), strings.HasSuffix(f.name, "consistent")
	}
	if f.label != "" && c.Session != nil {
		c.Session.Node = header(r.tb, f.label)
	}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		n.Weight, n.Down, n.Backup = p.weight(i), n.ID == p.down, n.ID == p.backup
	}
	if p.policy != "" {
		c.Session.Policy = p.policy
	}
	if p.redis {
		c.Dependencies = []probes.Dependency{{Name: "Redis Server", URL: must.URL(r.redis.URL())}}
	}
	return c
}

// header returns an extractor of a response header.
func header(tb testing.TB, name string) probes.Extractor {
	tb.Helper()
	e, err := extract.New(extract.Spec{Header: name})
	must.Succeed(tb, err)
	return e
}

// serveFrom makes h the balancer's address.
func (r *rig) serveFrom(h http.Handler) { r.cluster.Balancer.URLs = []*url.URL{serve(r.tb, h)} }

// probe takes a round and judges it.
func (r *rig) probe() checks.Report {
	ctx, cancel := context.WithTimeout(r.tb.Context(), roundTimeout)
	defer cancel()
	round := r.prober().Round(ctx, r.cluster)
	r.cut = ctx.Err() != nil
	return checks.Judge(round)
}

// prober returns a prober with all drivers.
func (r *rig) prober() *monitor.Prober {
	return &monitor.Prober{
		Handshake: engineio.Handshake,
		Pingers: map[string]probes.Pinger{
			"redis": redis.Ping, "memcached": memcached.Ping, "mysql": mysql.Ping, "postgres": postgres.Ping, "tcp": probes.PingTCP,
		},
	}
}

// end heals the nodes and closes hanging connections, so that the balancer can stop.
func (r *rig) end() {
	for _, n := range r.nodes {
		n.Set(demo.NodeFaults{})
		n.Stop()
	}
}

// node returns the rig's node of that id.
func (r *rig) node(id string) *demo.Node {
	for _, n := range r.nodes {
		if n.ID() == id {
			return n
		}
	}
	r.tb.Fatalf("there is no node %q", id)
	return nil
}

// eject stops a node, sends requests of users until the balancer has ejected it, and
// starts the node again.
func (r *rig) eject(id string) {
	r.tb.Helper()
	r.stop(id)
	for i := range 100 { // at least one in seven goes to the node: all miss it once in five million runs
		r.get(netip.AddrFrom4([4]byte{203, 0, byte(i), 7}).String())
	}
	r.start(id)
}

// get sends a user's request and ignores the result.
func (r *rig) get(client string) {
	r.tb.Helper()
	req, err := http.NewRequestWithContext(r.tb.Context(), http.MethodGet, r.front.URL()+"/", nil)
	must.Succeed(r.tb, err)
	req.Header.Set(clientHeader, client)
	user := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	if resp, err := user.Do(req); err == nil {
		resp.Body.Close()
	}
}

// change changes the faults of a node.
func (r *rig) change(id string, how func(*demo.NodeFaults)) { r.node(id).Change(how) }

// changeAll changes the faults of every node.
func (r *rig) changeAll(how func(*demo.NodeFaults)) {
	for _, n := range r.nodes {
		n.Change(how)
	}
}

func (r *rig) stop(ids ...string) {
	for _, id := range ids {
		r.node(id).Stop()
	}
}

func (r *rig) start(id string) {
	r.tb.Helper()
	must.Succeed(r.tb, r.node(id).Start())
}

// waitServed waits until a user is served again: a balancer with health checks needs a
// moment to detect that a server is dead.
func (r *rig) waitServed() {
	r.tb.Helper()
	for range 500 {
		if resp, err := http.Get(r.front.URL() + "/"); err == nil {
			resp.Body.Close()
			if resp.StatusCode < http.StatusInternalServerError {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.tb.Fatal("the balancer serves no user")
}

// ownNode returns the node of stickwatch's own first client: with one source address
// the balancer may use no other.
func (r *rig) ownNode() string {
	for _, c := range r.probe().Session.Canaries {
		return c.Pinned
	}
	r.tb.Fatal("no canary was answered by a known node")
	return ""
}

// A recordingObserver is a watcher of a rig with its recorded reports.
type recordingObserver struct {
	*monitor.Watcher
	mu      sync.Mutex
	changes []string // kind and key of each change
}

func (r *recordingObserver) Probed(monitor.Probe)     {}
func (r *recordingObserver) Requested(checks.Request) {}

func (r *recordingObserver) Judged(j monitor.RoundResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range j.Changes {
		if c.Severity != checks.Info {
			r.changes = append(r.changes, string(c.Kind)+" "+c.Key())
		}
	}
}

// startWatcher starts to watch the rig's cluster, and takes a first round.
func (r *rig) startWatcher(intervals monitor.Intervals) *recordingObserver {
	r.tb.Helper()
	w := new(recordingObserver)
	w.Watcher = monitor.NewWatcher(r.cluster, r.prober(), w, intervals)
	r.tb.Cleanup(func() { w.Close() })
	w.Refresh(r.tb.Context(), monitor.Status)
	return w
}

// wrapNodes serves nodes through a middleware and returns the new addresses. A wrapped
// node has all faults of its node except being stopped.
func wrapNodes(tb testing.TB, nodes []*demo.Node, middleware func(*demo.Node) http.Handler) map[*demo.Node]string {
	tb.Helper()
	addrs := make(map[*demo.Node]string)
	for _, n := range nodes {
		addrs[n] = serve(tb, middleware(n)).Host
	}
	return addrs
}

// serve serves h on loopback until the test ends.
func serve(tb testing.TB, h http.Handler) *url.URL {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return must.URL(s.URL)
}
