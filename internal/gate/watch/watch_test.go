package watch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/gate"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// A fixture is a watched demo cluster.
type fixture struct {
	t *testing.T
	*demo.Cluster
	cluster *probes.Cluster
	watch   *Watch
	limits  gate.Limits
}

func watchDemo(t *testing.T, d demo.Config, policy probes.Policy) *fixture {
	t.Helper()
	f := prepareDemo(t, d, policy)
	f.start()
	return f
}

// prepareDemo returns the fixture of a cluster that is not watched yet.
func prepareDemo(t *testing.T, d demo.Config, policy probes.Policy) *fixture {
	t.Helper()
	running, err := demo.Start(d)
	must.Succeed(t, err)
	t.Cleanup(running.Close)
	flags := config.Flags{
		Balancer: []string{running.Balancer.URL()}, Policy: string(policy),
		Method: string(running.Config.Method), ClientIPHeader: running.Config.ClientIPHeader,
	}
	for _, n := range running.Nodes {
		flags.Nodes = append(flags.Nodes, n.ID()+"="+n.URL())
	}
	cfg, err := config.FromFlags(flags)
	must.Succeed(t, err)
	// Its clients send more requests than the default budget allows.
	cfg.Clusters[0].Limit(probes.Budget{RequestsPerSecond: 1000, Concurrent: 100})
	return &fixture{t: t, Cluster: running, cluster: cfg.Clusters[0]}
}

func (f *fixture) start() {
	f.watch = Start(f.t.Context(), f.cluster, Config{Interval: 20 * time.Millisecond})
}

func (f *fixture) report() gate.Report { return gate.Judge(f.watch.Record(), f.limits, time.Now()) }

// until waits until the report shows a condition.
func (f *fixture) until(what string, shows func(gate.Report) bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	for !shows(f.report()) {
		if !sleep.For(ctx, 5*time.Millisecond) {
			f.t.Fatalf("waiting for %s: not within 20 s: %+v", what, f.report())
		}
	}
}

// samples waits until every client has sent n more requests.
func (f *fixture) samples(n int) {
	f.t.Helper()
	counts := func(r gate.Report) (list []int) {
		for _, watchedClient := range r.Clients {
			list = append(list, watchedClient.Requests)
		}
		return list
	}
	before := counts(f.report())
	f.until("more visits", func(r gate.Report) bool {
		for i, count := range counts(r) {
			if count < before[i]+n {
				return false
			}
		}
		return true
	})
}

func (f *fixture) end() gate.Report {
	return gate.Judge(f.watch.Stop(f.t.Context()), f.limits, time.Now())
}

func TestNothingHappens(t *testing.T) {
	s := watchDemo(t, demo.Config{Method: probes.MethodCookie}, "")
	s.samples(5)
	got := s.end()
	if got.Verdict() != "healthy" || len(got.Moves) > 0 || got.Failed > 0 || got.Requests == 0 {
		t.Errorf("got %s, %d requests, %d failed, moves %+v, guarantees %+v", got.Verdict(), got.Requests, got.Failed, got.Moves, got.Guarantees)
	}
	owners := map[string]int{}
	for _, watchedClient := range got.Clients {
		owners[watchedClient.Node]++
	}
	for _, node := range []string{"node1", "node2", "node3"} {
		if owners[node] != 1 {
			t.Errorf("got %d sessions on %s, want 1: %v", owners[node], node, owners)
		}
	}
}

// TestRestart checks that a node that restarts loses its sessions, as a sticky policy
// allows.
func TestRestart(t *testing.T) {
	for _, method := range []probes.Method{probes.MethodCookie, probes.MethodIPHash} {
		t.Run(string(method), func(t *testing.T) {
			s := watchDemo(t, demo.Config{Method: method, Workers: 1}, probes.PolicySticky)
			s.samples(2)
			s.Nodes[1].Stop()
			s.until("the loss", func(r gate.Report) bool { return r.Lost > 0 })
			must.Succeed(t, s.Nodes[1].Restart())
			s.samples(3)
			got := s.end()
			if got.Lost != 1 || got.Verdict() != "degraded" {
				t.Fatalf("got %d lost, %s, want 1 and degraded: %+v", got.Lost, got.Verdict(), got.Guarantees)
			}
			m := got.Moves[0]
			if m.From != "node2" || m.Kept() || m.Cause != gate.CauseRestart || !m.Allowed {
				t.Errorf("got %+v, want a loss that the restart of node2 caused", m)
			}
		})
	}
}

// TestRestartShared checks that a restart is harmless where sessions are shared.
func TestRestartShared(t *testing.T) {
	s := watchDemo(t, demo.Config{Method: probes.MethodCookie, Shared: true, MaxFails: 1000}, probes.PolicyReplicated)
	s.samples(2)
	for _, n := range s.Nodes {
		n.Stop()
		s.samples(2)
		must.Succeed(t, n.Restart())
		s.samples(2)
	}
	got := s.end()
	if got.Lost > 0 || got.Moved == 0 || got.Verdict() != "healthy" {
		t.Errorf("got %d lost of %d moved, %s: %+v", got.Lost, got.Moved, got.Verdict(), got.Guarantees)
	}
}

