package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/history"
	"stickwatch/internal/lab"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/web"
)

// reload activates a configuration.
func (r *rig) reload(t *testing.T, d *running, text string) {
	t.Helper()
	r.write(text)
	if status, body := d.ask(t, http.MethodPost, "/-/reload", ""); status >= 300 {
		t.Fatalf("got %d %s", status, body)
	}
}

// ops is the line about the receiver in the configuration of a rig.
const ops = "  receivers: [{name: ops, webhook: {url: http://127.0.0.1:9/}}]\n"

// TestReloaded specifies the effects of a reload.
func TestReloaded(t *testing.T) {
	t.Parallel()
	fires := func(t *testing.T, r *rig, d *running) {
		t.Helper()
		must.Succeed(t, r.Break("redis-down"))
		until(t, "an incident", func() bool { return slices.Contains(d.incidents(t), "firing dependency_down") })
	}
	for name, tt := range map[string]func(t *testing.T, r *rig, d *running){
		"the incidents of a removed cluster are resolved, and that is notified": func(t *testing.T, r *rig, d *running) {
			fires(t, r, d)
			r.reload(t, d, r.file("second"))
			until(t, "the end", func() bool { return slices.Contains(d.incidents(t), "resolved dependency_down") })
			until(t, "a notification", func() bool { return slices.Contains(r.receiver.got(), "resolved dependency_down") })
		},
		"a cluster that has changed keeps what stands": func(t *testing.T, r *rig, d *running) {
			fires(t, r, d)
			before := d.activeFindings(t)
			r.reload(t, d, strings.Replace(r.file("shop"), "slow: 900ms", "slow: 901ms", 1))
			if after := d.activeFindings(t); !after.Equal(before) {
				t.Errorf("got a finding that stands since %s, want %s", after, before)
			}
			if n := len(d.incidents(t)); n != 1 {
				t.Errorf("got %d incidents, want the one that goes on", n)
			}
		},
		"requests of a node that left are not shown": func(t *testing.T, r *rig, d *running) {
			leaves, stays := r.Nodes[2], r.Nodes[0]
			for _, n := range []string{leaves.ID(), stays.ID()} {
				d.metrics.Request(checks.Request{Cluster: "shop", Balancer: "lb", Node: n, Outcome: checks.OutcomeStale})
			}
			line := fmt.Sprintf("      - {id: %s, url: %q}\n", leaves.ID(), leaves.URL())
			r.reload(t, d, strings.Replace(r.file("shop"), line, "", 1))
			counted := func(node string) bool {
				_, body := d.ask(t, http.MethodGet, "/metrics", "")
				return strings.Contains(string(body), fmt.Sprintf(`stickwatch_client_requests_total{balancer="lb",cluster="shop",node=%q,outcome="stale"} 1`, node))
			}
			until(t, "the node's series gone", func() bool { return !counted(leaves.ID()) })
			if !counted(stays.ID()) {
				t.Error("the other node's are gone, too")
			}
		},
		"routes are as the new file says": func(t *testing.T, r *rig, d *running) {
			r.reload(t, d, strings.Replace(r.file("shop"), ops, ops+"  routes: [{receiver: ops, cluster: shop, code: slow}]\n", 1))
			fires(t, r, d)
			if got := r.receiver.got(); len(got) > 0 {
				t.Errorf("got %q against the routes", got)
			}
			r.reload(t, d, r.file("shop"))
			until(t, "a notification", func() bool { return slices.Contains(r.receiver.got(), "fired dependency_down") })
		},
		"what waits for a receiver that left is a dead letter": func(t *testing.T, r *rig, d *running) {
			r.receiver.refuse(errors.New("500"))
			fires(t, r, d)
			until(t, "a notification that waits", func() bool { return d.pending(t)["ops"] == 1 })
			r.reload(t, d, strings.Replace(r.file("shop"), "name: ops", "name: others", 1))
			until(t, "a dead letter", func() bool {
				dead, err := d.history.DeadLetters(t.Context(), 1)
				return err == nil && len(dead) == 1 && d.pending(t)["ops"] == 0
			})
		},
		"what is written for it later, too": func(t *testing.T, r *rig, d *running) {
			r.reload(t, d, strings.Replace(r.file("shop"), "name: ops", "name: others", 1))
			late := alerting.Notification{ID: "1/ops/1", Receiver: "ops", Kind: alerting.NotificationFired, At: time.Now()}
			must.Succeed(t, d.history.Commit(t.Context(), stepWith(late)))
			d.deliverer.Wake()
			until(t, "a dead letter", func() bool {
				dead, err := d.history.DeadLetters(t.Context(), 1)
				return err == nil && len(dead) == 1
			})
		},
		"the page speaks as the new file says": func(t *testing.T, r *rig, d *running) {
			r.reload(t, d, strings.Replace(r.file("shop"), ops, ops+"  language: zh\n  timezone: Asia/Shanghai\n", 1))
			if _, page := d.ask(t, http.MethodGet, "/", ""); !strings.Contains(string(page), `lang="zh`) || !strings.Contains(string(page), "CST") {
				t.Errorf("got a page that is not Chinese, or not of Shanghai:\n%s", page)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			d, _ := r.start(t)
			d.untilReady(t)
			tt(t, r, d)
		})
	}
}

