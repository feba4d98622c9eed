package daemon

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/notify"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// A diskFixture is an incident service with a history but without a daemon.
type diskFixture struct {
	*incidentService
	db *history.DB
}

// newDiskFixture continues from a history in which some clusters have active
// findings.
func newDiskFixture(t *testing.T, stands ...string) *diskFixture {
	t.Helper()
	db, err := history.Open(t.Context(), history.Config{Path: filepath.Join(t.TempDir(), "history.db")})
	must.Succeed(t, err)
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	w := &diskFixture{db: db}
	if len(stands) > 0 {
		activeFindings := make(map[string][]checks.ActiveFinding)
		for _, cluster := range stands {
			activeFindings[cluster] = []checks.ActiveFinding{redisDown()}
		}
		must.Succeed(t, db.Commit(t.Context(), history.WriteSet{ActiveFindings: activeFindings}))
	}
	queue := newQueue(db)
	w.incidentService = newIncidentService(queue, metrics.New(metrics.Build{}), slog.New(slog.DiscardHandler), newSteadyClock(),
		alerting.Config{Receivers: []string{"ops"}}, w.restored(t))
	return w
}

// newQueue returns a write queue without observers.
func newQueue(db notify.Store) *notify.WriteQueue {
	return notify.NewWriteQueue(notify.QueueConfig{
		Store: db, Written: func(alerting.Decision) {}, Observe: func(string, notify.Result) {}, Logger: slog.New(slog.DiscardHandler),
	})
}

func (d *diskFixture) restored(t *testing.T) restoredState {
	t.Helper()
	left, err := restoreState(t.Context(), d.db, time.Now())
	must.Succeed(t, err)
	return left
}

// breaks reports Redis as down in a cluster.
func (d *diskFixture) breaks(cluster string) {
	found := redisDown()
	d.observe(cluster, []checks.Change{{Kind: checks.Appeared, ActiveFinding: found, At: found.Since}}, []checks.ActiveFinding{found})
}

func redisDown() checks.ActiveFinding {
	at := time.Now()
	return checks.ActiveFinding{
		Finding: checks.Finding{Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis"}, Since: at, Last: at,
	}
}

// activeFindings returns the clusters with active findings in the history.
func (d *diskFixture) activeFindings(t *testing.T) []string {
	t.Helper()
	must.Succeed(t, d.queue.Flush(t.Context()))
	return slices.Sorted(maps.Keys(d.restored(t).ActiveFindings))
}

// TestUnwatched: a round that ends after its cluster was removed opens no incident
// and leaves no findings.
func TestUnwatched(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	w.setClusters([]string{"shop", "mail"})
	w.breaks("shop")
	w.setClusters([]string{"mail"})
	w.breaks("shop")
	if open := w.open(); len(open) > 0 {
		t.Errorf("got %d open incidents of a cluster that nobody watches", len(open))
	}
	w.breaks("mail")
	if open := w.open(); len(open) != 1 || open[0].Cluster != "mail" {
		t.Errorf("got %+v, want the incident of the cluster that is watched", open)
	}
	expect.Equal(t, "clusters of which something stands", []string{"mail"}, w.activeFindings(t))
}

// TestActiveFindingsOfClustersThatLeft: they are deleted when a reload or a restart
// removes their cluster.
func TestActiveFindingsOfClustersThatLeft(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t, "mail", "shop", "wiki")
	if diff := cmp.Diff([]string{"mail", "shop", "wiki"}, w.activeFindings(t)); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	w.setClusters([]string{"mail", "shop"})
	expect.Equal(t, "after a start without wiki", []string{"mail", "shop"}, w.activeFindings(t))
	w.setClusters([]string{"shop"})
	expect.Equal(t, "after a reload without mail", []string{"shop"}, w.activeFindings(t))
}

// TestUnwritten: incidents in memory are shown only while the history cannot be
// written.
func TestUnwritten(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	w.setClusters([]string{"shop"})
	d := &Daemon{clock: newSteadyClock(), history: w.db, incidentService: w.incidentService}
	ended, end := context.WithCancel(t.Context())
	end()
	w.breaks("shop")
	for _, step := range []struct {
		name string
		do   func() error
		want bool
	}{
		{"nothing was tried", func() error { return nil }, false},
		{"the disk takes nothing", func() error { return w.queue.Flush(ended) }, true},
		{"there is room again", func() error { return w.queue.Flush(t.Context()) }, false},
	} {
		if err := step.do(); (err != nil) != step.want {
			t.Errorf("%s: got error %v", step.name, err)
		}
		if open, unwritten := d.openIncidents(); unwritten != step.want || len(open) != 1 {
			t.Errorf("%s: got %d incidents, %t", step.name, len(open), unwritten)
		}
	}
}

// TestUnwrittenInAPI: the API shows incidents that are not written.
func TestUnwrittenInAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.start(t)
	d.untilReady(t)
	setQueue := func(q *notify.WriteQueue) {
		d.incidentService.mu.Lock()
		defer d.incidentService.mu.Unlock()
		d.incidentService.queue = q
	}
	setQueue(newQueue(d.history)) // nobody writes what is in it
	defer setQueue(d.writeQueue)
	must.Succeed(t, r.Break("redis-down"))
	ended, end := context.WithCancel(t.Context())
	end()
	until(t, "an incident", func() bool {
		_ = d.history.Commit(ended, history.WriteSet{}) // until the next sample, the disk takes nothing
		return slices.Contains(d.incidents(t), "firing dependency_down")
	})
}

// A slowHandler blocks every line of the log until it is released.
type slowHandler struct {
	slog.Handler
	logging, released chan struct{}
}

func (h slowHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h slowHandler) Handle(context.Context, slog.Record) error {
	close(h.logging)
	<-h.released
	return nil
}

