package web

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// everyKindOfCluster returns a daemon with clusters of every kind.
func everyKindOfCluster() *fakeDaemon {
	return newFakeDaemon(redisDown("shop"), nodeDown("portal", 4), ejected("docs"), healthyCluster("billing", 3), unprobed("intranet"), hostile("evil"))
}

// everyPage returns the paths of all pages.
func everyPage(d *fakeDaemon) []string {
	pages := []string{"/", "/incidents", "/nowhere"}
	for _, c := range d.fakeClusters {
		pages = append(pages, "/clusters/"+c.Cluster.Name)
		for _, i := range c.incidents {
			pages = append(pages, "/incidents/"+i.ID)
		}
	}
	return pages
}

func TestPages(t *testing.T) {
	d := everyKindOfCluster()
	s := d.server(t)
	for _, test := range []struct {
		path   string
		status int
		has    []string
	}{
		{"/", 200, []string{
			"<title>3 of 6 clusters are failing: shop: Dependency down, Redis Server (3 nodes); portal: ", `<h1 class="m bd">`,
			"Redis Server is down; node1, node2 and node3 say so", "Bring Redis Server back", "Evidence, and 3 consequences",
			`<td class="bd">in, failing`, `<td class="wn">moved`, "no round has been taken yet", `aria-label="failing 08:00 to 08:20, failing 11:40 to 12:05"`,
		}},
		{"/clusters/portal", 200, []string{
			`<h1 class="m bd">portal is failing: `, `<path class="lost" d="M933 53V13"/>`, `<path class="kept dot"`, "<title>11.4.1</title>",
			"node2 did not answer", "99.98", `<span class="meta">about 1 of 3 clients (12 observed)</span></p>`, "Uptime of 90 days", `action="/clusters/portal/probe"`,
		}},
		{"/incidents/20260314T115811000-shop", 200, []string{"Cause and consequences", "This explains:", "ongoing", "What happened"}},
		{"/incidents/20260314T114111000-portal", 200, []string{"<dt>Affected</dt><dd>about 1 of 3 clients (12 observed)</dd>"}},
		{"/incidents/20260314T114111000-portal?lang=zh", 200, []string{"<dt>影响范围</dt><dd>约 1/3 的客户端（观察了 12 个）</dd>"}},
		{"/incidents/20260314T080311000-portal-over", 200, []string{"08:18:11", "15 min", "over since"}},
		{"/incidents?cluster=portal", 200, []string{"Incidents · portal", "20260314T080311000-portal-over"}},
		{"/incidents?clutser=portal", 400, []string{"&#34;clutser&#34; is unknown"}},
		{"/clusters/ship", 404, []string{"Not Found", "cluster &#34;ship&#34;: not found"}},
		{"/nowhere", 404, []string{"there is no page /nowhere"}},
		{"/?lang=zh", 200, []string{`<html lang="zh">`, "3 个集群故障（共 6 个）", "处理建议", "直接访问", `href="/?lang=en"`}},
		{"/clusters/portal?lang=zh", 200, []string{"portal 故障", "节点不可用", "会话转移"}},
	} {
		t.Run(test.path, func(t *testing.T) {
			got := getPage(s, test.path)
			expect.Equal(t, "status", test.status, got.Code)
			for _, want := range test.has {
				if !strings.Contains(got.Body.String(), want) {
					t.Errorf("it lacks %q", want)
				}
			}
		})
	}
}

// TestAffectedOnlyWhereEstimated: a page without estimates does not mention them.
func TestAffectedOnlyWhereEstimated(t *testing.T) {
	d := newFakeDaemon(redisDown("shop"))
	for _, path := range everyPage(d) {
		for _, language := range []string{"?lang=en", "?lang=zh"} {
			body := getPage(d.server(t), path+language).Body.String()
			for _, words := range []string{"Affected", "observed", "影响范围", "的客户端"} {
				if strings.Contains(body, words) {
					t.Errorf("%s has %q, and nothing is estimated", path+language, words)
				}
			}
		}
	}
}

