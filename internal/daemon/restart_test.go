package daemon

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
)

// wantMetrics fails the test unless the metrics have the lines.
func wantMetrics(t *testing.T, live *metrics.Live, lines ...string) {
	t.Helper()
	text := metricsOf(t, live)
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no metric %s", line)
		}
	}
}

// metricsOf returns the metrics in the text format.
func metricsOf(t *testing.T, live *metrics.Live) string {
	t.Helper()
	answer := httptest.NewRecorder()
	live.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	return answer.Body.String()
}

// TestRestart: after a restart findings keep their start, counters continue, and the
// last decisions are in the history.
func TestRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, stop := r.start(t)
	d.untilReady(t)
	must.Succeed(t, r.Break("redis-down"))
	until(t, "an incident", func() bool { return slices.Contains(d.incidents(t), "firing dependency_down") })
	since := d.activeFindings(t)
	stop()

	// This daemon never runs: it probes nothing, and writes only when it is closed.
	next, err := Start(t.Context(), Config{Load: r.load, Prober: &monitor.Prober{}, Notifier: r.notifier})
	must.Succeed(t, err)
	if got := (&running{Daemon: next}).activeFindings(t); !got.Equal(since) {
		t.Errorf("got a finding that stands since %s, want %s", got, since)
	}
	wantMetrics(t, next.metrics, `stickwatch_incidents_total{cluster="shop",code="dependency_down"} 1`)
	next.incidentService.setClusters(nil)
	must.Succeed(t, next.close(context.Background()))

	last, err := Start(t.Context(), Config{Load: r.load, Prober: &monitor.Prober{}, Notifier: r.notifier})
	must.Succeed(t, err)
	defer func() { _ = last.close(context.Background()) }()
	if open := last.incidentService.open(); len(open) > 0 {
		t.Errorf("got %d open incidents, want what was decided before the end", len(open))
	}
}

// TestRestartWithoutAReceiver: pending notifications of a removed receiver become
// dead letters.
func TestRestartWithoutAReceiver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	next, err := Start(t.Context(), Config{Load: r.load, Prober: &monitor.Prober{}, Notifier: r.notifier})
	must.Succeed(t, err)
	waits := alerting.Notification{ID: "1/former/1", Receiver: "former", Kind: alerting.NotificationFired, At: time.Now()}
	must.Succeed(t, errors.Join(next.history.Commit(t.Context(), stepWith(waits)), next.close(context.Background())))
	d, _ := r.start(t)
	until(t, "a dead letter", func() bool {
		dead, err := d.history.DeadLetters(t.Context(), 1)
		return err == nil && len(dead) == 1 && dead[0].ID == waits.ID
	})
}
