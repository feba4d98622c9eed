package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/docs/openapitest"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
)

// A rig is a demo cluster and a configuration that watches it.
type rig struct {
	*demo.Cluster
	dir      string
	receiver *receiver

	mu   sync.Mutex
	text string // of the configuration
}

func newRig(t *testing.T) *rig {
	t.Helper()
	cluster, err := demo.Start(demo.Config{})
	must.Succeed(t, err)
	t.Cleanup(cluster.Close)
	r := &rig{Cluster: cluster, dir: t.TempDir(), receiver: &receiver{}}
	r.text = r.file("shop")
	return r
}

// file returns a configuration in which every cluster is the demo.
func (r *rig) file(clusters ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:0\nhistory: {url: \"sqlite:%s\"}\n", filepath.Join(r.dir, "history.db"))
	b.WriteString("intervals: {canary: 1s, status: 2s, pages: 2s, dependencies: 2s}\n")
	b.WriteString("alerting:\n  receivers: [{name: ops, webhook: {url: http://127.0.0.1:9/}}]\n  for: {warning: 0s}\n  resolve_after: 1s\n  deployment_grace: 1s\n")
	b.WriteString("clusters:\n")
	for _, name := range clusters {
		fmt.Fprintf(&b, "  - name: %s\n    timeout: 1s\n    slow: 900ms\n    balancer: {url: %q, method: ip_hash, client_ip_header: %s}\n    nodes:\n",
			name, r.Balancer.URL(), r.Config.ClientIPHeader)
		for _, n := range r.Nodes {
			fmt.Fprintf(&b, "      - {id: %s, url: %q}\n", n.ID(), n.URL())
		}
		fmt.Fprintf(&b, "    dependencies: [{name: %s, url: %q}]\n", demo.RedisServer, strings.Replace(r.Redis.URL(), "redis:", "tcp:", 1))
	}
	return b.String()
}

// write replaces the configuration.
func (r *rig) write(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = text
}

func (r *rig) load() (*config.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return config.Parse("stickwatch.yml", []byte(r.text), func(string) (string, bool) { return "", false })
}

// A receiver records its notifications as "kind code".
type receiver struct {
	mu      sync.Mutex
	kinds   []string
	refusal error // nil: it accepts notifications
	hanging bool  // it does not respond
	waiting int   // notifications without a response
}

// hang makes it stop responding.
func (r *receiver) hang() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hanging = true
}

// hangs reports whether a notification is without a response.
func (r *receiver) hangs() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting > 0
}

// wait blocks until ctx ends if the receiver hangs.
func (r *receiver) wait(ctx context.Context) {
	r.mu.Lock()
	hanging := r.hanging
	if hanging {
		r.waiting++
	}
	r.mu.Unlock()
	if hanging {
		<-ctx.Done()
	}
}

// refuse makes it return an error for every notification.
func (r *receiver) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = err
}

func (r *receiver) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	r.wait(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusal != nil {
		return alerting.DeliveryRef{}, r.refusal
	}
	if s := n.Deployment; s != nil {
		r.kinds = append(r.kinds, fmt.Sprintf("%s %d moved, %d lost, %s", n.Kind, s.Moved, s.Lost, strings.Join(s.Touched, " ")))
		return alerting.DeliveryRef{}, nil
	}
	r.kinds = append(r.kinds, string(n.Kind)+" "+string(n.Incident.Cause.Code))
	return alerting.DeliveryRef{}, nil
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.kinds...)
}

func (r *rig) notifier(config.Receiver, config.Alerting) (alerting.Notifier, error) {
	return r.receiver, nil
}

// start runs a daemon until stop is called or the test ends.
func (r *rig) start(t *testing.T) (d *running, stop func()) {
	t.Helper()
	one, err := Start(t.Context(), Config{
		Load: r.load, Prober: &monitor.Prober{}, Build: metrics.Build{Version: "test"},
		Notifier: r.notifier, AdminSocket: shortPath(t),
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	})
	must.Succeed(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- one.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("running: %v", err)
		}
	})
	t.Cleanup(stop)
	return &running{one, "http://" + one.Address().String()}, stop
}

// shortPath returns a path for a socket, because the path of t.TempDir may be too
// long for one.
func shortPath(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "stickwatch-")
	must.Succeed(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "s")
}

// A testWriter writes the log of a daemon to the log of the test.
type testWriter struct{ *testing.T }

func (w testWriter) Write(line []byte) (int, error) {
	w.Helper()
	w.Log(strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// running is a daemon that runs, and its URL.
type running struct {
	*Daemon
	url string
}

// ask sends a request through the admin socket and returns status and body, which must be as
// the OpenAPI document says.
func (r *running) ask(t *testing.T, method, path, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	must.Succeed(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Transport: openapitest.Transport{T: t, Base: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.admin.path)
		},
	}}}
	res, err := client.Do(req)
	must.Succeed(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	must.Succeed(t, err)
	return res.StatusCode, answer
}

// incidents returns the incidents of the API as "state code".
func (r *running) incidents(t *testing.T) (list []string) {
	t.Helper()
	var answer struct {
		Incidents []struct {
			State, Code string
		}
	}
	status, body := r.ask(t, http.MethodGet, "/api/v1/incidents", "")
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("got %d %s: %v", status, body, err)
	}
	for _, i := range answer.Incidents {
		list = append(list, i.State+" "+i.Code)
	}
	return list
}

// activeFindings returns when the active finding about the dependency started.
func (r *running) activeFindings(t *testing.T) time.Time {
	t.Helper()
	for _, found := range r.Snapshots()[0].ActiveFindings {
		if found.Code == checks.DependencyDown {
			return found.Since
		}
	}
	t.Fatal("nothing stands")
	return time.Time{}
}

// pending returns the number of undelivered notifications by receiver.
func (r *running) pending(t *testing.T) map[string]int {
	t.Helper()
	pending, err := r.history.Pending(t.Context())
	must.Succeed(t, err)
	return pending
}

func stepWith(notifications ...alerting.Notification) history.WriteSet {
	return history.WriteSet{Decision: alerting.Decision{Notifications: notifications}}
}

// idOf returns the ID in a response.
func idOf(t *testing.T, body []byte) string {
	t.Helper()
	var answer struct{ ID string }
	if err := json.Unmarshal(body, &answer); err != nil || answer.ID == "" {
		t.Fatalf("got %s, want an id: %v", body, err)
	}
	return answer.ID
}

// until waits for a condition, with a timeout that is long enough for a busy machine.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	within(t, time.Minute, what, true)
}

func within(t *testing.T, patience time.Duration, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !true(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

func (r *running) untilReady(t *testing.T) {
	t.Helper()
	until(t, "ready", func() bool {
		status, _ := r.ask(t, http.MethodGet, "/-/ready", "")
		return status == http.StatusOK
	})
}
