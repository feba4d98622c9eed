package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/notify"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A heartbeatRig is the part of a daemon that decides about heartbeats: the real
// schedule, outbox and incident service, with one cluster whose jobs run a function.
type heartbeatRig struct {
	*Daemon
	disk     *diskFixture
	receiver receiver
	round    func(context.Context) // what the job does
	got      int                   // number of heartbeats
	fed      int                   // number of messages to the watchdog
	log      strings.Builder
}

// withHeartbeat runs a test in a bubble in which heartbeats are due every minute.
func withHeartbeat(t *testing.T, test func(t *testing.T, r *heartbeatRig)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quietly(t)
		r := &heartbeatRig{disk: newDiskFixture(t), round: func(context.Context) {}}
		logger := slog.New(slog.NewTextHandler(&r.log, nil))
		schedule, err := monitor.NewSchedule(logger, monitor.ScheduleObserver{})
		must.Succeed(t, err)
		r.Daemon = &Daemon{
			clock:  newSteadyClock(),
			logger: logger, history: r.disk.db, metrics: r.disk.metrics, incidentService: r.disk.incidentService, writeQueue: r.disk.queue, schedule: schedule,
			config: Config{Service: Service{Watchdog: 20 * time.Second, Notify: func(string) { r.fed++ }}},
		}
		r.active.Store(&activeConfig{config: &config.Config{Heartbeat: config.Heartbeat{URL: config.NewSecret("http://hc.example/x"), Interval: time.Minute}}})
		r.wasReady.Store(true)
		r.deliverer = notify.NewDeliverer(notify.DelivererConfig{Outbox: notify.NewFallbackOutbox(r.history, r.writeQueue), Observe: r.countDelivery, Logger: logger})
		r.deliverer.SetReceivers(map[string]alerting.Notifier{"ops": &r.receiver})
		r.disk.setClusters([]string{"shop"})
		must.Succeed(t, schedule.Set([]monitor.Job{{Key: "status/shop", Every: 15 * time.Second, Run: func(ctx context.Context) { r.round(ctx) }}}))
		ctx, cancel := context.WithCancel(t.Context())
		h := &heartbeat{daemon: r.Daemon, send: func(context.Context, config.Heartbeat) error { r.got++; return nil }}
		var running panics.Group
		running.Go(func() { r.writeQueue.Run(ctx) })
		running.Go(func() { r.deliverer.Run(ctx) })
		running.Go(func() {
			runPeriodically(ctx, []periodicTask{
				{time.Second, h.sendWhenDue}, {5 * time.Second, r.countNotifications}, {20 * time.Second, func(context.Context) { r.feedWatchdog() }},
			})
		})
		test(t, r)
		cancel()
		running.Wait()
		if err := schedule.Close(); err != nil {
			t.Error(err)
		}
	})
}

// expect lets an hour pass and compares the number of heartbeats and of messages to the
// watchdog in its last half.
func (r *heartbeatRig) expect(t *testing.T, heartbeats, fed bool) {
	t.Helper()
	time.Sleep(30 * time.Minute)
	synctest.Wait()
	r.got, r.fed = 0, 0
	time.Sleep(30 * time.Minute)
	synctest.Wait()
	if r.got < 29 && heartbeats || r.got > 0 && !heartbeats || r.got > 31 {
		t.Errorf("got %d heartbeats in half an hour, want one a minute: %t", r.got, heartbeats)
	}
	if r.fed < 89 && fed || r.fed > 0 && !fed {
		t.Errorf("the watchdog was fed %d times in half an hour, want every 20 s: %t", r.fed, fed)
	}
}

// TestHeartbeatStopsWithRounds: a round that hangs, and one that panics every time.
func TestHeartbeatStopsWithRounds(t *testing.T) {
	withHeartbeat(t, func(t *testing.T, r *heartbeatRig) {
		r.expect(t, true, true)
		release := make(chan struct{})
		r.round = func(context.Context) { <-release }
		r.expect(t, false, false)
		r.round = func(context.Context) {}
		close(release)
		r.expect(t, true, true)
		r.round = func(context.Context) { panic("a mistake") }
		r.expect(t, false, false)
	})
}

// TestHeartbeatStopsWithOutbox: a receiver that refuses notifications, for which a restart
// is no remedy.
func TestHeartbeatStopsWithOutbox(t *testing.T) {
	withHeartbeat(t, func(t *testing.T, r *heartbeatRig) {
		r.receiver.refuse(alerting.Retriable{Err: errors.New("out of order")})
		r.disk.breaks("shop")
		r.expect(t, false, true)
		r.receiver.refuse(nil)
		r.expect(t, true, true)
	})
}

