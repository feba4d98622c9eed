package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/wire"
)

// send sends a request through the admin socket.
func send(s *Server, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r = r.WithContext(asAdmin(r.Context()))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func decoded[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
		t.Fatalf("decoding %q: %v", w.Body, err)
	}
	return value
}

// TestClustersAsJSON compares with a golden file, because programs parse it.
func TestClustersAsJSON(t *testing.T) {
	s := newFakeDaemon(redisDown("shop"), unprobed("intranet")).server(t)
	w := send(s, "GET", "/api/v1/clusters", "")
	expect.Golden(t, "testdata/clusters.json", w.Body.String())
	one := decoded[wireCluster](t, send(s, "GET", "/api/v1/clusters/shop", ""))
	expect.Equal(t, "a cluster by itself differs", decoded[wireClusters](t, w).Clusters[0], one)
}

// TestProblems: invalid requests get an RFC 9457 problem with a helpful text.
func TestProblems(t *testing.T) {
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		detail                   string
	}{
		{"no such cluster", "GET", "/api/v1/clusters/ship", "", 404, `cluster "ship": not found`},
		{"no such incident", "GET", "/api/v1/incidents/x", "", 404, `incident "x": not found`},
		{"no such route", "GET", "/api/v2/clusters", "", 404, "there is no /api/v2/clusters"},
		{"another method", "DELETE", "/api/v1/clusters", "", 405, "/api/v1/clusters takes GET, got DELETE"},
		{"another method of an operation", "GET", "/-/reload", "", 405, "/-/reload takes POST, got GET"},
		{"unknown parameter", "GET", "/api/v1/clusters?name=shop", "", 400, `"name" is unknown, known are []`},
		{"misspelt parameter", "GET", "/api/v1/incidents?clutser=shop", "", 400, `"clutser" is unknown, known are ["cluster" "severity" "code" "since" "until" "state" "limit"]`},
		{"twice", "GET", "/api/v1/incidents?cluster=a&cluster=b", "", 400, `"cluster" is given 2 times, once is enough`},
		{"unknown state", "GET", "/api/v1/incidents?state=open", "", 400, `"state" is "open", want one of ["ongoing" "recovering" "resolved" "pending" "firing"]`},
		{"limit", "GET", "/api/v1/incidents?limit=1e9", "", 400, `"limit" is "1e9", want a number from 1 to 1000`},
		{
			"all at once", "GET", "/api/v1/history?since=yesterday&step=-1s", "", 400,
			`"cluster" is missing; "since" is "yesterday", want how long ago, such as 24h or 7d, or a time such as 2026-03-14T12:03:11Z; "step" is "-1s", want a duration such as 30s, 5m or 7d`,
		},
		{"backwards", "GET", "/api/v1/history?cluster=shop&since=1h&until=2h", "", 400, `"since" must lie before "until"`},
		{
			"too many points", "GET", "/api/v1/history?cluster=shop&since=30d&step=1s", "", 400,
			`"step" must be a second at least, and cut the span into 5000 points at most`,
		},
		{"unknown field", "POST", "/api/v1/silences", `{"clutser": "shop"}`, 400, `reading the body: unknown field "clutser"`},
		{"two values", "POST", "/api/v1/silences", `{} {}`, 400, "reading the body: it must be one JSON object and nothing more"},
		{"other case", "POST", "/api/v1/silences", `{"Cluster": "shop", "duration": "2h"}`, 400, `reading the body: unknown field "Cluster"`},
		{"no end", "POST", "/api/v1/silences", `{"cluster": "shop"}`, 400, `want one of "to" and "duration"`},
		{
			"every mistake", "POST", "/api/v1/silences", `{"cluster": "shop", "node": "node9", "code": "nod_down", "duration": "100d"}`, 400,
			`it must end after its start and after now, within 90 days; "code" is not a code of a finding; "node" is not a node of the cluster`,
		},
		{
			"about nothing", "POST", "/api/v1/silences", `{"cluster": "", "duration": "2h"}`, 400,
			`want one of "cluster", "node" and "code", or "all": true for everything`,
		},
		{
			"about everything and something", "POST", "/api/v1/silences", `{"cluster": "shop", "all": true, "duration": "2h"}`, 400,
			`"all" excludes "cluster", "node" and "code"`,
		},
		{
			"an essay", "POST", "/api/v1/silences", `{"cluster": "shop", "duration": "2h", "reason": "` + strings.Repeat("x", 60_000) + `", "author": "` + strings.Repeat("y", 100) + `"}`, 400,
			`"reason" has 60000 bytes, want at most 1000; "author" has 100 bytes, want at most 64`,
		},
		{
			"in the far future", "POST", "/api/v1/silences", `{"cluster": "shop", "from": "9999-01-01T00:00:00Z", "duration": "2h"}`, 400,
			`it must start within a year`,
		},
		{"nobody's incident", "POST", "/api/v1/incidents/nosuch/acknowledge", `{"note": "x"}`, 404, `open incident "nosuch": not found`},
		{"a long note", "POST", "/api/v1/incidents/nosuch/acknowledge", `{"note": "` + strings.Repeat("x", 400) + `"}`, 400, `"note" has 400 bytes, want at most 300`},
		{"no JSON", "POST", "/api/v1/silences", `cluster=shop`, 400, "reading the body: invalid character 'c' looking for beginning of value"},
		{"too large", "POST", "/api/v1/silences", `{"reason": "` + strings.Repeat("x", maxBody) + `"}`, 413, "the body must not be larger than 65536 bytes"},
		{"no such silence", "DELETE", "/api/v1/silences/x", "", 404, `silence "x": not found`},
		{"unnamed deployment", "POST", "/api/v1/deployments", `{"cluster": "shop"}`, 400, `want "cluster" and "name"`},
		{"a deployment of no node", "POST", "/api/v1/deployments", `{"cluster": "shop", "name": "4.2", "nodes": ["node9"]}`, 400, `"nodes" contains a name that is not a node of the cluster`},
		{"counts below nothing", "POST", "/api/v1/deployments/7/end", `{"sessions_lost": -1}`, 400, `"sessions_moved", "sessions_lost" and "longest_outage_ms" must not be negative, and an outage must not exceed the maximum duration of a deployment`},
		{"no such deployment", "POST", "/api/v1/deployments/7/end", "", 404, `ending deployment "7": not found`},
		{"control characters", "GET", "/api/v1/clusters/%1b%5b2J%e2%80%ae", "", 404, `cluster "[2J": not found`},
		{"probe of nothing", "GET", "/probe", "", 400, `"cluster" is missing`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := send(newFakeDaemon(healthyCluster("shop", 2)).server(t), test.method, test.path, test.body)
			want := problem{Title: http.StatusText(test.status), Status: test.status, Detail: test.detail}
			expect.Equal(t, "result", want, decoded[problem](t, w), cmpopts.IgnoreUnexported(problem{}))
			if w.Code != test.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("got status %d of type %q", w.Code, w.Header().Get("Content-Type"))
			}
			if test.status == 405 && w.Header().Get("Allow") == "" {
				t.Error("got no Allow header")
			}
		})
	}
}