// TestExternalURLHost: the server accepts the host of the configured external URL,
// also after a reload.
func TestExternalURLHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write(strings.Replace(r.file("shop"), ops, ops+"  external_url: https://watch.example/\n", 1))
	d, _ := r.start(t)
	code := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/-/healthy", http.NoBody)
		must.Succeed(t, err)
		req.Host = "watch.example"
		res, err := http.DefaultClient.Do(req)
		must.Succeed(t, err)
		defer res.Body.Close()
		return res.StatusCode
	}
	expect.Equal(t, "status by its name", http.StatusOK, code())
	r.reload(t, d, r.file("shop"))
	expect.Equal(t, "status by the name that it had", http.StatusMisdirectedRequest, code())
}

// TestReloadThatFails: a reload that fails in its last step changes nothing.
func TestReloadThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.start(t)
	d.untilReady(t)
	before := d.active.Load()
	load := d.config.Load
	d.config.Load = func() (*config.Config, error) {
		cfg, err := load()
		if err == nil {
			every := cfg.ClusterIntervals["second"]
			every.Status = -1 // which no schedule can keep
			cfg.ClusterIntervals["second"] = every
		}
		return cfg, err
	}
	r.write(strings.Replace(r.file("shop", "second"), "intervals: {canary: 1s, status: 2s, pages: 2s, dependencies: 2s}",
		"intervals: {canary: 1h, status: 1h, pages: 1h, dependencies: 1h}", 1))
	if err := d.Reload(t.Context()); err == nil {
		t.Fatal("got no error of an interval that cannot be kept")
	}
	if d.active.Load() != before || !d.incidentService.watched["shop"] {
		t.Error("something is not as it was")
	}
	must.Succeed(t, r.Break("redis-down"))
	until(t, "the schedule to go on as before", func() bool { return slices.Contains(d.incidents(t), "firing dependency_down") })
	until(t, "delivery to go on as before", func() bool { return slices.Contains(r.receiver.got(), "fired dependency_down") })
}

// TestReloadAtTheEnd: a shutdown waits for a reload in progress, and no reload starts
// after it.
func TestReloadAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, stop := r.start(t)
	d.untilReady(t)
	load, stopped := d.config.Load, make(chan struct{})
	d.config.Load = func() (*config.Config, error) {
		go func() { defer close(stopped); stop() }()
		select { // who does not wait for the reload has ended by then
		case <-stopped:
			t.Error("the daemon has ended while it was reloaded")
		case <-time.After(time.Second):
		}
		return load()
	}
	r.write(r.file("shop", "second"))
	_ = d.Reload(t.Context())
	<-stopped
	for _, watcher := range d.active.Load().watchers {
		if err := watcher.TakeRound(t.Context()); !errors.Is(err, monitor.ErrRetired) {
			t.Errorf("got error %v of the watcher of %q, want it to be over", err, watcher.Cluster().Name)
		}
	}
	d.config.Load = func() (*config.Config, error) { t.Error("it was read again"); return load() }
	if err := d.Reload(t.Context()); err == nil {
		t.Error("got no error after the end")
	}
}