// TestHostileTextsAreShown: hostile texts are escaped, sanitized and cut.
func TestHostileTextsAreShown(t *testing.T) {
	d := everyKindOfCluster()
	s := d.server(t)
	for _, path := range everyPage(d) {
		body := getPage(s, path).Body.String()
		for _, bad := range []string{"<script>alert", "<img", "onerror=\"", "{{.}}{{", "xxxxxxxx"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
		if i := strings.IndexFunc(body, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }); i >= 0 {
			t.Errorf("%s has %q", path, body[i:min(len(body), i+20)])
		}
	}
	if got := getPage(s, "/clusters/evil").Body.Len(); got > 40_000 {
		t.Errorf("the page of an evil cluster is %d bytes", got)
	}
}

// TestPagesAreSecured: the content security policy is strict, and pages comply with it.
func TestPagesAreSecured(t *testing.T) {
	d := everyKindOfCluster()
	s := d.server(t)
	inline := regexp.MustCompile(`(?i)<style|<script(?: defer)?>|\sstyle=|\son[a-z]+="|javascript:|https?://[^1][^"<]*"\s*(?:src|href)`)
	for _, path := range everyPage(d) {
		got := getPage(s, path)
		if csp := got.Header().Get("Content-Security-Policy"); csp != policy || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: got policy %q", path, csp)
		}
		if found := inline.FindString(got.Body.String()); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
}

// TestUnauthorizedClientsGetNoButtons: unauthorized clients get no buttons and forms, but an
// explanation.
func TestUnauthorizedClientsGetNoButtons(t *testing.T) {
	d := everyKindOfCluster()
	s := d.server(t)
	for _, path := range everyPage(d) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = "127.0.0.1:50000"
		got := httptest.NewRecorder()
		s.ServeHTTP(got, r)
		if !strings.Contains(got.Body.String(), "stickwatch token") {
			t.Errorf("%s does not say what to do", path)
		}
		if strings.Contains(got.Body.String(), `method="post"`) {
			t.Errorf("%s has a form", path)
		}
	}
	if !strings.Contains(getPage(s, "/").Body.String(), `method="post"`) {
		t.Error("there is no form for who may write either")
	}
}

// TestBrokenHistory: without a history, pages still show the current state.
func TestBrokenHistory(t *testing.T) {
	d := everyKindOfCluster()
	d.broken = errors.New("disk I/O error")
	s := d.server(t)
	for _, path := range []string{"/", "/clusters/shop"} {
		got := getPage(s, path)
		for _, want := range []string{"The history cannot be read", "paused", "Redis Server is down"} {
			if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), want) {
				t.Errorf("%s: got %d, it lacks %q", path, got.Code, want)
			}
		}
	}
	if got := getPage(s, "/incidents"); got.Code != http.StatusInternalServerError || strings.Contains(got.Body.String(), "disk") {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
}

