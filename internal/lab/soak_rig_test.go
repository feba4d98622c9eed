package lab

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
	"stickwatch/internal/sleep"
)

// A soak is the program in a process of its own, which watches a rig and notifies a
// fake Slack.
type soak struct {
	*rig
	daemon *Process
	slack  *slacktest.Server
	path   string // of the history, which is kept with the logs if the test fails
	status time.Duration
	began  time.Time
	unlock func() // the history; see lockHistory
	faults []injectedFault
	sums   map[string]float64 // counters of all processes, by series; see sumUp
}

func startSoak(t *testing.T) *soak {
	t.Helper()
	Require(t, "prlimit")
	dir, err := os.MkdirTemp("", "stickwatch-") // short: it contains a socket
	must.Succeed(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "stickwatch")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "stickwatch/cmd/stickwatch").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	s := &soak{
		rig:   newRig(t, fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))], plan{redis: true, front: frontPlan{failTimeout: 2 * time.Second}}),
		slack: slacktest.New("ops"), path: filepath.Join(logDir(dir), "history.db"), status: 5 * time.Second, sums: make(map[string]float64),
	}
	s.began = time.Now()
	t.Cleanup(s.slack.Close)
	address := FreeAddr(t)
	must.Succeed(t, os.WriteFile(filepath.Join(dir, "stickwatch.yml"), []byte(s.file(address)), 0o600))
	s.daemon = Run(t, Command{
		Name: "stickwatch", Path: binary, Args: []string{"serve", "-c", filepath.Join(dir, "stickwatch.yml")}, Dir: dir, Addr: address,
	})
	if !s.awaitWithin(2*time.Minute, func() bool { return s.quietSince(t, s.began) }) {
		t.Fatal("the cluster is not healthy")
	}
	return s
}

// file returns the configuration. Its limits are generous, because the machine may be busy.
func (s *soak) file(address string) string {
	var text strings.Builder
	fmt.Fprintf(&text, `
listen: %s
history: {url: "sqlite:%s"}
intervals: {canary: 2s, status: %[3]s, pages: %[3]s, dependencies: %[3]s}
alerting:
  for: {warning: 0s}
  resolve_after: 1s
  receivers: [{name: ops, slack: {token: %[4]s, channel: "#ops", api_url: %[5]q}}]
clusters:
  - name: lab
    timeout: 4s
    slow: 2s
    budget: {requests_per_second: 1000, concurrent: 32}
    status: {path: /status, settings: [scaling]}
    balancer: {url: %[6]q, method: ip_hash, fail_timeout: 2s, client_ip_header: %[7]s}
    dependencies: [{name: Redis Server, url: %[8]q}]
    nodes:
`, address, s.path, s.status, slacktest.Token, s.slack.URL(), s.front.URL(), clientHeader, s.rig.redis.URL())
	for _, n := range s.nodes {
		fmt.Fprintf(&text, "      - {id: %s, url: %q}\n", n.ID(), n.URL())
	}
	return text.String()
}

// awaitWithin waits until a condition is true, and reports whether it was.
func (s *soak) awaitWithin(d time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(s.tb.Context(), d)
	defer cancel()
	for !done() {
		if !sleep.For(ctx, 200*time.Millisecond) {
			return false
		}
	}
	return true
}

// get decodes an answer of the daemon; ok is false without one.
func (s *soak) get(t *testing.T, path string, read func(*bufio.Scanner)) (ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.daemon.Addr()+path, http.NoBody)
	must.Succeed(t, err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 10<<20)
	read(lines)
	return res.StatusCode == http.StatusOK && lines.Err() == nil
}

// quietSince reports whether a round that began after a moment found the cluster healthy, the end
// of every finding is confirmed and written, and no incident is open except those that flap, which
// takes a quarter of an hour to end. A round under way at the end of a fault could find the next one.
func (s *soak) quietSince(t *testing.T, moment time.Time) bool {
	t.Helper()
	var text strings.Builder
	if !s.get(t, "/api/v1/clusters/lab", func(lines *bufio.Scanner) {
		for lines.Scan() {
			text.Write(lines.Bytes())
		}
	}) {
		return false
	}
	var cluster struct {
		Verdict string
		Started time.Time
	}
	if err := json.Unmarshal([]byte(text.String()), &cluster); err != nil {
		return false
	}
	if cluster.Verdict != string(checks.Healthy) || !cluster.Started.After(moment) {
		return false
	}
	if slices.ContainsFunc(findingSpans(t, s.path), func(f findingSpan) bool { return f.To.IsZero() && f.From.After(s.began) }) {
		return false
	}
	return !slices.ContainsFunc(s.incidents(t), func(i alerting.Incident) bool { return i.State != alerting.Resolved && !i.Flapping })
}

