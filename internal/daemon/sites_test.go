package daemon

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// A siteRig is a fleet with three sites, of one instance each, whose ways to the balancer can be cut.
type siteRig struct {
	*fleetRig
	ways map[string]*cable // by instance
}

var siteOf = map[string]string{"a": "beijing", "b": "shanghai", "c": "tokyo"}

func newSiteRig(t *testing.T) *siteRig {
	t.Helper()
	r := &siteRig{newFleetRig(t, 1), make(map[string]*cable)}
	balancer := must.URL(r.Balancer.URL())
	r.edit = func(name, text string) string {
		text = strings.ReplaceAll(text, balancer.Host, r.ways[name].Addr().String())
		text = strings.Replace(text, "    timeout: 1s\n", "    timeout: 1s\n    sites: [beijing, shanghai, tokyo]\n", 1)
		return strings.Replace(text, "fleet: {", "fleet: {site: "+siteOf[name]+", ", 1)
	}
	for name := range siteOf {
		r.ways[name] = newCable(t, balancer.Host)
		r.start(t, name)
	}
	return r
}

// verdicts returns the verdict of each cluster and view that an instance shows.
func (r *siteRig) verdicts(t *testing.T, name string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, c := range r.running[name].shown(t) {
		all[c.Name] = c.Verdict
	}
	return all
}

// open returns the causes of the open incidents, sorted.
func (r *siteRig) open(t *testing.T) (causes []string) {
	t.Helper()
	r.state(t)
	list, err := r.reader.Incidents(t.Context(), alerting.IncidentQuery{})
	must.Succeed(t, err)
	for _, i := range list {
		if i.State != alerting.Resolved {
			causes = append(causes, i.Cluster+" "+i.Cause.Key())
		}
	}
	slices.Sort(causes)
	return causes
}

// TestFleetSites: a cluster is watched from each of its sites. What one of them alone sees is a
// disagreement, what two of three see is the finding, and a site that stopped reporting is not counted.
func TestFleetSites(t *testing.T) {
	r := newSiteRig(t)
	const patience = 3 * time.Minute
	all := func(is string) func() bool {
		return func() bool {
			for name := range r.running {
				got := r.verdicts(t, name)
				for _, view := range []string{"", "@beijing", "@shanghai", "@tokyo"} {
					if got["cluster0"+view] != is {
						return false
					}
				}
			}
			return true
		}
	}
	await(t, patience, "all is well at each instance, from each site", all("healthy"))
	r.ways["b"].cut(true)
	await(t, patience, "shanghai fails", func() bool { return r.verdicts(t, "a")["cluster0@shanghai"] == "failing" })
	await(t, patience, "shanghai disagrees", func() bool {
		got := r.open(t)
		if slices.ContainsFunc(got, func(cause string) bool { return !strings.Contains(cause, "site_disagreement/shanghai") }) {
			t.Fatalf("got incidents %q of what one site sees", got)
		}
		return len(got) == 1
	})
	await(t, patience, "the cluster is degraded", func() bool { return r.verdicts(t, "c")["cluster0"] == "degraded" })
	r.ways["c"].cut(true)
	await(t, patience, "what two sites see is an incident", func() bool {
		return slices.ContainsFunc(r.open(t), func(cause string) bool { return strings.HasPrefix(cause, "cluster0 balancer_down") })
	})
	r.ways["b"].cut(false)
	r.ways["c"].cut(false)
	await(t, patience, "all incidents end", func() bool { return len(r.open(t)) == 0 })
	await(t, patience, "all is well again", all("healthy"))
	r.running["a"].kill()
	delete(r.running, "a")
	await(t, patience, "beijing is silent", func() bool { return r.verdicts(t, "b")["cluster0@beijing"] == "inconclusive" })
	await(t, patience, "two of three decide", func() bool { return r.verdicts(t, "b")["cluster0"] == "healthy" })
	r.running["c"].kill()
	delete(r.running, "c")
	await(t, patience, "one of three does not know", func() bool { return r.verdicts(t, "b")["cluster0"] == "inconclusive" })
	if got := r.open(t); len(got) > 0 {
		t.Errorf("got incidents %q after monitors were lost", got)
	}
}