// TestInternalErrorsAreHidden: the text of internal errors is not sent.
func TestInternalErrorsAreHidden(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	d.broken = errors.New("opening /var/lib/stickwatch.db: disk I/O error")
	for _, path := range []string{"/api/v1/incidents", "/api/v1/history?cluster=shop", "/api/v1/silences"} {
		got := send(d.server(t), "GET", path, "")
		if got.Code != http.StatusInternalServerError || strings.Contains(got.Body.String(), "stickwatch.db") {
			t.Errorf("%s: got %d %s", path, got.Code, got.Body)
		}
	}
}

func TestIncidents(t *testing.T) {
	d := newFakeDaemon(redisDown("shop"), nodeDown("portal", 3))
	for query, want := range map[string][]string{
		"":                                  {"20260314T115811000-shop", "20260314T114111000-portal", "20260314T080311000-portal-over"},
		"?cluster=portal":                   {"20260314T114111000-portal", "20260314T080311000-portal-over"},
		"?state=resolved":                   {"20260314T080311000-portal-over"},
		"?since=1h":                         {"20260314T115811000-shop", "20260314T114111000-portal"},
		"?until=2026-03-14T10:00:00Z":       {"20260314T080311000-portal-over"},
		"?since=7d&state=firing&limit=1":    {"20260314T115811000-shop"},
		"?cluster=shop&since=30m&until=10m": {},
	} {
		got := []string{}
		for _, i := range decoded[wireIncidents](t, send(d.server(t), "GET", "/api/v1/incidents"+query, "")).Incidents {
			got = append(got, i.ID)
		}
		expect.Equal(t, fmt.Sprintf("%q", query), want, got)
	}
	one := decoded[wire.Incident](t, send(d.server(t), "GET", "/api/v1/incidents/20260314T115811000-shop", ""))
	if one.Code != "dependency_down" || len(one.Findings) != 4 || one.Findings[3].ExplainedBy != "dependency_down/Redis Server" || one.DurationMS != 300_000 {
		t.Errorf("got %+v", one)
	}
}

