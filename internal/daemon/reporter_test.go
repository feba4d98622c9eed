package daemon

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/web"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// TestShow: the page is updated after whole rounds and changes, and every 10 s
// otherwise.
func TestShow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		result monitor.RoundResult
		last   time.Duration // ago, when the page was updated last
		want   bool
	}{
		"a whole round":                {monitor.RoundResult{Full: true}, 0, true},
		"a calm round":                 {monitor.RoundResult{}, 0, false},
		"a calm round after a while":   {monitor.RoundResult{}, time.Minute, true},
		"a calm round with changes":    {monitor.RoundResult{Changes: []checks.Change{{Kind: checks.Gone}}}, 0, true},
		"a calm round without changes": {monitor.RoundResult{Changes: []checks.Change{}}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &reporter{clock: newSteadyClock(), page: web.NewLive()}
			r.pageUpdated.Store("shop", time.Now().Add(-tt.last))
			tt.result.Cluster = &probes.Cluster{Name: "shop"}
			before := r.page.Revision()
			r.show(tt.result)
			if got := r.page.Revision() != before; got != tt.want {
				t.Errorf("got a page that is updated: %t, want %t", got, tt.want)
			}
		})
	}
}

// TestRequested: every request is counted, and the history has the uptime of sessions
// by the node that owns them. A session that another node serves and loses is
// downtime; an unknown outcome is neither.
func TestRequested(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history.db")
	db, err := history.Open(t.Context(), history.Config{Path: path, Flush: time.Hour})
	must.Succeed(t, err)
	live := metrics.New(metrics.Build{})
	incidentService := newIncidentService(newQueue(db), live, slog.New(slog.DiscardHandler), newSteadyClock(), alerting.Config{}, restoredState{})
	r := &reporter{clock: newSteadyClock(), history: db, metrics: live, incidentService: incidentService}
	start := time.Now().Truncate(time.Second)
	at := start
	request := func(node string, outcomes ...checks.Outcome) {
		for _, o := range outcomes {
			at = at.Add(time.Millisecond)
			r.Requested(checks.Request{Cluster: "shop", Balancer: "lb", Node: node, At: at, Latency: time.Millisecond, Outcome: o})
		}
	}
	request("node1", checks.OutcomeServed, checks.OutcomeLost, checks.OutcomeLost, checks.OutcomeUnknown) // it drifts
	request("node2", checks.Outcomes...)
	request("", checks.OutcomeError, checks.OutcomeUnknown, checks.OutcomeServed)
	request("node3", checks.OutcomeUnknown)
	must.Succeed(t, db.Close(t.Context()))

	read, err := history.OpenReader(t.Context(), path)
	must.Succeed(t, err)
	defer read.Close()
	uptimes, err := read.Uptimes(t.Context(), "shop", checks.Span{From: start, To: at.Add(time.Second)})
	must.Succeed(t, err)
	got := make(map[string][2]int)
	for _, u := range uptimes {
		got[string(u.Kind)+" "+u.Name] = [2]int{u.Failed, u.Probes}
	}
	want := map[string][2]int{"session ": {1, 2}, "session node1": {2, 3}, "session node2": {5, 7}}
	expect.Equal(t, "failed and known requests", want, got)
	if got := r.metrics.Counters()[`["stickwatch_client_requests_total","shop","lb","node1","lost"]`]; got != 2 {
		t.Errorf("got %v lost requests of node1, want 2", got)
	}
}

