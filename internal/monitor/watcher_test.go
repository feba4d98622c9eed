package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A recordingObserver records what it observes.
type recordingObserver struct {
	mu       sync.Mutex
	probes   map[checks.TargetKind]int
	judged   []monitor.RoundResult
	changes  []string
	requests []checks.Request
}

func (r *recordingObserver) Requested(q checks.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
}

func (r *recordingObserver) Probed(p monitor.Probe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.probes == nil {
		r.probes = make(map[checks.TargetKind]int)
	}
	r.probes[p.Kind]++
}

func (r *recordingObserver) Judged(result monitor.RoundResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.judged = append(r.judged, result)
	for _, c := range result.Changes {
		r.changes = append(r.changes, string(c.Kind)+" "+string(c.Code)+" "+c.Node)
	}
}

// last returns the newest result.
func (r *recordingObserver) last() monitor.RoundResult { return r.judged[len(r.judged)-1] }

func (r *recordingObserver) newChanges() []string {
	defer func() { r.changes = nil }()
	return r.changes
}

// fullRounds returns the number of full rounds.
func (r *recordingObserver) fullRounds() (n int) {
	for _, result := range r.judged {
		if result.Full {
			n++
		}
	}
	return n
}

// watch creates a watcher of a demo cluster and takes its first round.
func watch(t *testing.T, c demo.Config, profile string, damping checks.Damping) (watched, *monitor.Watcher, *recordingObserver) {
	t.Helper()
	d := start(t, c, profile, nil)
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Damping: damping})
	return d, w, log
}

// watchAs creates a watcher of a cluster and takes its first round.
func watchAs(t *testing.T, c *probes.Cluster, p *monitor.Prober, intervals monitor.Intervals) (*monitor.Watcher, *recordingObserver) {
	t.Helper()
	var log recordingObserver
	w := monitor.NewWatcher(c, p, &log, intervals)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Refresh(t.Context(), monitor.Status)
	return w, &log
}

// sessions returns the sorted sessions of canaries.
func sessions(list []monitor.CanarySession) (ids []probes.Fingerprint) {
	for _, c := range list {
		ids = append(ids, c.Session)
	}
	slices.Sort(ids)
	return ids
}

// TestCanariesLiveOn: there is one session for each node over all rounds and follow-ups.
func TestCanariesLiveOn(t *testing.T) {
	for name, c := range map[string]demo.Config{
		"ip_hash": {}, "round robin, shared": {Method: probes.MethodRoundRobin, Shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			profile := "generic"
			if c.Shared {
				profile = "tomcat-msm"
			}
			_, w, log := watch(t, c, profile, checks.Damping{})
			first := log.last().Canaries
			if len(first) != 3 {
				t.Fatalf("got %d canaries %v, want one a node; %s %v", len(first), first, log.last().Report.Verdict, log.last().Report.Findings)
			}
			for range 3 {
				w.FollowUp(t.Context())
				w.TakeRound(t.Context())
			}
			if diff := cmp.Diff(sessions(first), sessions(log.last().Canaries)); diff != "" {
				t.Errorf("the sessions are others (-first +now):\n%s", diff)
			}
			if got := log.last().Report.Verdict; got != checks.Healthy {
				t.Errorf("got %s: %v %v", got, log.last().Report.Doubts, log.last().Report.Findings)
			}
		})
	}
}

// TestRoundOfSlowNodes: a round sends no more follow-ups once the next one is due, and says why, but now and
// then one takes its time.
func TestRoundOfSlowNodes(t *testing.T) {
	d := start(t, demo.Config{}, "generic", nil)
	d.config.Limiter = probes.NewLimiter(probes.Budget{RequestsPerSecond: 1000, Concurrent: 1}, d.config.Nodes)
	w, log := watchAs(t, d.config, new(monitor.Prober), monitor.Intervals{Status: 300 * time.Millisecond, Canary: time.Hour})
	for _, n := range d.Nodes {
		n.Set(demo.NodeFaults{Delay: 100 * time.Millisecond})
	}
	must.Succeed(t, w.TakeRound(t.Context()))
	report := log.last().Report
	if s := report.Session; s.Sticky != checks.Yes || s.Reason.ID != checks.MsgStaysSince || report.Verdict != checks.Healthy {
		t.Errorf("got %s, sticky %s: %s; %v", report.Verdict, s.Sticky, s.Reason, report.Findings)
	}
	if requests := shape(log.last().Observed); requests[8] == 3 {
		t.Error("the round sent every follow-up")
	}
	w.BackdateWholeRound(10 * time.Minute)
	must.Succeed(t, w.TakeRound(t.Context()))
	if s, requests := log.last().Report.Session, shape(log.last().Observed); s.Reason.ID != checks.MsgStays || requests[8] != 3 {
		t.Errorf("after a long time: got %s, requests by trace: %v", s.Reason, requests)
	}
}