// withReader reads the history. It tries again while it is locked.
func withReader(t *testing.T, path string, read func(context.Context, *history.Reader) error) {
	t.Helper()
	var err error
	for range 50 {
		var r *history.Reader
		if r, err = history.OpenReader(t.Context(), path); err == nil {
			err = read(t.Context(), r)
			r.Close()
		}
		if err == nil || !sleep.For(t.Context(), 200*time.Millisecond) {
			break
		}
	}
	must.Succeed(t, err)
}

func (s *soak) incidents(t *testing.T) (list []alerting.Incident) {
	t.Helper()
	withReader(t, s.path, func(ctx context.Context, r *history.Reader) (err error) {
		list, err = r.Incidents(ctx, alerting.IncidentQuery{Limit: 1000})
		return err
	})
	return list
}

// impaired reports whether a finding of stickwatch about itself appeared within a span. It is a new
// incident, or it returned to one that flaps.
func (s *soak) impaired(t *testing.T, code checks.Code, within checks.Span) bool {
	t.Helper()
	appeared := []alerting.EventKind{alerting.EventOpened, alerting.EventJoined, alerting.EventReturned}
	for _, i := range s.incidents(t) {
		if slices.ContainsFunc(i.Timeline, func(e alerting.Event) bool {
			return e.Finding == string(code) && slices.Contains(appeared, e.Kind) && !e.At.Before(within.From) && e.At.Before(within.To)
		}) {
			return true
		}
	}
	return false
}

func (s *soak) hasFinding(t *testing.T, code checks.Code, since time.Time) bool {
	t.Helper()
	return slices.ContainsFunc(findingSpans(t, s.path), func(f findingSpan) bool { return f.Code == code && !f.From.Before(since) })
}

// settle waits until all notifications are delivered.
func (s *soak) settle(t *testing.T) {
	t.Helper()
	s.slack.ClearFaults()
	if !s.awaitWithin(6*time.Minute, func() (empty bool) { // the longest pause between two tries
		withReader(t, s.path, func(ctx context.Context, r *history.Reader) error {
			pending, err := r.Pending(ctx)
			empty = pending["ops"] == 0
			return err
		})
		return empty && s.quietSince(t, s.began)
	}) {
		t.Error("not all notifications are delivered")
	}
}

// lockHistory makes every write to the history fail until unlock.
func (s *soak) lockHistory() {
	db, err := sql.Open("sqlite", s.path)
	must.Succeed(s.tb, err)
	conn, err := db.Conn(context.Background())
	if err == nil {
		_, err = conn.ExecContext(context.Background(), "PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE")
	}
	must.Succeed(s.tb, err)
	s.unlock = func() {
		_, _ = conn.ExecContext(context.Background(), "ROLLBACK")
		conn.Close()
		db.Close()
	}
}

func (s *soak) signal(signal syscall.Signal) {
	if err := syscall.Kill(s.daemon.PID(), signal); err != nil {
		s.tb.Error(err)
	}
}

// limitDescriptors sets how many descriptors the daemon may have. Those above a lower limit stay
// open, but it can open no other, however many it closes meanwhile.
func (s *soak) limitDescriptors(limit int) {
	out, err := exec.Command("prlimit", "--pid", strconv.Itoa(s.daemon.PID()), fmt.Sprintf("--nofile=%d:", limit)).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("prlimit: %v: %s", err, out)
	}
}

// gauges returns the current metrics of the process.
func (s *soak) gauges() map[string]float64 {
	values := make(map[string]float64)
	s.get(s.tb.(*testing.T), "/metrics", func(lines *bufio.Scanner) {
		for lines.Scan() {
			series, text, _ := strings.Cut(lines.Text(), " ")
			if value, err := strconv.ParseFloat(text, 64); err == nil {
				name, _, _ := strings.Cut(series, "{")
				values[series] = value
				if name != series {
					values[name] += value
				}
			}
		}
	})
	return values
}

// sumUp adds the counters of the process, before it ends.
func (s *soak) sumUp() {
	for series, value := range s.gauges() {
		s.sums[series] += value
	}
}

// noticeOf returns the ID of the notification in the metadata of a message.
func noticeOf(m slacktest.Message) string {
	var meta struct {
		Payload map[string]string `json:"event_payload"`
	}
	_ = json.Unmarshal([]byte(m.Metadata), &meta)
	return meta.Payload["notice"]
}