// TestDrift checks that a balancer that scatters clients breaks a guarantee.
func TestDrift(t *testing.T) {
	s := watchDemo(t, demo.Config{Method: probes.MethodCookie}, probes.PolicySticky)
	s.samples(2)
	must.Succeed(t, s.Break("drift"))
	s.until("a move", func(r gate.Report) bool { return r.Moved > 0 })
	s.samples(4)
	got := s.end()
	if got.Verdict() != "failing" || got.Moves[0].Cause != gate.CauseUnexplained {
		t.Errorf("got %s, %+v, want an unexplained move", got.Verdict(), got.Moves[0])
	}
}

// TestOutage checks that an outage of the balancer ends with the first quick retry
// after it.
func TestOutage(t *testing.T) {
	s := watchDemo(t, demo.Config{Method: probes.MethodCookie}, probes.PolicySticky)
	s.samples(2)
	s.Balancer.Stop()
	s.until("failures", func(r gate.Report) bool { return r.Session.Failed > 2 && r.NewClient.Failed > 2 })
	must.Succeed(t, s.Balancer.Start())
	s.until("its end", func(r gate.Report) bool { return !r.Session.Ongoing && !r.NewClient.Ongoing })
	s.samples(2)
	got := s.end()
	if got.Lost > 0 || got.Verdict() != "degraded" {
		t.Errorf("got %d lost, %s, want 0 and degraded: %+v", got.Lost, got.Verdict(), got.Guarantees)
	}
	for name, o := range map[string]gate.Outage{"session": got.Session, "new client": got.NewClient} {
		if o.AtLeast() <= 0 || o.AtMost() < o.AtLeast() || o.Ongoing {
			t.Errorf("%s: got an outage of %s to %s: %+v", name, o.AtLeast(), o.AtMost(), o)
		}
	}
}

// TestEjection checks that an ejection of a healthy node is attributed to the balancer.
func TestEjection(t *testing.T) {
	s := watchDemo(t, demo.Config{Method: probes.MethodIPHash, Workers: 1, Shared: true}, probes.PolicyReplicated)
	s.samples(2)
	must.Succeed(t, s.Break("ejected"))
	s.until("the move", func(r gate.Report) bool { return r.Moved > 0 && r.Moves[0].Cause == gate.CauseEjection })
	must.Succeed(t, s.Heal())
	s.until("the return", func(r gate.Report) bool { return r.Moved > 1 })
	got := s.end()
	if m := got.Moves[1]; m.Cause != gate.CauseReturn || m.To != "node2" || got.Lost > 0 {
		t.Errorf("got %+v, want a return to node2", m)
	}
}

func TestDrain(t *testing.T) {
	s := watchDemo(t, demo.Config{Method: probes.MethodIPHash, Workers: 1, Shared: true}, probes.PolicyReplicated)
	s.limits.Drain = "node2"
	s.samples(2)
	must.Succeed(t, s.Break("ejected"))
	s.samples(40)
	for _, guarantee := range s.end().Guarantees {
		if guarantee.Kept != "yes" {
			t.Errorf("got guarantee %q: %s %q", guarantee.Name, guarantee.Kept, guarantee.Reasons)
		}
	}
}

// TestImpaired checks that samples which failed because stickwatch itself could not probe are
// left out with the reason, that those of healthy clusters are not, and that the result is
// inconclusive.
func TestImpaired(t *testing.T) {
	const local = "socket: too many open files"
	w := &Watch{config: Config{Prober: &monitor.Prober{Self: monitor.NewSelfCheck()}}}
	began := time.Now()
	refused := []gate.Sample{{Good: true}, {Error: "connection refused"}}
	if w.impaired(began, refused) {
		t.Error("a refused connection counts as a fault of stickwatch")
	}
	for range 2 {
		if !w.impaired(began, []gate.Sample{{Error: local, Own: true}}) || !w.impaired(began, refused) {
			t.Error("samples that failed while there are no descriptors count")
		}
	}
	if w.impaired(began, []gate.Sample{{Good: true}}) || w.impaired(time.Now().Add(time.Second), refused) {
		t.Error("answers, or samples after the impairment, do not count")
	}
	reasons := w.Record().Impaired
	if len(reasons) != 1 || !strings.Contains(reasons[0].String(), local) {
		t.Errorf("got reasons %q, want one with %q", reasons, local)
	}

	s := watchDemo(t, demo.Config{Method: probes.MethodCookie}, probes.PolicySticky)
	s.samples(1)
	s.watch.mu.Lock()
	s.watch.record.Impaired = reasons
	s.watch.mu.Unlock()
	if got := s.end(); got.Verdict() != checks.Inconclusive || !strings.Contains(fmt.Sprint(got.Doubts), local) {
		t.Errorf("got %s, doubts %q, want an inconclusive watch", got.Verdict(), got.Doubts)
	}
}