// TestBlockedLog: a blocked log does not lock the incidents.
func TestBlockedLog(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	h := slowHandler{slog.DiscardHandler, make(chan struct{}), make(chan struct{})}
	w.logger = slog.New(h)
	w.setClusters([]string{"shop"})
	var broken sync.WaitGroup
	broken.Go(func() { w.breaks("shop") })
	<-h.logging
	open := make(chan int, 1)
	go func() { open <- len(w.open()) }()
	select {
	case got := <-open:
		expect.Equal(t, "open incidents", 1, got)
	case <-time.After(10 * time.Second):
		t.Error("the incidents are locked while the log is written")
	}
	close(h.released)
	broken.Wait()
}

// TestDeploymentAndClockOfFleet: a restart before a deployment does not belong to it, and one during it
// does, also if the clock of this machine is not that of the fleet.
func TestDeploymentAndClockOfFleet(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Minute, time.Minute} {
		d := newDiskFixture(t)
		d.clock.follow(time.Now().Round(0).Add(-ahead), time.Now())
		began := d.clock.sharedNow()
		if _, err := d.db.BeginDeployment(t.Context(), checks.Deployment{Cluster: "shop", Span: checks.Span{From: began}}); err != nil {
			t.Fatal(err)
		}
		announced, err := d.db.Announced(t.Context(), began)
		must.Succeed(t, err)
		d.setDeployments(announced)
		cluster := &probes.Cluster{Name: "shop"}
		report := checks.Report{Timelines: &checks.Timelines{Nodes: make(map[string]checks.NodeTimeline)}}
		for id, since := range map[string]time.Duration{"before": -30 * time.Second, "during": 30 * time.Second} {
			cluster.Nodes = append(cluster.Nodes, probes.Node{ID: id})
			report.Nodes = append(report.Nodes, checks.NodeReport{NodeObservation: &probes.NodeObservation{Node: id}, Up: true})
			report.Timelines.Nodes[id] = checks.NodeTimeline{Restarted: time.Now().Add(since)}
		}
		d.observeNodes(monitor.RoundResult{Snapshot: monitor.Snapshot{Cluster: cluster, Report: report}})
		d.tick()
		must.Succeed(t, d.queue.Flush(t.Context()))
		if announced, err = d.db.Announced(t.Context(), began); err != nil {
			t.Fatal(err)
		}
		if got := announced[0].Touched; !slices.Equal(got, []string{"during"}) {
			t.Errorf("clock %s ahead: got %q as the nodes of the deployment", ahead, got)
		}
	}
}

// TestNoteOnResolvedIncident: a note on an incident that is resolved is in the history, and
// one on an unknown incident is refused.
func TestNoteOnResolvedIncident(t *testing.T) {
	disk := newDiskFixture(t)
	i := alerting.Incident{ID: "20260314T120000000-00000000", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Resolved, Started: time.Now(), Ended: time.Now()}
	must.Succeed(t, disk.db.Commit(t.Context(), history.WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{i}}}))
	d := &Daemon{clock: newSteadyClock(), history: disk.db, writeQueue: disk.queue, incidentService: disk.incidentService}
	for _, text := range []string{"first", "second"} {
		if _, err := d.AddNote(t.Context(), i.ID, "li", text); err != nil {
			t.Fatal(err)
		}
	}
	found, err := disk.db.Incidents(t.Context(), alerting.IncidentQuery{ID: i.ID})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	var notes []string
	for _, e := range found[0].Timeline {
		notes = append(notes, e.Author+": "+e.Detail)
	}
	if want := []string{"li: first", "li: second"}; !slices.Equal(want, notes) {
		t.Errorf("got %q, want %q", notes, want)
	}
	if _, err := d.AddNote(t.Context(), "nosuch", "li", "text"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("an unknown incident: got %v", err)
	}
}

// TestRemovedClusters: the incidents of a cluster that nobody has watched for long and that is in no
// configuration end, and their receivers are notified. All others stay.
func TestRemovedClusters(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg := &config.Config{Clusters: []*probes.Cluster{{Name: "configured"}}}
	cfg.Alerting.Receivers = []config.Receiver{{Name: "ops"}}
	state := history.FleetState{Now: now}
	for cluster, age := range map[string]time.Duration{"": time.Hour, "removed": time.Hour, "configured": time.Hour, "recent": time.Minute} {
		state.Leases = append(state.Leases, history.Lease{Cluster: cluster, Epoch: 7, Since: now.Add(-age)})
	}
	state.Leases = append(state.Leases, history.Lease{Cluster: "watched", Owner: "a", Epoch: 7})
	var past history.State
	for _, cluster := range []string{"", "removed", "configured", "recent", "watched"} {
		m := alerting.NewManager(rulesOf(cfg), nil)
		down := checks.ActiveFinding{Finding: checks.Finding{Code: checks.NodeDown, Severity: checks.Critical, Node: "a"}, Since: now.Add(-time.Hour)}
		past.Incidents = append(past.Incidents, m.Observe(now.Add(-time.Hour), cluster, nil, []checks.ActiveFinding{down}).Incidents...)
	}
	sets := writeSetsOfRemoved(now, cfg, past, state)
	if len(sets) != 1 || len(sets[0].Incidents) != 1 || len(sets[0].Notifications) != 1 || sets[0].Fence["removed"] != 7 {
		t.Fatalf("got %+v, want one incident that ends, and its notification", sets)
	}
	if i := sets[0].Incidents[0]; i.Cluster != "removed" || i.State != alerting.Resolved {
		t.Errorf("got %s of %q, want the resolved one of the removed cluster", i.State, i.Cluster)
	}
	if _, deleted := sets[0].ActiveFindings["removed"]; !deleted {
		t.Error("its active findings stay")
	}
}