// TestManyClusters: many clusters are a table, which can be searched and filtered; few are shown
// in full.
func TestManyClusters(t *testing.T) {
	many := slices.Concat(manyClusters().fakeClusters, []*fakeCluster{redisDown("shop"), unprobed("intranet")})
	s := newFakeDaemon(many...).server(t)
	for _, test := range []struct {
		path string
		want []string // names of the rows
	}{
		{"/?q=SHO", []string{"shop"}},
		{"/?q=+shop%0A", []string{"shop"}}, // pasted
		{"/?state=failing", []string{"cluster-04", "cluster-14", "shop"}},
		{"/?state=inconclusive", []string{"intranet"}},
		{"/?state=failing&q=cluster", []string{"cluster-04", "cluster-14"}},
		{"/?q=%3Cscript%3E", nil},
	} {
		var rows []string
		for _, row := range strings.Split(getPage(s, test.path).Body.String(), `<th scope=row><a href="/clusters/`)[1:] {
			name, _, _ := strings.Cut(row, `"`)
			rows = append(rows, name)
		}
		slices.Sort(rows)
		expect.Equal(t, test.path, test.want, rows)
	}
	body := getPage(s, "/").Body.String()
	for _, want := range []string{`<a href="/?state=failing">failing 3</a>`, `<a href="/" aria-current="true">all 22</a>`, "Dependency down, Redis Server (3 nodes)"} {
		if !strings.Contains(body, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if i, j := strings.Index(body, `/clusters/intranet">`), strings.Index(body, `/clusters/cluster-01">`); i > j {
		t.Error("a healthy cluster comes before one that cannot be judged")
	}
	few := getPage(newFakeDaemon(healthyCluster("a", 1), healthyCluster("b", 1)).server(t), "/").Body.String()
	if strings.Contains(few, `id="filter"`) || !strings.Contains(few, `id="c-a"`) {
		t.Error("two clusters are not shown in full")
	}
}

// TestCauseCountsNodes: the headline does not name one node if several fail alike.
func TestCauseCountsNodes(t *testing.T) {
	all := nodeDown("shop", 2)
	other := all.Report.Findings[0] // the dead node
	other.Node, other.Nodes = "node1", []string{"node1"}
	all.Report.Findings = append(all.Report.Findings, other)
	if body := getPage(newFakeDaemon(all).server(t), "/").Body.String(); !strings.Contains(body, "Node down (2 nodes)") {
		t.Error(body)
	}
}

// TestCauseOfBalancerNamesNoNode: chance decides which nodes show in a round that a balancer moves clients.
func TestCauseOfBalancerNamesNoNode(t *testing.T) {
	drifting := nodeDown("shop", 2)
	drifting.Report.Findings = []checks.Finding{{Code: checks.SessionDrift, Severity: checks.Critical, Node: "node2", Nodes: []string{"node2"}}}
	body := getPage(newFakeDaemon(drifting).server(t), "/clusters/shop").Body.String()
	if !strings.Contains(body, "shop is failing: Session drift</h1>") || !strings.Contains(body, "<title>shop is failing: Session drift ·") {
		t.Error(body)
	}
}

// TestHeadlineOfManyNamesTheWorst: the headline of many failing clusters has the causes of the worst, and how many more there are.
func TestHeadlineOfManyNamesTheWorst(t *testing.T) {
	var all []*fakeCluster
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		all = append(all, redisDown(name))
	}
	body := getPage(newFakeDaemon(all...).server(t), "/").Body.String()
	if want := "6 of 6 clusters are failing: a: Dependency down, Redis Server (3 nodes); b: "; strings.Count(body, want) != 2 || !strings.Contains(body, "; 2 more · stickwatch</title>") {
		t.Error(body)
	}
}

// TestHeadlineNamesCauseBelowWarning: a cause that needs no attention itself is named if what
// follows from it does.
func TestHeadlineNamesCauseBelowWarning(t *testing.T) {
	all := nodeDown("shop", 2)
	cause := all.Report.Findings[0]
	cause.Severity = checks.Info
	lost := checks.Finding{Code: checks.SessionLost, Severity: checks.Critical, ExplainedBy: cause.Key()}
	other := checks.Finding{Code: checks.VersionSkew, Severity: checks.Info}
	all.Report.Findings = []checks.Finding{lost, other, cause}
	if body := getPage(newFakeDaemon(all).server(t), "/").Body.String(); !strings.Contains(body, "shop is failing: Node down, node2") {
		t.Error(body)
	}
}

// TestReportKeepsTarget: the links of a report lead to reports with the same target.
func TestReportKeepsTarget(t *testing.T) {
	s := newFakeDaemon(healthyCluster("a", 1)).server(t)
	for path, links := range map[string]int{"/report": 0, "/report?target_percent=99.5": listedMonths + 3} { // the CSV, the JSON, the other language
		if n := strings.Count(getPage(s, path).Body.String(), `&amp;target_percent=99.5"`); n != links {
			t.Errorf("%s: %d links have the target, want %d", path, n, links)
		}
	}
}

// A slowHistory reads uptimes for longer than a page of the current state waits.
type slowHistory struct{ History }

func (h slowHistory) Uptimes(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Uptime, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(2 * historyTimeout):
		return h.History.Uptimes(ctx, cluster, span, kinds...)
	}
}