// TestOfCluster: a request of a site's view is one of its cluster; a cluster may have a name like one.
func TestOfCluster(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{
		Fleet:    config.Fleet{Instance: "a", Site: "x"},
		Clusters: []*probes.Cluster{{Name: "shop"}, {Name: "shop@x"}, {Name: "crm", Sites: []string{"x", "y"}}},
	}
	m := &fleetMember{current: func() *config.Config { return cfg }}
	for name, want := range map[string]string{"shop": "shop", "shop@x": "shop@x", "crm@x": "crm", "wiki@x": "wiki@x"} {
		if got := m.ofCluster(checks.Request{Cluster: name}).Cluster; got != want {
			t.Errorf("got a request of %q for one of %q, want %q", got, name, want)
		}
	}
}

// withSites returns a configuration of a cluster "shop" with sites.
func withSites(sites ...string) *config.Config {
	return &config.Config{Fleet: config.Fleet{Instance: "a", Site: "x"}, Clusters: []*probes.Cluster{{Name: "shop", Sites: sites}}}
}

// sitesDaemon returns an instance of a fleet that decides about a cluster "shop" with the sites x and y.
func sitesDaemon(t *testing.T) (*Daemon, *diskFixture) {
	t.Helper()
	w := newDiskFixture(t)
	w.setClusters([]string{"shop"})
	schedule, err := monitor.NewSchedule(slog.New(slog.DiscardHandler), monitor.ScheduleObserver{})
	must.Succeed(t, err)
	d := &Daemon{
		history: w.db, metrics: w.metrics, incidentService: w.incidentService, writeQueue: w.queue, logger: slog.New(slog.DiscardHandler),
		clock: newSteadyClock(), page: web.NewLive(), schedule: schedule,
		fleet: &fleetMember{
			judges: make(map[string]*siteJudge), others: make(map[string]storedSnapshot),
			reported: make(map[string]time.Time), unsent: make(map[string]bool), joined: make(chan struct{}),
		},
	}
	d.reporter = &reporter{clock: d.clock, history: w.db, metrics: w.metrics, page: d.page, incidentService: w.incidentService, logger: d.logger, fleet: d.fleet}
	d.active.Store(&activeConfig{config: withSites("x", "y"), leaseEpochs: map[string]int64{"shop": 1}})
	return d, w
}

// TestSitesForgotten: an instance that does not decide about a cluster any more has no metrics of it.
func TestSitesForgotten(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*Daemon) error{
		"another instance decides": func(d *Daemon) error { return d.applyLeases(t.Context(), map[string]int64{}) },
		"the cluster is removed": func(d *Daemon) error {
			d.activate(d.nextConfig(d.active.Load(), new(config.Config)))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, w := sitesDaemon(t)
			const metric = `stickwatch_cluster_verdict{cluster="shop"`
			d.fleet.others["shop@x"] = storedSnapshot{Report: checks.Report{Cluster: "shop@x", Started: time.Now(), Verdict: checks.Healthy}, at: d.clock.now()}
			d.judgeSites()
			if got := metricsOf(t, w.metrics); !strings.Contains(got, metric) {
				t.Fatalf("got no verdict in %s", got)
			}
			must.Succeed(t, forget(d))
			d.judgeSites()
			if got := metricsOf(t, w.metrics); strings.Contains(got, metric) || len(d.fleet.judges) > 0 {
				t.Errorf("got judges %v and metrics %s", d.fleet.judges, got)
			}
		})
	}
}

// TestSitesReloaded: what is active stays so when a reload adds the sites of a cluster, and when it removes
// them, so that nobody gets the end of an incident that goes on.
func TestSitesReloaded(t *testing.T) {
	t.Parallel()
	d, _ := sitesDaemon(t)
	plain := withSites()
	old := &activeConfig{config: plain, leaseEpochs: map[string]int64{"shop": 1}}
	old.watchers = []*monitor.Watcher{d.newWatcher(plain, plain.Clusters[0], []checks.ActiveFinding{redisDown()})}
	sited := d.nextConfig(old, withSites("x", "y"))
	d.activate(sited)
	d.judgeSites()
	judge := d.fleet.judges["shop"]
	if judge == nil || len(judge.ledger.Active()) != 1 {
		t.Fatalf("got judge %+v of added sites, want that Redis is still down", judge)
	}
	d.activate(d.nextConfig(sited, plain))
	watcher := d.active.Load().watcherOf("shop")
	if watcher == nil || len(watcher.Snapshot().ActiveFindings) != 1 || len(d.fleet.judges) > 0 {
		t.Errorf("got watcher %v and judges %v of removed sites, want that Redis is still down", watcher, d.fleet.judges)
	}
}

