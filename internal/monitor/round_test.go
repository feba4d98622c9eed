package monitor_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A watched is a demo cluster and its configuration.
type watched struct {
	*demo.Cluster
	config *probes.Cluster
}

func start(tb testing.TB, c demo.Config, profile string, change func(*config.Flags)) watched {
	tb.Helper()
	d, err := demo.Start(c)
	must.Succeed(tb, err)
	tb.Cleanup(d.Close)
	flags := config.Flags{
		Balancer: []string{d.Balancer.URL()}, Profile: profile,
		Method: string(d.Config.Method), ClientIPHeader: d.Config.ClientIPHeader,
	}
	for _, n := range d.Nodes {
		flags.Nodes = append(flags.Nodes, n.ID()+"="+n.URL())
	}
	if change != nil {
		change(&flags)
	}
	cfg, err := config.FromFlags(flags)
	must.Succeed(tb, err)
	return watched{d, cfg.Clusters[0]}
}

// shape returns the number of traces by their number of requests.
func shape(r checks.Round) map[int]int {
	lengths := make(map[int]int)
	for _, w := range r.Traces {
		lengths[len(w.Steps)]++
	}
	return lengths
}

// TestNoMoreThanNeeded: a healthy cluster gets exactly the requests that the confidence
// requires.
func TestNoMoreThanNeeded(t *testing.T) {
	for _, tc := range []struct {
		name       string
		config     demo.Config
		profile    string
		confidence float64
		want       map[int]int // traces by their number of requests
	}{
		{"two nodes: ten follow-ups", demo.Config{Nodes: 2}, "generic", 0.999, map[int]int{11: 2}},
		{"three nodes: seven", demo.Config{}, "generic", 0.999, map[int]int{8: 3}},
		{"five nodes: five", demo.Config{Nodes: 5}, "generic", 0.999, map[int]int{6: 5}},
		{"ten nodes: three", demo.Config{Nodes: 10}, "generic", 0.999, map[int]int{4: 10}},
		{"a counter is written twice", demo.Config{Shared: true}, "tomcat", 0.999, map[int]int{10: 3}},
		{"a lower confidence asks less", demo.Config{}, "generic", 0.9, map[int]int{4: 3}},
		{"one that cannot be had is given up", demo.Config{}, "generic", 1 - 1e-15, map[int]int{33: 3}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := start(t, tc.config, tc.profile, nil)
			p := monitor.Prober{Confidence: tc.confidence}
			r := p.Round(t.Context(), w.config)
			if diff := cmp.Diff(tc.want, shape(r)); diff != "" {
				t.Errorf("traces by their requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOneAddress: under ip_hash without a header, the only client is this machine.
func TestOneAddress(t *testing.T) {
	w := start(t, demo.Config{}, "generic", func(f *config.Flags) { f.ClientIPHeader = "" })
	r := new(monitor.Prober).Round(t.Context(), w.config)
	if diff := cmp.Diff(map[int]int{8: 1}, shape(r)); diff != "" {
		t.Errorf("traces by their requests (-want +got):\n%s", diff)
	}
	report := checks.Judge(r)
	if report.Verdict != checks.Healthy || report.Session.Sticky != checks.Yes {
		t.Errorf("got verdict %s, sticky %s, want healthy and yes", report.Verdict, report.Session.Sticky)
	}
	if !slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.BlindSpot && len(f.Nodes) == 2 }) {
		t.Errorf("got findings %+v, want a blind spot that names two nodes", report.Findings)
	}
}

// TestNewClients: the search for a missing node takes two samples of the size that excludes
// chance; without a missing node there is no search.
func TestNewClients(t *testing.T) {
	w := start(t, demo.Config{Nodes: 3, Method: probes.MethodCookie}, "generic", nil)
	count := func() (fresh int) {
		for _, trace := range new(monitor.Prober).Round(t.Context(), w.config).Traces {
			if len(trace.Steps) > 0 {
				fresh++
			}
		}
		return fresh
	}
	if got := count(); got < 3 || got > 2*checks.NewClients(1./3, checks.DefaultConfidence) {
		t.Errorf("healthy: got %d clients, want from 3 to 36", got)
	}
	must.Succeed(t, w.Break("ejected"))
	if got, want := count(), 2*checks.NewClients(1./3, checks.DefaultConfidence); got != want {
		t.Errorf("one node ejected: got %d clients, want %d", got, want)
	}
}

// TestNodesOutOfReach: no node answers direct probes, and the balancer serves clients from
// some nodes. The search for the others must end.
func TestNodesOutOfReach(t *testing.T) {
	w := start(t, demo.Config{Method: probes.MethodRoundRobin}, "generic", nil)
	for i := range w.config.Nodes {
		w.config.Nodes[i].URL = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} // nothing listens here
	}
	w.Nodes[2].Stop() // this node stays missing
	r := new(monitor.Prober).Round(t.Context(), w.config)
	if got, most := len(r.Traces), 2*checks.NewClients(1./3, checks.DefaultConfidence); got > most {
		t.Errorf("got %d clients, want at most %d", got, most)
	}
}

// TestInterrupted: an interrupted round returns its observations, and missing ones are no
// findings.
func TestInterrupted(t *testing.T) {
	w := start(t, demo.Config{}, "generic", nil)
	must.Succeed(t, w.Break("node-hanging"))
	ctx, cancel := context.WithCancel(t.Context())
	p := monitor.Prober{Progress: func(p monitor.Progress) {
		if p.Stage == "clients" {
			cancel()
		}
	}}
	r := p.Round(ctx, w.config)
	if len(r.Nodes) != 3 || len(r.Balancers) != 1 {
		t.Errorf("got %d nodes and %d balancers, want 3 and 1", len(r.Nodes), len(r.Balancers))
	}
	if ctx.Err() == nil {
		t.Error("the round ended without being interrupted")
	}
}

func TestDependencies(t *testing.T) {
	w := start(t, demo.Config{}, "generic", nil)
	asked := make(map[string]bool)
	var mu sync.Mutex
	ping := func(name string, err error) probes.Pinger {
		return func(context.Context, *url.URL) error {
			mu.Lock()
			defer mu.Unlock()
			asked[name] = true
			return err
		}
	}
	for _, d := range []string{"redis://127.0.0.1:1", "mysql://127.0.0.1:1", "tcp://127.0.0.1:1"} {
		u, err := url.Parse(d)
		must.Succeed(t, err)
		w.config.Dependencies = append(w.config.Dependencies, probes.Dependency{Name: u.Scheme, URL: u})
	}
	p := monitor.Prober{Pingers: map[string]probes.Pinger{
		"redis": ping("redis", nil), "mysql": ping("mysql", errors.New("no such database")), "tcp": ping("tcp", nil),
	}}
	up := make(map[string]bool)
	for _, d := range p.Round(t.Context(), w.config).Dependencies {
		up[d.Name] = d.Up
	}
	if diff := cmp.Diff(map[string]bool{"redis": true, "mysql": false, "tcp": true}, up); diff != "" {
		t.Errorf("up (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"redis": true, "mysql": true, "tcp": true}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestSingleRoundIsVoid: a round during which stickwatch itself cannot connect is
// inconclusive, and no evidence about the cluster.
func TestSingleRoundIsVoid(t *testing.T) {
	w := start(t, demo.Config{}, "generic", nil)
	w.config.Dependencies = []probes.Dependency{{Name: "Redis", URL: &url.URL{Scheme: "redis", Host: "127.0.0.1:1"}}}
	w.Nodes[0].Stop()
	p := monitor.Prober{Self: monitor.NewSelfCheck(), Pingers: map[string]probes.Pinger{
		"redis": func(context.Context, *url.URL) error { return syscall.EMFILE },
	}}
	got := checks.Judge(p.Round(t.Context(), w.config))
	if got.Verdict != checks.Inconclusive || len(got.Findings) > 0 || len(got.Doubts) != 1 ||
		got.Doubts[0].String() != "this machine cannot connect: too many open files" {
		t.Errorf("got %s, findings %v, doubts %v", got.Verdict, got.Findings, got.Doubts)
	}
	p.Pingers["redis"] = func(context.Context, *url.URL) error { return syscall.ECONNREFUSED }
	if r := p.Round(t.Context(), w.config); r.Void.ID != "" || len(checks.Judge(r).Findings) == 0 {
		t.Errorf("afterwards got %s, findings %v, want what is wrong with the cluster", r.Void, checks.Judge(r).Findings)
	}
}

// TestProgress: every stage reaches its total.
func TestProgress(t *testing.T) {
	w := start(t, demo.Config{Shared: true}, "tomcat", nil)
	var mu sync.Mutex
	reached := make(map[string]int)
	totals := make(map[string]int)
	p := monitor.Prober{Progress: func(p monitor.Progress) {
		mu.Lock()
		defer mu.Unlock()
		reached[p.Stage] = max(reached[p.Stage], p.Done)
		totals[p.Stage] = p.Total
	}}
	p.Round(t.Context(), w.config)
	if diff := cmp.Diff(totals, reached); diff != "" {
		t.Errorf("stages (-total +reached):\n%s", diff)
	}
	want := map[string]int{"nodes": 3, "clients": 3, "follow-ups": 21, "failover readiness": 3}
	if diff := cmp.Diff(want, totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

// TestOneAtATime: follow-ups of sessions with one request at a time are not in lockstep, which
// would make a round robin look sticky.
func TestOneAtATime(t *testing.T) {
	w := start(t, demo.Config{Method: probes.MethodRoundRobin}, "generic", nil)
	for range 10 {
		w.config.Limit(probes.Budget{RequestsPerSecond: 1000, Concurrent: 1})
		report := checks.Judge(new(monitor.Prober).Round(t.Context(), w.config))
		if report.Session.Sticky != checks.No {
			t.Errorf("got sticky %s, want no: %s", report.Session.Sticky, report.Session.Reason)
		}
	}
}

// BenchmarkRound measures a round of a healthy cluster on loopback and its judgement, by the
// number of nodes; one node may be slow.
func BenchmarkRound(b *testing.B) {
	for _, bc := range []struct {
		name    string
		config  demo.Config
		profile string
		slow    time.Duration // latency of the last node
	}{
		{"3 nodes", demo.Config{}, "generic", 0},
		{"3 nodes, replicated", demo.Config{Shared: true}, "tomcat", 0},
		{"3 nodes, by cookie", demo.Config{Method: probes.MethodCookie}, "generic", 0},
		{"20 nodes", demo.Config{Nodes: 20}, "generic", 0},
		{"20 nodes, by cookie", demo.Config{Nodes: 20, Method: probes.MethodCookie}, "generic", 0},
		{"20 nodes, one answers in 500 ms", demo.Config{Nodes: 20}, "generic", 500 * time.Millisecond},
	} {
		b.Run(bc.name, func(b *testing.B) {
			w := start(b, bc.config, bc.profile, nil)
			w.Nodes[len(w.Nodes)-1].Set(demo.NodeFaults{Delay: bc.slow})
			for b.Loop() {
				if report := checks.Judge(new(monitor.Prober).Round(b.Context(), w.config)); report.Verdict != checks.Healthy {
					b.Fatalf("got %s, want healthy: %+v", report.Verdict, report.Findings)
				}
			}
		})
	}
}

// TestCanariesAreRenewed: canaries of the maximum age are replaced, one in each round.
func TestCanariesAreRenewed(t *testing.T) {
	d := start(t, demo.Config{}, "generic", nil)
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{CanaryAge: time.Nanosecond})
	first := sessions(log.last().Canaries)
	for round := range 3 {
		must.Succeed(t, w.TakeRound(t.Context()))
		now := sessions(log.last().Canaries)
		kept := slices.DeleteFunc(slices.Clone(now), func(id probes.Fingerprint) bool { return !slices.Contains(first, id) })
		if len(now) != 3 || len(kept) != 2-round {
			t.Errorf("round %d: got %d canaries, %d of them of the first round, want 3 and %d", round+1, len(now), len(kept), 2-round)
		}
	}
}

// TestRequestsAreReportedOnce: each response to a canary is reported once, in a follow-up and in a
// full round.
func TestRequestsAreReportedOnce(t *testing.T) {
	for _, tc := range []struct {
		name     string
		config   demo.Config
		profile  string
		followUp int // responses of three canaries
		round    int
	}{
		{"they return", demo.Config{}, "generic", 3, 3},
		{"they return, write, and return", demo.Config{Shared: true}, "tomcat", 3, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, w, log := watch(t, tc.config, tc.profile, checks.Damping{})
			reported := func(run func()) int {
				before := log.probes[checks.TargetCanary]
				run()
				return log.probes[checks.TargetCanary] - before
			}
			for range 5 {
				if got := reported(func() { w.FollowUp(t.Context()) }); got != tc.followUp {
					t.Errorf("in a follow-up: %d answers were reported, want %d", got, tc.followUp)
				}
				if got := reported(func() { _ = w.TakeRound(t.Context()) }); got != tc.round {
					t.Errorf("in a full round: %d answers were reported, want %d", got, tc.round)
				}
			}
		})
	}
}

// TestImpaired: while stickwatch itself cannot probe, findings neither appear nor end, nothing
// is recorded, and canaries are not blamed afterwards.
func TestImpaired(t *testing.T) {
	d := start(t, demo.Config{}, "generic", nil)
	p := &monitor.Prober{Self: monitor.NewSelfCheck()}
	w, log := watchAs(t, d.config, p, monitor.Intervals{})
	if got := w.Snapshot().Report.Verdict; got != checks.Healthy {
		t.Fatalf("got %s", got)
	}
	log.newChanges()
	before, judged := maps.Clone(log.probes), len(log.judged)

	p.Self.Impair(checks.CannotConnect("socket: too many open files"))
	d.Balancer.Stop() // first, because it would rightly eject nodes
	for _, n := range d.Nodes {
		n.Stop()
	}
	w.FollowUp(t.Context())
	w.Refresh(t.Context(), monitor.Status)
	if err := w.TakeRound(t.Context()); err != nil {
		t.Error(err)
	}
	snapshot := w.Snapshot()
	if snapshot.Report.Verdict != checks.Inconclusive || len(snapshot.Report.Doubts) != 1 ||
		snapshot.Report.Doubts[0].String() != "this machine cannot connect: socket: too many open files" {
		t.Errorf("got %s, %s", snapshot.Report.Verdict, snapshot.Report.Doubts)
	}
	if !maps.Equal(before, log.probes) || len(log.judged) != judged+1 || len(log.newChanges()) > 0 {
		t.Errorf("it recorded %v after %v, judged %d times", log.probes, before, len(log.judged)-judged)
	}

	for _, n := range d.Nodes {
		must.Succeed(t, n.Start())
	}
	must.Succeed(t, d.Balancer.Start())
	p.Self.Recover()
	recorded := len(log.requests)
	w.FollowUp(t.Context())
	if err := w.TakeRound(t.Context()); err != nil {
		t.Error(err)
	}
	if len(log.requests) == recorded {
		t.Error("no request of a client was recorded afterwards")
	}
	for _, request := range log.requests[recorded:] {
		if request.Outcome.Harmful() {
			t.Errorf("a client is said to have met %+v", request)
		}
	}
}