func TestHistory(t *testing.T) {
	s := newFakeDaemon(nodeDown("portal", 3)).server(t)
	got := decoded[wireHistory](t, send(s, "GET", "/api/v1/history?cluster=portal&since=5h&target=node2&step=30m", ""))
	if len(got.Points) != 10 || got.StepMS != 1_800_000 || got.Points[0].At != "2026-03-14T07:03:11.000Z" {
		t.Errorf("got %d points a %d ms apart: %+v", len(got.Points), got.StepMS, got.Points)
	}
	if len(got.Uptimes) != 11 || got.Uptimes[0].Kind != "balancer" || got.Uptimes[0].Ratio != 0.9998 || got.Uptimes[0].LongestOutageMS != 12_000 {
		t.Errorf("got uptimes %+v", got.Uptimes)
	}
	sessions := wire.Uptime{Kind: checks.TargetSession, Target: "node3", Probes: 100_000, Failed: 1250, Ratio: 0.9875, LongestOutageMS: 12_000}
	expect.Equal(t, "uptime of sessions", sessions, got.Uptimes[10])
	if got := decoded[wireHistory](t, send(s, "GET", "/api/v1/history?cluster=portal&since=5h&target=node2&kind=session&step=30m", "")); len(got.Points) != 10 {
		t.Errorf("got %d points of sessions, want 10", len(got.Points))
	}
	want := wire.Move{At: "2026-03-14T11:41:11.000Z", From: "node2", To: "node1", Session: "s:3e23e816", Cause: "node2 did not answer"}
	if diff := cmp.Diff(want, got.Moves[0]); diff != "" || len(got.Moves) != 3 || len(got.Deployments) != 1 {
		t.Errorf("got %d moves and %d deployments (-want +got):\n%s", len(got.Moves), len(got.Deployments), diff)
	}
	if got := decoded[wireHistory](t, send(s, "GET", "/api/v1/history?cluster=portal", "")); got.Points != nil || got.Since != "2026-03-13T12:03:11.000Z" {
		t.Errorf("got %+v", got)
	}
}

// TestSilence: create, list and expire a silence.
func TestSilence(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	s := d.server(t)
	made := send(s, "POST", "/api/v1/silences", `{"cluster": "shop", "node": "node2", "code": "node_down", "reason": "kernel\u001b update", "duration": "2h"}`)
	silence := decoded[wire.Silence](t, made)
	want := wire.Silence{
		ID: silence.ID, Cluster: "shop", Node: "node2", Code: "node_down", Reason: "kernel update",
		From: "2026-03-14T12:03:11.000Z", To: "2026-03-14T14:03:11.000Z", Active: true,
	}
	if diff := cmp.Diff(want, silence); diff != "" || made.Code != http.StatusCreated || len(silence.ID) != 12 {
		t.Errorf("got status %d, id %q (-want +got):\n%s", made.Code, silence.ID, diff)
	}
	expect.Equal(t, "Location", "/api/v1/silences/"+silence.ID, made.Header().Get("Location"))
	if got := decoded[wireSilences](t, send(s, "GET", "/api/v1/silences", "")).Silences; len(got) != 1 || got[0] != silence {
		t.Errorf("got %+v", got)
	}
	if got := send(s, "DELETE", "/api/v1/silences/"+silence.ID, ""); got.Code != http.StatusNoContent {
		t.Errorf("got status %d", got.Code)
	}
	if got := decoded[wireSilences](t, send(s, "GET", "/api/v1/silences", "")).Silences; len(got) != 0 {
		t.Errorf("got %+v after its end", got)
	}
}