// TestSitesSummary: the summary of a deployment counts the clients of all sites, also sessions that were
// lost without a move, once each.
func TestSitesSummary(t *testing.T) {
	t.Parallel()
	d, w := sitesDaemon(t)
	now := time.Now()
	from := now.Add(-time.Hour)
	move := func(cluster string, session probes.Fingerprint) checks.Move {
		return checks.Move{At: from.Add(time.Minute), Cluster: cluster, From: "n1", To: "n2", Session: session}
	}
	w.db.Record(history.Batch{Moves: []checks.Move{move("shop@x", "s1"), move("shop@y", "s2"), move("other", "s3")}})
	must.Succeed(t, w.db.Flush(t.Context()))
	w.setDeployments([]alerting.Deployment{{ID: "1", Cluster: "shop", Name: "4.2", From: from, To: from.Add(2 * time.Minute)}})
	var lost []checks.Request
	for _, session := range []probes.Fingerprint{"s2", "s4", "s5", "s5"} {
		lost = append(lost, checks.Request{Cluster: "shop@y", Session: session, At: from.Add(time.Minute), Outcome: checks.OutcomeLost})
	}
	for range 2 { // it is read again
		body, err := json.Marshal(storedSnapshot{Lost: lost})
		must.Succeed(t, err)
		d.useSnapshot(d.active.Load(), history.StoredSnapshot{Cluster: "shop@y", At: now, Body: body})
	}
	d.sumUpDeployments(t.Context())
	must.Succeed(t, w.queue.Flush(t.Context()))
	n, ok, err := w.db.Claim(t.Context(), "ops", time.Now(), time.Minute)
	if err != nil || !ok || n.Deployment == nil || n.Deployment.Moved != 2 || n.Deployment.Lost != 3 {
		t.Errorf("got %+v, %t and error %v, want a summary with 2 moved and 3 lost sessions", n.Deployment, ok, err)
	}
}

// TestSitesHistory: what is measured at the first site is shown as that of the cluster.
func TestSitesHistory(t *testing.T) {
	t.Parallel()
	d, w := sitesDaemon(t)
	at := time.Now().Add(-time.Minute)
	node := checks.Target{Cluster: "shop", Kind: checks.TargetNode, Name: "n1"}
	measured := node
	measured.Cluster = "shop@x"
	w.db.Record(history.Batch{Samples: []checks.Sample{{Target: measured, At: at, OK: true, Latency: time.Millisecond, Status: 200}}})
	must.Succeed(t, w.db.Flush(t.Context()))
	shown, ctx, span := d.webHistory(), t.Context(), checks.Span{From: at.Add(-time.Minute), To: at.Add(time.Minute)}
	uptimes, err1 := shown.Uptimes(ctx, "shop", span)
	latencies, err2 := shown.Latencies(ctx, "shop", span)
	points, err3 := shown.Points(ctx, []checks.Target{node}, span, time.Minute)
	days, err4 := shown.Days(ctx, []checks.Target{node}, span.To, 2)
	must.Succeed(t, errors.Join(err1, err2, err3, err4))
	if len(uptimes) != 1 || uptimes[0].Target != node {
		t.Errorf("got uptimes %+v", uptimes)
	}
	if len(latencies) != 1 || latencies[0].Target != node {
		t.Errorf("got latencies %+v", latencies)
	}
	if len(points[node]) != 1 {
		t.Errorf("got points %+v", points)
	}
	if of := days[node]; len(of) != 2 || of[0].Probes+of[1].Probes != 1 || of[0].Target != node {
		t.Errorf("got days %+v", days)
	}
}

// TestSitesLost: sessions that a view has lost are in its snapshots for half a minute.
func TestSitesLost(t *testing.T) {
	t.Parallel()
	cfg := withSites("x", "y")
	m := &fleetMember{unsent: make(map[string]bool), current: func() *config.Config { return cfg }}
	at := func(age time.Duration, cluster string, outcome checks.Outcome) checks.Request {
		return checks.Request{Cluster: cluster, At: time.Now().Add(-age), Outcome: outcome}
	}
	m.recordLost(at(time.Minute, "shop@y", checks.OutcomeLost))
	m.recordLost(at(0, "shop@y", checks.OutcomeStale))
	m.recordLost(at(0, "shop@y", checks.OutcomeMoved))
	m.recordLost(at(0, "shop@x", checks.OutcomeLost))
	m.recordLost(at(0, "shop", checks.OutcomeLost))
	if got := m.lostAt("shop@y", time.Now()); len(got) != 1 || got[0].Outcome != checks.OutcomeStale {
		t.Errorf("got %+v", got)
	}
	if !m.unsent["shop@y"] || !m.unsent["shop@x"] || len(m.unsent) != 2 {
		t.Errorf("got snapshots to store %v", m.unsent)
	}
}