// TestSessionSampleSeparatesErrorsFromLosses: samples of errors and of lost sessions
// differ.
func TestSessionSampleSeparatesErrorsFromLosses(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[checks.Outcome]checks.Sample{
		checks.OutcomeServed:    {OK: true},
		checks.OutcomeMoved:     {OK: true},
		checks.OutcomeError:     {Failure: probes.FailureOther},
		checks.OutcomeLost:      {},
		checks.OutcomeStale:     {},
		checks.OutcomeForeign:   {},
		checks.OutcomeWrongPage: {},
	} {
		want.Target = checks.Target{Cluster: "shop", Kind: checks.TargetSession, Name: "node1"}
		got, known := sessionSample(checks.Request{Cluster: "shop", Node: "node1", Outcome: outcome})
		if diff := cmp.Diff(want, got); diff != "" || !known {
			t.Errorf("%s: known is %t, and the sample differs (-want +got):\n%s", outcome, known, diff)
		}
	}
	for _, outcome := range []checks.Outcome{checks.OutcomeUnknown, "", "unheard of"} {
		if _, known := sessionSample(checks.Request{Outcome: outcome}); known {
			t.Errorf("the outcome %q is known", outcome)
		}
	}
}

// TestDriftLowersSessionUptime: if sessions drift while all nodes and pages respond, page,
// API, and metrics show less than 100 % for sessions.
func TestDriftLowersSessionUptime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	must.Succeed(t, r.Break("drift"))
	d, _ := r.start(t)
	d.untilReady(t)
	for i := range 9 { // round robin over three nodes: a session meets its own every third time
		outcome := checks.OutcomeLost
		if i%3 == 0 {
			outcome = checks.OutcomeServed
		}
		d.reporter.Requested(checks.Request{
			Cluster: "shop", Balancer: r.Balancer.URL(), Node: r.Nodes[0].ID(), At: time.Now(), Outcome: outcome,
		})
	}
	uptimes := func() (up map[checks.TargetKind]wire.Uptime) {
		var webHistory struct{ Uptimes []wire.Uptime }
		status, body := d.ask(t, http.MethodGet, "/api/v1/history?cluster=shop", "")
		if err := json.Unmarshal(body, &webHistory); err != nil || status != http.StatusOK {
			t.Fatalf("got %d %s: %v", status, body, err)
		}
		up = make(map[checks.TargetKind]wire.Uptime)
		for _, u := range webHistory.Uptimes {
			if u.Target == r.Nodes[0].ID() {
				up[u.Kind] = u
			}
		}
		return up
	}
	until(t, "an uptime of sessions", func() bool { return uptimes()[checks.TargetSession].Failed >= 6 })
	up := uptimes()
	if got := up[checks.TargetNode]; got.Probes == 0 || got.Ratio != 1 {
		t.Errorf("got the node's uptime %+v, want 100 %%", got)
	}
	if got := up[checks.TargetSession]; got.Ratio > 0.9 {
		t.Errorf("got the uptime of its sessions %+v, want what clients met", got)
	}
	until(t, "the uptime of sessions on the page", func() bool {
		_, page := d.ask(t, http.MethodGet, "/?lang=en", "")
		found := regexp.MustCompile(`(?s)Sessions, 90 days</span>.*?<b>(\d+)`).FindSubmatch(page)
		return found != nil && string(found[1]) != "100"
	})
}

// TestNodesThatLeftDuringARestart: removed nodes have no series after a restart; the
// others continue.
func TestNodesThatLeftDuringARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, stop := r.start(t)
	d.untilReady(t)
	leaves, stays := r.Nodes[2], r.Nodes[0]
	for _, n := range []string{leaves.ID(), stays.ID()} {
		d.metrics.Request(checks.Request{Cluster: "shop", Balancer: "lb", Node: n, Outcome: checks.OutcomeStale})
	}
	stop()
	r.write(strings.Replace(r.file("shop"), fmt.Sprintf("      - {id: %s, url: %q}\n", leaves.ID(), leaves.URL()), "", 1))
	d, _ = r.start(t)
	d.untilReady(t)
	counted := d.metrics.Counters()
	for node, want := range map[string]float64{leaves.ID(): 0, stays.ID(): 1} {
		if got := counted[fmt.Sprintf(`["stickwatch_client_requests_total","shop","lb",%q,"stale"]`, node)]; got != want {
			t.Errorf("%s: got %v requests, want %v", node, got, want)
		}
	}
}
