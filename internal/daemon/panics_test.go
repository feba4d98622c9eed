package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/panics"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/redis"
)

// A thrower panics once at every site, the file and line where the daemon runs a
// goroutine.
type thrower struct {
	mu     sync.Mutex
	thrown map[string]int
}

func (th *thrower) throw(site string) {
	if strings.HasPrefix(site, "demo/") {
		return // not of the daemon
	}
	th.mu.Lock()
	defer th.mu.Unlock()
	th.thrown[site]++
	if th.thrown[site] == 1 {
		panic("thrown at " + site)
	}
}

// panicRig is a cluster with every kind of probe.
func panicRig(t *testing.T) *rig {
	r := newRig(t)
	log := filepath.Join(r.dir, "error.log")
	must.Succeed(t, os.WriteFile(log, nil, 0o600))
	text := r.text
	text = strings.Replace(text, "balancer: {", fmt.Sprintf("balancer: {evidence: {nginx_error_log: %q, haproxy_stats: %q}, ", log, r.Balancer.URL()+"/stats"), 1)
	text = strings.Replace(text, "    nodes:\n", "    session: {timeout: 4s}\n    pages: [{path: /app_a/}]\n    handshake: {path: /socket.io/}\n    nodes:\n", 1)
	text = strings.Replace(text, "tcp://", "redis://", 1)
	text = strings.Replace(text, "dependencies: [", fmt.Sprintf("dependencies: [{name: Hanging, url: \"redis://%s\"}, ", hanging(t)), 1)
	r.text = text
	return r
}

// TestPanicsAreSurvived runs a daemon that panics once at every place it reaches, and
// once more when it ends: it goes on to probe, notify, answer and write. That no
// goroutine starts outside of package panics is a test of internal/arch.
func TestPanicsAreSurvived(t *testing.T) {
	quietly(t)
	r := panicRig(t)
	th := &thrower{thrown: make(map[string]int)}
	before := panics.Counts()
	remove := panics.SetTestHook(th.throw)
	defer remove()
	d, stop := r.startPanicking(t)
	r.write(strings.Replace(r.text, "name: shop", "name: other", 1))
	for d.Reload(t.Context()) != nil {
		t.Log("the reload panicked")
	}
	within(t, 5*time.Minute, "a panic of every component", func() bool {
		for _, path := range []string{"/", "/metrics", "/-/ready", "/probe?cluster=other"} {
			d.get(path) // it may be broken off
		}
		counts := panics.Counts()
		return !slices.ContainsFunc(panics.Components, func(c panics.Component) bool { return counts[c] == before[c] })
	})
	remove()
	d.worksAsBefore(t, r)
	defer panics.SetTestHook(th.throw)()
	r.receiver.hang()
	r.write(strings.Replace(r.text, "name: other", "name: third", 1))
	must.Succeed(t, d.Reload(t.Context())) // it ends the incident
	until(t, "a delivery under way", r.receiver.hangs)
	stop()
}

// quietly discards the log of package panics until the test ends.
func quietly(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// startPanicking starts a daemon with every kind of probe. The daemon may end with an
// error about panics.
func (r *rig) startPanicking(t *testing.T) (d *running, stop func()) {
	t.Helper()
	one, err := Start(t.Context(), Config{
		Load: r.load, Prober: &monitor.Prober{Handshake: engineio.Handshake, Pingers: map[string]probes.Pinger{"redis": redis.Ping}},
		Build: metrics.Build{Version: "test"}, Notifier: r.notifier, Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	})
	must.Succeed(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- one.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return &running{one, "http://" + one.Address().String()}, stop
}

// get requests a page; a panic may interrupt the response.
func (r *running) get(path string) (status int) {
	res, err := http.Get(r.url + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// worksAsBefore checks that a daemon runs rounds, records incidents, notifies, and
// responds.
func (r *running) worksAsBefore(t *testing.T, testRig *rig) {
	t.Helper()
	now := time.Now()
	until(t, "a new round", func() bool { return r.Snapshots()[0].Report.Started.After(now) })
	until(t, "the notification", func() bool { return slices.Contains(testRig.receiver.got(), "fired dependency_down") })
	until(t, "the page", func() bool { return r.get("/") == http.StatusOK })
	until(t, "a scrape", func() bool { return r.get("/metrics") == http.StatusOK })
	until(t, "a round by itself", func() bool { return r.get("/probe?cluster=other") == http.StatusOK })
	until(t, "samples on the disk", func() bool { return r.history.Stats().LastWrite.After(now) })
}

// hanging returns the address of a server that never answers.
func hanging(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}