// TestUnexpectedFollowUp: an unexpected response in a follow-up starts a full round, and so does the
// end of the trouble.
func TestUnexpectedFollowUp(t *testing.T) {
	d, w, log := watch(t, demo.Config{}, "generic", checks.Damping{})
	log.newChanges()
	d.Nodes[1].Stop()
	w.FollowUp(t.Context())
	if diff := cmp.Diff([]string{"appeared node_down node2"}, log.newChanges()); diff != "" {
		t.Errorf("when node2 was stopped (-want +got):\n%s", diff)
	}
	must.Succeed(t, d.Nodes[1].Start())
	w.TakeRound(t.Context())
	reported := log.newChanges()
	if !slices.Contains(reported, "gone node_down node2") || !slices.Contains(reported, "appeared node_restarted node2") {
		t.Errorf("when node2 was back: got %q", reported)
	}
}

// TestRecoveryIsConfirmed: the first follow-up without an error after those with errors starts a full
// round, so that the trouble does not last until the next one that is due.
func TestRecoveryIsConfirmed(t *testing.T) {
	d, w, log := watch(t, demo.Config{}, "generic", checks.Damping{})
	log.newChanges()
	d.Balancer.Set(demo.BalancerFaults{Status: http.StatusBadGateway})
	w.FollowUp(t.Context())
	w.FollowUp(t.Context())
	if reported := log.newChanges(); !slices.ContainsFunc(reported, func(c string) bool { return strings.HasPrefix(c, "appeared balancer_error") }) {
		t.Fatalf("while the balancer answers 502: got %q", reported)
	}
	d.Balancer.Set(demo.BalancerFaults{})
	w.FollowUp(t.Context())
	if reported := log.newChanges(); !slices.ContainsFunc(reported, func(c string) bool { return strings.HasPrefix(c, "gone balancer_error") }) {
		t.Errorf("when it answers again: got %q", reported)
	}
}

// TestCalm: without problems, no new client is sent.
func TestCalm(t *testing.T) {
	d, w, log := watch(t, demo.Config{}, "generic", checks.Damping{})
	before := log.last().Observed.Started
	for range 3 {
		w.FollowUp(t.Context())
		w.Refresh(t.Context(), monitor.Status)
		w.Refresh(t.Context(), monitor.Dependencies)
		w.Refresh(t.Context(), monitor.Pages)
	}
	last := log.last()
	if got := last.Report.Verdict; got != checks.Healthy {
		t.Errorf("got %s: %v %v", got, last.Report.Doubts, last.Report.Findings)
	}
	for _, trace := range last.Observed.Traces {
		if at := trace.First().At; !trace.Continued && at.After(last.Observed.Started) {
			t.Errorf("a new client came at %s, in a calm round", at)
		}
	}
	if !last.Observed.Started.After(before) {
		t.Error("no round was judged")
	}
	d.Nodes[2].Change(func(f *demo.NodeFaults) { f.Paused = "maintenance" })
	w.Refresh(t.Context(), monitor.Status)
	if got := log.last().Report.Findings; len(got) == 0 || got[0].Code != checks.NodePaused {
		t.Errorf("got %v, want %s at once", got, checks.NodePaused)
	}
}

// TestDamping: with damping, one bad round is no finding; two are.
func TestDamping(t *testing.T) {
	d, w, log := watch(t, demo.Config{}, "generic", checks.Damping{Appear: 2, Vanish: 2})
	log.newChanges()
	d.Nodes[1].Stop()
	w.TakeRound(t.Context())
	if got := log.newChanges(); len(got) > 0 {
		t.Errorf("after one round: got %q, want nothing", got)
	}
	w.FollowUp(t.Context()) // an unconfirmed finding starts a full round
	if got := log.newChanges(); !slices.Contains(got, "appeared node_down node2") {
		t.Errorf("after two rounds: got %q", got)
	}
}

// A hookExtractor calls a function whenever it reads a response.
type hookExtractor struct {
	probes.Extractor
	read func()
}

func (h hookExtractor) Extract(d probes.Document) (string, bool) {
	h.read()
	return h.Extractor.Extract(d)
}

// watchWithHook creates a watcher. Afterwards, meanwhile is called for each response to a
// canary and each probe of a dependency.
func watchWithHook(t *testing.T, meanwhile func(*monitor.Watcher)) (watched, *monitor.Watcher, *recordingObserver) {
	t.Helper()
	d := start(t, demo.Config{}, "generic", nil)
	var w *monitor.Watcher
	interrupt := func() {
		if w != nil {
			meanwhile(w)
		}
	}
	d.config.Session.Node = hookExtractor{d.config.Session.Node, interrupt}
	d.config.Dependencies = []probes.Dependency{{Name: "DB Service", URL: &url.URL{Scheme: "fake", Host: "db"}}}
	p := &monitor.Prober{Pingers: map[string]probes.Pinger{"fake": func(context.Context, *url.URL) error {
		interrupt()
		return nil
	}}}
	begun, log := watchAs(t, d.config, p, monitor.Intervals{})
	w = begun
	w.SetBackoff(0)
	return d, w, log
}