// TestReportOfManyClusters: reading the month of hundreds of clusters takes longer than other pages may.
func TestReportOfManyClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeDaemon(healthyCluster("shop", 1)).server(t, func(c *Config) { c.History = slowHistory{c.History} })
		if got := getPage(s, "/report"); got.Code != http.StatusOK {
			t.Errorf("got %d", got.Code)
		}
	})
}

// TestReportAsCSV: the sheet of a month can be opened in a spreadsheet, in the language of the page.
func TestReportAsCSV(t *testing.T) {
	got := getPage(newFakeDaemon(healthyCluster("shop", 1)).server(t), "/report.csv?month=2026-03&lang=zh")
	if kind, name := got.Header().Get("Content-Type"), got.Header().Get("Content-Disposition"); kind != "text/csv; charset=utf-8" || name != `attachment; filename="report-2026-03.csv"` {
		t.Errorf("got %s, %s", kind, name)
	}
	if body := got.Body.String(); !strings.Contains(body, "2026-03 可用性报告") || !strings.Contains(body, "\nshop,") {
		t.Error(body)
	}
	if got := getPage(newFakeDaemon(healthyCluster("shop", 1)).server(t), "/report.csv?month=2027-01"); got.Code != http.StatusBadRequest {
		t.Errorf("a month to come: got %d", got.Code)
	}
}

func TestForms(t *testing.T) {
	d := everyKindOfCluster()
	s := d.server(t)
	post := func(path string, form url.Values) *httptest.ResponseRecorder {
		return send(s, "POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
	got := post("/silences", url.Values{"cluster": {"shop"}, "node": {""}, "code": {"dependency_down"}, "duration": {"4h"}, "reason": {"moving Redis"}})
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/clusters/shop" || len(d.silences) != 1 || d.silences[0].Reason != "moving Redis" {
		t.Fatalf("got %d to %q, silences %+v", got.Code, got.Header().Get("Location"), d.silences)
	}
	if body := getPage(s, "/").Body.String(); !strings.Contains(body, "shop · Dependency down") || !strings.Contains(body, "16:03:11") {
		t.Error("the overview lacks the silence")
	}
	if got := post("/silences/"+d.silences[0].ID+"/expire", nil); got.Code != http.StatusSeeOther || d.silences[0].Active(testTime) {
		t.Errorf("got %d, silence %+v", got.Code, d.silences[0])
	}
	if got := post("/clusters/shop/probe", nil); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/clusters/shop" {
		t.Errorf("got %d", got.Code)
	}
	expect.Equal(t, "probed", []string{"shop"}, d.probed)
	if got := post("/silences", url.Values{"cluster": {"ship"}, "duration": {"4h"}}); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "<h1>Bad Request</h1>") {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
}

func TestLanguages(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 1)).server(t)
	for _, test := range []struct{ query, cookie, accept, want string }{
		{"", "", "", "en"},
		{"", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"},
		{"", "", "de-DE, zh-TW", "zh"},
		{"", "", "en-US,zh", "en"},
		{"", "zh", "en", "zh"},
		{"?lang=en", "zh", "zh", "en"},
		{"?lang=xx", "", "zh", "zh"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/"+test.query, nil)
		r.Header.Set("Accept-Language", test.accept)
		if test.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "lang", Value: test.cookie})
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Language"); got != test.want {
			t.Errorf("%+v: got %q", test, got)
		}
		if chosen := strings.Contains(test.query, "en"); chosen != (w.Header().Get("Set-Cookie") != "") {
			t.Errorf("%+v: got cookie %q", test, w.Header().Get("Set-Cookie"))
		}
	}
}

