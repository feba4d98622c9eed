package lab

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/internal/users"
	"stickwatch/probes"
)

const podsName = "app.lab"

// pods are nodes that an orchestrator replaces, behind an HAProxy that finds them by DNS.
type pods struct {
	*operatedCluster
	zone    *Zone
	port    string
	started int
	listed  []*demo.Node
	seen    seenFindings
}

// startPods starts three pods, their users, and a daemon that finds the pods by DNS.
func startPods(t *testing.T, policy probes.Policy) *pods {
	t.Helper()
	p := &pods{operatedCluster: &operatedCluster{t: t, recordingReceiver: &recordingReceiver{}}, zone: NewZone(t, podsName)}
	_, p.port, _ = net.SplitHostPort(FreeAddr(t))
	p.front.shared = policy == probes.PolicyShared
	if p.front.shared {
		p.store = &flushableStore{store: demo.NewStore()}
	}
	for range 3 {
		p.listed = append(p.listed, p.startPod())
	}
	p.list()
	p.balancer = operable{frontend: HAProxy(t, HAProxyConfig{
		Cookie: "SRV insert indirect nocache dynamic", Redispatch: true, Retries: 3,
		ExtraBackend: fmt.Sprintf(`
    dynamic-cookie-key lab
    option httpchk GET /status
    server-template pod 6 %s:%s resolvers lab init-addr none check
resolvers lab
    nameserver lab %s
    resolve_retries 3
    timeout resolve 500ms
    timeout retry 500ms
    hold valid 500ms
    hold obsolete 500ms`, podsName, p.port, p.zone.Addr()),
	})}
	p.use()
	p.serve(fmt.Sprintf(`
listen: 127.0.0.1:0
history: {url: "sqlite:%s"}
alerting: {receivers: [{name: ops, webhook: {url: http://127.0.0.1:9/}}]}
clusters:
  - name: shop
    balancer: {url: %q, method: cookie}
    session: {policy: %s}
    nodes_from: {dns: {name: app.lab, type: A, port: %s, server: %q}, min_nodes: 2}
`, filepath.Join(t.TempDir(), "history.db"), p.balancer.URL(), policy, p.port, p.zone.Addr()))
	await(t, "a first round", func() bool { return !p.daemon.Snapshots()[0].Report.Started.IsZero() })
	p.seen.watch(t, p.operatedCluster)
	time.Sleep(warmUp) // users run meanwhile
	return p
}

// startPod starts a pod at an address that no other has had.
func (p *pods) startPod() *demo.Node {
	p.t.Helper()
	p.started++
	cfg := demo.NodeConfig{ID: fmt.Sprintf("node%d", p.started), Addr: fmt.Sprintf("127.0.2.%d:%s", p.started, p.port)}
	if p.store != nil {
		cfg.Store = p.store
	}
	n, err := demo.StartNode(cfg)
	must.Succeed(p.t, err)
	p.t.Cleanup(n.Close)
	return n
}

// list makes the listed pods those that the DNS has.
func (p *pods) list() {
	var addresses []string
	for _, n := range p.listed {
		host, _, _ := net.SplitHostPort(n.Addr())
		addresses = append(addresses, host)
	}
	p.zone.Set(addresses...)
}

// settle is how long a pod is ready before another one goes, and listed no more before its
// process ends.
const settle = 5 * time.Second

// replace replaces one pod as a rolling update does: the new one is ready first.
func (p *pods) replace() {
	p.listed = append(p.listed, p.startPod())
	p.list()
	time.Sleep(settle)
	old := p.listed[0]
	p.listed = p.listed[1:]
	p.list()
	time.Sleep(settle)
	old.Kill()
}

// seenFindings are the findings that were active at any time, beyond information.
type seenFindings struct {
	mu   sync.Mutex
	keys []string
}

func (s *seenFindings) watch(t *testing.T, c *operatedCluster) {
	ended := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				s.add(c.daemon.Snapshots()[0].ActiveFindings)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
}

func (s *seenFindings) add(active []checks.ActiveFinding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range active {
		if key := fmt.Sprintf("%s %s", f.Severity, f.Key()); f.Severity.AtLeast(checks.Warning) && !slices.Contains(s.keys, key) {
			s.keys = append(s.keys, key)
		}
	}
}

func (s *seenFindings) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// TestRollingUpdate replaces three pods one by one. With shared sessions nobody is harmed, and
// nothing is found. With sessions in memory, they are lost with their pods: one warning says
// how many.
func TestRollingUpdate(t *testing.T) {
	for _, policy := range []probes.Policy{probes.PolicyShared, probes.PolicySticky} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			p := startPods(t, policy)
			if now := p.daemon.Snapshots()[0]; now.Report.Verdict != checks.Healthy || now.Report.Source.Nodes != 3 {
				t.Fatalf("before: %s %v %+v", now.Report.Verdict, now.Report.Doubts, now.Report.Source)
			}
			began := time.Now()
			for range 3 {
				p.replace()
			}
			ended := time.Now()
			time.Sleep(checks.Aftermath(probes.Balancer{Method: probes.MethodCookie}) + 45*time.Second) // until a warning is notified

			now := p.daemon.Snapshots()[0].Report
			var nodes []string
			for _, n := range now.Nodes {
				nodes = append(nodes, n.Node)
			}
			slices.Sort(nodes)
			if want := []string{"127.0.2.4:" + p.port, "127.0.2.5:" + p.port, "127.0.2.6:" + p.port}; !slices.Equal(nodes, want) {
				t.Errorf("watched are %v, want %v", nodes, want)
			}
			met := users.NewLog(p.population.Log().Between(began, ended)...).Totals()
			told := p.recordingReceiver.since(began)
			t.Logf("users met %v\nfound: %q\nnotified: %v", met, p.seen.list(), told)
			if policy == probes.PolicyShared {
				if met.Harmed() > 0 {
					t.Errorf("users were harmed: the set-up is wrong")
				}
				if len(told)+len(p.seen.list()) > 0 {
					t.Errorf("found or notified, want nothing")
				}
				return
			}
			if len(told) != 1 || told[0].Severity != checks.Warning || told[0].Code != checks.NodeRestarted {
				t.Errorf("got %d notifications, want one warning of node_restarted", len(told))
			}
			if got := p.seen.list(); slices.ContainsFunc(got, func(key string) bool { return key != "warning node_restarted/sessions lost" }) {
				t.Errorf("found %q, want only the cost", got)
			}
		})
	}
}

// TestSourceFails checks that a DNS that fails, or that loses its records, leaves the nodes as
// they are, and that this is found and ends.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	p := startPods(t, probes.PolicyShared)
	failing := func() bool {
		return slices.Contains(p.seen.list(), "warning discovery_failing/dns A app.lab") &&
			len(p.daemon.Snapshots()[0].Report.Nodes) == 3
	}
	p.zone.Fail(true)
	await(t, "the failure to be found", failing)
	p.zone.Fail(false)
	await(t, "its end", func() bool { return len(p.daemon.Snapshots()[0].ActiveFindings) == 0 })
	p.seen.keys = nil
	p.zone.Set("127.0.2.1")
	await(t, "too few nodes to be found", failing)
	if got := p.daemon.Snapshots()[0].Report.Source.Error; !strings.Contains(got, "lists 1 nodes, want at least 2") {
		t.Errorf("got %q", got)
	}
}