// TestSilenceOfEverything: it must be explicit.
func TestSilenceOfEverything(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	s := d.server(t)
	if got := send(s, "POST", "/api/v1/silences", `{"all": true, "duration": "2h"}`); got.Code != http.StatusCreated || len(d.allSilences()) != 1 {
		t.Errorf("got status %d: %s", got.Code, got.Body)
	}
	form := send(s, "POST", "/silences", "duration=1h", "Content-Type", "application/x-www-form-urlencoded")
	if form.Code != http.StatusBadRequest || len(d.allSilences()) != 1 {
		t.Errorf("got status %d of a form that is about nothing", form.Code)
	}
}

func TestDeployment(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	s := d.server(t)
	begun := decoded[wire.Deployment](t, send(s, "POST", "/api/v1/deployments", `{"cluster": "shop", "name": "11.4.2", "nodes": ["node2"]}`))
	want := wire.Deployment{ID: "1", Cluster: "shop", Name: "11.4.2", Nodes: []string{"node2"}, From: "2026-03-14T12:03:11.000Z"}
	expect.Equal(t, "result", want, begun)
	if got := send(s, "POST", "/api/v1/deployments/1/end", `{"sessions_moved": 12, "sessions_lost": 3, "longest_outage_ms": 3400}`); got.Code != http.StatusNoContent {
		t.Errorf("got status %d: %s", got.Code, got.Body)
	}
	expect.Equal(t, "counts", &alerting.WatchedCounts{Moved: 12, Lost: 3, Longest: 3400 * time.Millisecond}, d.watched)
	want.ID, want.To = "", want.From
	expect.Equal(t, "result", []wire.Deployment{want}, decoded[wireDeployments](t, send(s, "GET", "/api/v1/deployments?cluster=shop", "")).Deployments)
}

func TestParseTimestamp(t *testing.T) {
	for value, want := range map[string]time.Time{
		"24h":                       testTime.Add(-24 * time.Hour),
		"1h30m":                     testTime.Add(-90 * time.Minute),
		"7d":                        testTime.AddDate(0, 0, -7),
		"2w":                        testTime.AddDate(0, 0, -14),
		"2026-03-14T08:00:00+08:00": time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseTimestamp(value, testTime); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %s, %v, want %s", value, got, err, want)
		}
	}
	for _, value := range []string{"", "7", "d", "-7d", "0h", "-1h", "99999999d", "9999999h", "1.5d", "2026-03-14", "yesterday"} {
		if got, err := parseTimestamp(value, testTime); err == nil {
			t.Errorf("%q: got %s, want an error", value, got)
		}
	}
}

func FuzzParseTimestamp(f *testing.F) {
	for _, seed := range []string{"24h", "7d", "2026-03-14T08:00:00Z", "9223372036854775807d", "1e9h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d, err := parseDuration(value); err == nil && (d <= 0 || d > maxDuration) {
			t.Errorf("%q is %s", value, d)
		}
		_, _ = parseTimestamp(value, testTime)
	})
}

// TestSilenceOfView: incidents are those of a cluster, so that a silence or a deployment of what one of its
// sites sees is refused, and the page of that offers to silence the cluster.
func TestSilenceOfView(t *testing.T) {
	view := healthyCluster("shop", 2)
	view.Cluster = view.Cluster.From("x")
	s := newFakeDaemon(view).server(t)
	const want = `"cluster" is what one site sees of "shop": name that cluster`
	for path, body := range map[string]string{
		"/api/v1/silences":    `{"cluster": "shop@x", "duration": "2h"}`,
		"/api/v1/deployments": `{"cluster": "shop@x", "name": "4.2"}`,
	} {
		w := send(s, "POST", path, body)
		if got := decoded[problem](t, w).Detail; w.Code != 400 || got != want {
			t.Errorf("got %d %q of %s, want %q", w.Code, got, path, want)
		}
	}
	if page := send(s, "GET", "/clusters/shop@x", "").Body.String(); !strings.Contains(page, `name="cluster" value="shop"`) {
		t.Error("the page of a view does not offer to silence its cluster")
	}
}