func TestCompression(t *testing.T) {
	s := manyClusters().server(t)
	plain := getPage(s, "/").Body.String()
	for accept, want := range map[string]bool{"gzip, br": true, "br;q=1.0, gzip;q=0.8": true, "gzip;q=0": false, "gzip;q=0.000": false, "br": false, "": false} {
		w := send(s, "GET", "/", "", "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: got compressed %t", accept, got)
			continue
		}
		body := w.Body.String()
		if want {
			z, err := gzip.NewReader(w.Body)
			must.Succeed(t, err)
			whole, err := io.ReadAll(z)
			must.Succeed(t, err)
			body = string(whole)
		}
		if body != plain {
			t.Errorf("%q: got another page of %d bytes, want %d", accept, len(body), len(plain))
		}
	}
}

func TestStatic(t *testing.T) {
	s := newFakeDaemon().server(t)
	for file, link := range assetLinks {
		w := getPage(s, link)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: got %d %v", file, w.Code, w.Header())
		}
	}
	if w := getPage(s, "/static/..%2fstatic.go"); w.Code != http.StatusNotFound {
		t.Errorf("got %d", w.Code)
	}
}

// TestOverviewLatencies: the overview has percentiles of the balancers of all clusters for the selected span, read at
// once; a table has them only if a span is selected.
func TestOverviewLatencies(t *testing.T) {
	few := newFakeDaemon(healthyCluster("a", 1), healthyCluster("b", 1))
	var many []*fakeCluster
	for i := range 20 {
		many = append(many, healthyCluster(fmt.Sprintf("c%02d", i), 1))
	}
	const cells = "<td class=past>1.7\u00a0ms<td class=num>6.3\u00a0ms<td class=past>1.3\u00a0s"
	table := newFakeDaemon(many...)
	for _, test := range []struct {
		daemon *fakeDaemon
		path   string
		want   string
		times  int
		reads  int
	}{
		{few, "/", "<dt>Latency, 6 h</dt><dd>p50\u00a01.7\u00a0ms · p95\u00a06.3\u00a0ms · p99\u00a01.3\u00a0s</dd>", 2, 1},
		{few, "/?range=90d", "<dt>Latency, 90 d</dt>", 2, 1},
		{few, "/?range=1h", `<a href="/?range=1h" aria-current="true">1 h</a>`, 1, 1},
		{few, "/?range=1h&lang=zh", "<dt>延迟（1 小时）</dt>", 2, 1},
		{table, "/", "p95", 0, 0},
		{table, "/", `<a href="/" aria-current="true">not shown</a>`, 1, 0},
		{table, "/?range=24h", cells, 20, 1},
		{table, "/?range=24h&q=c1&state=healthy", `<a href="/?q=c1&amp;range=7d&amp;state=healthy">7 d</a>`, 1, 1},
		{table, "/?range=24h&q=c1&state=healthy", `<a href="/?q=c1&amp;range=24h">all 10</a>`, 1, 1},
		{table, "/?range=24h&q=c1", `<input type="hidden" name="range" value="24h">`, 1, 1},
		{table, "/?range=nonsense", "p95", 0, 0},
	} {
		test.daemon.latencyReads = 0
		body := getPage(test.daemon.server(t), test.path).Body.String()
		if got := strings.Count(body, test.want); got != test.times || test.daemon.latencyReads != test.reads {
			t.Errorf("%s: got %d times %q after %d reads, want %d after %d\n%s", test.path, got, test.want, test.daemon.latencyReads, test.times, test.reads, body)
		}
	}
}

func TestClusterTableBoundsTheQuery(t *testing.T) {
	table := seenInEnglish.clusterTable(nil, url.Values{"q": {strings.Repeat("集群", maxQuery)}}, nil)
	if !utf8.ValidString(table.Query) || len(table.Query) > maxQuery || table.Query == "" {
		t.Errorf("got %q of %d bytes, want valid UTF-8 of at most %d", table.Query, len(table.Query), maxQuery)
	}
}