// TestRetiredMeanwhile: a round that is running when the watch ends reports nothing.
func TestRetiredMeanwhile(t *testing.T) {
	for name, run := range map[string]func(context.Context, *monitor.Watcher) error{
		"a whole round": func(ctx context.Context, w *monitor.Watcher) error { return w.TakeRound(ctx) },
		"a visit": func(ctx context.Context, w *monitor.Watcher) error {
			w.FollowUp(ctx)
			return w.TakeRound(ctx)
		},
		"a part": func(ctx context.Context, w *monitor.Watcher) error {
			w.Refresh(ctx, monitor.Dependencies)
			return w.TakeRound(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, w, log := watchWithHook(t, (*monitor.Watcher).Retire)
			d.Nodes[1].Stop() // a change that could be reported
			judged, reported := len(log.judged), maps.Clone(log.probes)
			if err := run(t.Context(), w); !errors.Is(err, monitor.ErrRetired) {
				t.Errorf("got error %v, want %v", err, monitor.ErrRetired)
			}
			if diff := cmp.Diff(reported, log.probes); diff != "" || len(log.judged) != judged {
				t.Errorf("%d judgements and these probes were reported (-before +after):\n%s", len(log.judged)-judged, diff)
			}
		})
	}
}

// TestRetired: calls after the end of the watch do nothing.
func TestRetired(t *testing.T) {
	var asked atomic.Int32
	_, w, log := watchWithHook(t, func(*monitor.Watcher) { asked.Add(1) })
	judged, reported := len(log.judged), maps.Clone(log.probes)
	w.Retire()
	w.FollowUp(t.Context())
	for _, jobKind := range []monitor.JobKind{monitor.Status, monitor.Pages, monitor.Dependencies} {
		w.Refresh(t.Context(), jobKind)
	}
	if err := w.TakeRound(t.Context()); !errors.Is(err, monitor.ErrRetired) {
		t.Errorf("got error %v, want %v", err, monitor.ErrRetired)
	}
	if diff := cmp.Diff(reported, log.probes); diff != "" || len(log.judged) != judged || asked.Load() > 0 {
		t.Errorf("%d questions were asked, %d judgements and these probes reported (-before +after):\n%s", asked.Load(), len(log.judged)-judged, diff)
	}
}

// TestCloseWaits: Close returns after the current round has ended.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := monitor.NewWatcher(&probes.Cluster{}, &monitor.Prober{}, nil, monitor.Intervals{})
		release := w.Acquire()
		closed := make(chan error, 1)
		go func() { closed <- w.Close() }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Error("the watch was closed in the middle of a round")
		}
		release()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// TestProbeGivesUp: a caller that waits for its turn returns when its context ends.
func TestProbeGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := monitor.NewWatcher(&probes.Cluster{}, &monitor.Prober{}, nil, monitor.Intervals{})
		release := w.Acquire()
		ctx, cancel := context.WithCancel(t.Context())
		probed := make(chan error, 1)
		go func() { probed <- w.TakeRound(ctx) }()
		synctest.Wait()
		if len(probed) > 0 {
			t.Error("it did not wait for its turn")
		}
		cancel()
		synctest.Wait()
		if len(probed) == 0 {
			t.Error("it waits on, though nobody wants to know any more")
			w.Retire() // the round must not start now
		}
		release()
		if err := <-probed; !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want %v", err, context.Canceled)
		}
	})
}

// TestNameOfANodeThatStops: applications choose their own names, and a node that does not
// answer keeps the one that it reported: sessions are lost with it, and not at another node.
func TestNameOfANodeThatStops(t *testing.T) {
	d := start(t, demo.Config{}, "generic", nil)
	for i := range d.config.Nodes {
		d.config.Nodes[i].ID = fmt.Sprint("app", i+1)
	}
	d.config.Limiter = nil
	d.config.Limit(d.config.Budget)
	w, _ := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
	must.Succeed(t, w.TakeRound(t.Context()))
	must.Succeed(t, d.Break("node-down"))
	w.FollowUp(t.Context())
	report := w.Snapshot().Report
	for _, f := range report.Findings {
		if f.Severity == checks.Critical {
			t.Errorf("got %s %s: %s", f.Severity, f.Key(), f.Summary)
		}
	}
	if report.Verdict != checks.Degraded {
		t.Errorf("got verdict %s, want degraded by the node that stopped", report.Verdict)
	}
}