// TestHeartbeatStopsWhileImpaired: stickwatch that cannot probe must not look healthy.
func TestHeartbeatStopsWhileImpaired(t *testing.T) {
	withHeartbeat(t, func(t *testing.T, r *heartbeatRig) {
		r.isImpaired.Store(true)
		r.expect(t, false, true)
		r.isImpaired.Store(false)
		r.wasReady.Store(false)
		r.active.Load().watchers = append(r.active.Load().watchers, r.newWatcher(new(config.Config), &probes.Cluster{Name: "shop", Balancer: probes.Balancer{}}, nil))
		r.expect(t, false, true) // no round of the cluster is complete
	})
}

// TestHeartbeatOnlyMissingWhenDue: a trouble between two heartbeats withholds none.
func TestHeartbeatOnlyMissingWhenDue(t *testing.T) {
	withHeartbeat(t, func(t *testing.T, r *heartbeatRig) {
		time.Sleep(90*time.Second + time.Millisecond)
		r.isImpaired.Store(true)
		time.Sleep(10 * time.Second)
		r.isImpaired.Store(false)
		r.expect(t, true, true)
		if text := r.log.String(); strings.Contains(text, "missing") {
			t.Errorf("a heartbeat is said to be missing:\n%s", text)
		}
	})
}

// TestHeartbeatAtStart: a first round that takes a while is no reason for a warning, and one
// that takes longer than the interval is.
func TestHeartbeatAtStart(t *testing.T) {
	withHeartbeat(t, func(t *testing.T, r *heartbeatRig) {
		r.wasReady.Store(false)
		r.active.Load().watchers = append(r.active.Load().watchers, r.newWatcher(new(config.Config), &probes.Cluster{Name: "shop"}, nil))
		for _, tt := range []struct {
			wait time.Duration
			want int
		}{{55 * time.Second, 0}, {10 * time.Second, 1}, {time.Hour, 1}} {
			time.Sleep(tt.wait)
			synctest.Wait()
			if got := strings.Count(r.log.String(), "the heartbeat is missing"); got != tt.want || r.got > 0 {
				t.Errorf("got %d warnings and %d heartbeats, want %d and 0:\n%s", got, r.got, tt.want, r.log.String())
			}
		}
	})
}

// TestSendHeartbeat: any 2xx is a success, and no error contains the address.
func TestSendHeartbeat(t *testing.T) {
	t.Parallel()
	const id = "/5fb2b8a2-f1e1-4ac1-a0c6-3a1e3c2b9a10"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == id:
			w.WriteHeader(http.StatusNoContent)
		case strings.HasPrefix(r.URL.Path, "/loop"):
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/moved"):
			http.Redirect(w, r, id, http.StatusMovedPermanently)
		case strings.HasPrefix(r.URL.Path, "/away"):
			http.Redirect(w, r, "http://localhost:1"+id, http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	defer server.Close()
	for _, tt := range []struct {
		address string
		want    string // part of the error; "": none
	}{
		{server.URL + id, ""},
		{server.URL + "/other" + id, "got status 404, want 2xx"},
		{server.URL + "/moved" + id, ""},
		{server.URL + "/loop" + id, "got status 302, want 2xx"},
		{server.URL + "/away" + id, "got status 302, want 2xx"},
		{closed.URL + id, "connection refused"},
	} {
		err := sendHeartbeat(t.Context(), config.Heartbeat{URL: config.NewSecret(tt.address)})
		switch {
		case tt.want == "" && err == nil:
		case err == nil || tt.want == "" || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), id[1:9]):
			t.Errorf("%s: got %v, want %q without the address", tt.address, err, tt.want)
		}
	}
}

// TestWaitOutlastsUnreadableHistory: a receiver that accepts nothing for longer than
// outboxStuckAfter is noticed although the history cannot be read now and then.
func TestWaitOutlastsUnreadableHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p outboxProgress
		for range outboxStuckAfter / time.Minute {
			p.observe(map[string]int{"ops": 1}, false)
			time.Sleep(30 * time.Second)
			p.observe(nil, true)
			time.Sleep(30 * time.Second)
		}
		p.observe(map[string]int{"ops": 1}, false)
		if err := p.stuck(); err == nil {
			t.Error("got no error, want one about ops")
		}
	})
}
