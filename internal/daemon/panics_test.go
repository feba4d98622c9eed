package daemon

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
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
	"stickwatch/internal/panics"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/redis"
)

// guardedPackages are those whose goroutines run in a daemon.
var guardedPackages = []string{
	"probes", "probes/evidence", "probes/engineio", "probes/internal/readlimit", "alerting",
	"internal/monitor", "internal/daemon", "internal/history", "internal/metrics", "internal/web",
}

// A thrower throws one panic at every place where a goroutine of the daemon ends.
type thrower struct {
	mu     sync.Mutex
	thrown map[string]int
}

func (th *thrower) throw(site string) {
	if strings.HasPrefix(site, "demo/") || strings.HasPrefix(site, "panics/") {
		return // not of the daemon; and one that throws again and again
	}
	th.mu.Lock()
	defer th.mu.Unlock()
	th.thrown[site]++
	if th.thrown[site] == 1 {
		panic("thrown at " + site)
	}
}

// wanted are the places in the source where the daemon has package panics run
// something.
func wanted(t *testing.T) (sites []string) {
	t.Helper()
	for _, name := range guardedPackages {
		files, err := filepath.Glob("../../" + name + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: got %d files, %v", name, len(files), err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				selector, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				of, _ := selector.X.(*ast.Ident)
				if starts := selector.Sel.Name == "Go" || of != nil && of.Name == "panics" && ast.IsExported(selector.Sel.Name); starts && selector.Sel.Name != "Counts" && selector.Sel.Name != "Keep" {
					sites = append(sites, fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(path)), filepath.Base(path), fset.Position(call.Pos()).Line))
				}
				return true
			})
		}
	}
	slices.Sort(sites)
	return slices.Compact(sites)
}

// panicRig is a cluster of which everything is asked.
func panicRig(t *testing.T) *rig {
	r := newRig(t)
	log := filepath.Join(r.dir, "error.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text := r.text
	text = strings.Replace(text, "balancer: {", fmt.Sprintf("balancer: {evidence: {nginx_error_log: %q, haproxy_stats: %q}, ", log, r.Balancer.URL()+"/stats"), 1)
	text = strings.Replace(text, "    nodes:\n", "    session: {timeout: 4s}\n    pages: [{path: /app_a/}]\n    handshake: {path: /socket.io/}\n    nodes:\n", 1)
	text = strings.Replace(text, "tcp://", "redis://", 1)
	text = strings.Replace(text, "dependencies: [", fmt.Sprintf("dependencies: [{name: Hanging, url: \"redis://%s\"}, ", hanging(t)), 1)
	r.text = text
	return r
}

// TestPanicsAreSurvived runs a daemon that panics once at every place where it
// can, and once more when it ends: it goes on, and finds, writes and tells what
// there is.
func TestPanicsAreSurvived(t *testing.T) {
	quietly(t)
	r := panicRig(t)
	th := &thrower{thrown: make(map[string]int)}
	before := panics.Counts()
	remove := panics.Inject(th.throw)
	defer remove()
	d, stop := r.startPanicking(t)
	r.write(strings.Replace(r.text, "name: shop", "name: other", 1))
	for d.Reload(t.Context()) != nil {
		t.Log("the reload panicked")
	}
	atEnd := []string{"alerting/courier.go", "daemon/daemon.go", "daemon/postroom.go", "daemon/housekeeping.go", "history/db.go", "web/serve.go"}
	restarted := time.Now()
	var missing []string
	newest := time.Now() // when it was last thrown at a new place
	defer func() {
		if t.Failed() {
			t.Logf("nothing was thrown at %s", missing)
		}
	}()
	within(t, 5*time.Minute, "a panic everywhere", func() bool {
		if time.Since(restarted) > 8*time.Second { // sessions are lost again, when there are canaries
			restarted = time.Now()
			if err := r.Nodes[1].Restart(); err != nil {
				t.Error(err)
			}
		}
		for _, path := range []string{"/", "/metrics", "/-/ready", "/probe?cluster=other"} {
			d.get(path) // it may be broken off
		}
		if now := th.missing(t, atEnd...); len(now) != len(missing) {
			missing, newest = now, time.Now()
		}
		return len(missing) == 0 || len(missing) <= mostMissing && time.Since(newest) > 10*time.Second
	})
	remove()
	d.worksAsBefore(t, r)
	for _, c := range panics.Components {
		if c != panics.Daemon && panics.Counts()[c] == before[c] {
			t.Errorf("no panic was counted for %s", c)
		}
	}
	defer panics.Inject(th.throw)()
	r.receiver.hang()
	r.write(strings.Replace(r.text, "name: other", "name: third", 1))
	if err := d.Reload(t.Context()); err != nil { // it ends the incident
		t.Fatal(err)
	}
	until(t, "a delivery under way", r.receiver.hangs)
	stop()
	if missing = th.missing(t); len(missing) > mostMissing {
		t.Errorf("nothing was thrown at %d places", len(missing))
	}
	t.Logf("nothing was thrown at %s", missing)
}

// mostMissing is how many places may not be reached: those of a visit that finds
// trouble, which ends before others are.
const mostMissing = 8

// seldom are the files with places that are not reached here, and why.
var seldom = map[string]string{
	"daemon/postroom.go": "receivers are kept informed every minute: TestKeepPanics",
	"history/db.go":      "a file of more than 100 MB is checked",
}

// missing are the places at which nothing was thrown, but for those of some files.
func (th *thrower) missing(t *testing.T, later ...string) []string {
	return slices.DeleteFunc(wanted(t), func(site string) bool {
		file, _, _ := strings.Cut(site, ":")
		return th.threwAt(site) || slices.Contains(later, file) || seldom[file] != ""
	})
}

// quietly drops what package panics logs until the test ends.
func quietly(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// threwAt reports whether there was a panic at a place.
func (th *thrower) threwAt(site string) bool {
	th.mu.Lock()
	defer th.mu.Unlock()
	return th.thrown[site] > 0
}

// startPanicking starts a daemon with every kind of probe. Its end may be an error:
// that there were panics is told.
func (r *rig) startPanicking(t *testing.T) (d *running, stop func()) {
	t.Helper()
	one, err := Start(t.Context(), Config{
		Load: r.load, Prober: &monitor.Prober{Handshake: engineio.Handshake, Pingers: map[string]probes.Pinger{"redis": redis.Ping}},
		Build: metrics.Build{Version: "test"}, Notifier: r.notifier, Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
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

// get asks for a page that may be broken off.
func (d *running) get(path string) (status int) {
	res, err := http.Get(d.url + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// worksAsBefore checks that a daemon takes rounds, keeps incidents, notifies and
// answers.
func (d *running) worksAsBefore(t *testing.T, r *rig) {
	t.Helper()
	now := time.Now()
	until(t, "a new round", func() bool { return d.Snapshots()[0].Report.Started.After(now) })
	until(t, "the notification", func() bool { return slices.Contains(r.receiver.got(), "fired dependency_down") })
	until(t, "the page", func() bool { return d.get("/") == http.StatusOK })
	until(t, "a scrape", func() bool { return d.get("/metrics") == http.StatusOK })
	until(t, "a round by itself", func() bool { return d.get("/probe?cluster=other") == http.StatusOK })
	until(t, "samples on the disk", func() bool { return d.history.Stats().LastWrite.After(now) })
}

// hanging returns the address of a server that never answers.
func hanging(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}