// TestReloadRetires: the watcher of a removed cluster reports nothing after the
// cluster was removed.
func TestReloadRetires(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, err := Start(t.Context(), Config{Load: r.load, Prober: &monitor.Prober{}, Notifier: r.notifier})
	must.Succeed(t, err)
	defer func() { _ = d.close(context.Background()) }()
	d.reporter.incidentService = newDiskFixture(t).incidentService // so that a round can end while nobody can be notified that the cluster is gone
	watcher := d.active.Load().watcherOf("shop")
	r.write(r.file("second"))
	reloaded := make(chan error, 1)
	func() {
		d.incidentService.mu.Lock()
		defer d.incidentService.mu.Unlock()
		go func() { reloaded <- d.Reload(t.Context()) }()
		until(t, "the watcher to be retired", func() bool { return errors.Is(watcher.TakeRound(t.Context()), monitor.ErrRetired) })
	}()
	if err := <-reloaded; err != nil {
		t.Error(err)
	}
}

// TestExportOfAClusterThatLeaves: a cluster may be removed during its export; a
// removed cluster is not found.
func TestExportOfAClusterThatLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	asked, release := make(chan struct{}, 1), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-release
	}))
	defer slow.Close()
	r.write(strings.Replace(r.file("shop"), r.Balancer.URL(), slow.URL, 1))
	d, err := Start(t.Context(), Config{Load: r.load, Prober: &monitor.Prober{}, Notifier: r.notifier})
	must.Succeed(t, err)
	defer func() { _ = d.close(context.Background()) }()
	exported := make(chan error, 1)
	go func() {
		handler, err := d.Export(t.Context(), "shop")
		if err == nil {
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		}
		exported <- err
	}()
	<-asked
	active := d.active.Load()
	r.write(r.file("second"))
	must.Succeed(t, d.Reload(t.Context()))
	close(release)
	if err := <-exported; err != nil && !errors.Is(err, web.ErrNotFound) {
		t.Errorf("got error %v, want what is known or ErrNotFound", err)
	}
	d.active.Store(active) // as it is for who asks in the moment of the reload
	if _, err := d.Export(t.Context(), "shop"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("got error %v of a watch that is over, want ErrNotFound", err)
	}
}

// TestSnapshotIsKeptOnReload: a changed cluster shows its last snapshot until its
// first round, and a new cluster does not make the daemon unready.
func TestSnapshotIsKeptOnReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.start(t)
	d.untilReady(t)
	before := d.Snapshots()[0]
	r.write(strings.Replace(r.file("shop", "second"), "canary: 1s", "canary: 2s", 1))
	if status, body := d.ask(t, http.MethodPost, "/-/reload", ""); status >= 300 {
		t.Fatalf("got %d %s", status, body)
	}
	after := d.Snapshots()[0]
	if after.Report.Started.Before(before.Report.Started) || !after.Since.Equal(before.Since) {
		t.Errorf("got a snapshot of %s, since %s; want that of %s, since %s",
			after.Report.Started, after.Since, before.Report.Started, before.Since)
	}
	if status, body := d.ask(t, http.MethodGet, "/-/ready", ""); status != http.StatusOK {
		t.Errorf("got %d %s", status, body)
	}
}

// TestUnannouncedReload: it is logged that the other instances of a fleet do not know of a reload.
func TestUnannouncedReload(t *testing.T) {
	t.Parallel()
	db, err := history.Open(t.Context(), history.Config{Path: lab.Postgres(t).URL(), Instance: "a"})
	must.Succeed(t, err)
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	store, err := db.NewFleet()
	must.Succeed(t, err)
	var log strings.Builder
	d := &Daemon{logger: slog.New(slog.NewTextHandler(&log, nil)), fleet: &fleetMember{store: store}}
	d.announceReload(t.Context())
	if log.Len() > 0 {
		t.Errorf("got %s", log.String())
	}
	must.Succeed(t, store.Close())
	d.announceReload(t.Context())
	if !strings.Contains(log.String(), "reload each of them") {
		t.Errorf("got %q of a message that was not sent", log.String())
	}
}
