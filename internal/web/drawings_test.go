package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

var sixHours = spanUntil(testTime, 6*time.Hour)

// at returns a point of a bucket in which some of ten probes failed.
func at(bucket, failed int, mean time.Duration) checks.Point {
	return checks.Point{At: sixHours.From.Add(time.Duration(bucket) * bucketWidth(sixHours)), Probes: 10, Failed: failed, Mean: mean, Max: 2 * mean}
}

func TestUptimeBar(t *testing.T) {
	for _, test := range []struct {
		name   string
		points []checks.Point
		want   uptimeBar
	}{
		{"nothing", nil, uptimeBar{Buckets: barBuckets, Label: "nothing known"}},
		{"outside", []checks.Point{at(-1, 0, 1), at(barBuckets, 0, 1)}, uptimeBar{Buckets: barBuckets, Label: "nothing known"}},
		{"well of late", []checks.Point{at(70, 0, 1), at(71, 0, 1)}, uptimeBar{Buckets: barBuckets, Paths: []barPath{{toneOK, "M70 6.5h2"}}, Label: "no failures"}},
		{"ups and downs", []checks.Point{at(0, 0, 1), at(1, 4, 1), at(2, 5, 1), at(3, 10, 0), at(4, 0, 1), at(6, 10, 0)}, uptimeBar{
			Buckets: barBuckets,
			Paths:   []barPath{{toneOK, "M0 6.5h1M4 6.5h1"}, {toneWarning, "M1 5h1"}, {toneCritical, "M2 4h2M6 4h1"}},
			Label:   "failing at times 06:10 to 06:15, failing 06:15 to 06:25, failing 06:35 to 06:40",
		}},
		{"more than a label takes", []checks.Point{at(1, 9, 1), at(3, 9, 1), at(5, 9, 1), at(7, 9, 1), at(9, 9, 1)}, uptimeBar{
			Buckets: barBuckets, Paths: []barPath{{toneCritical, "M1 4h1M3 4h1M5 4h1M7 4h1M9 4h1"}},
			Label: "failing 06:30 to 06:35, failing 06:40 to 06:45, failing 06:50 to 06:55, and 2 more",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect.Equal(t, "result", test.want, seenInEnglish.hours(sixHours, test.points))
		})
	}
	var all []checks.Point
	for i := range barBuckets {
		all = append(all, at(i, 0, 1))
	}
	if !seenInEnglish.hours(sixHours, all).AllGood {
		t.Error("six good hours are not calm")
	}
	if got := seenInEnglish.hours(sixHours, all, []checks.Point{at(9, 8, 1)}); got.AllGood || got.Label != "failing 06:50 to 06:55" {
		t.Errorf("a node that answers while its sessions get lost: got %+v", got)
	}
}

func TestCalendar(t *testing.T) {
	day := func(probes int, ratio float64) checks.Uptime {
		return checks.Uptime{Span: checks.Span{From: testTime}, Probes: probes, Ratio: ratio}
	}
	whole := checks.Uptime{Target: checks.Target{Kind: checks.TargetBalancer, Name: "http://lb:8088 10.0.0.9:8088"}, Probes: 40, Ratio: 0.975}
	got := seenInEnglish.calendar([]checks.Uptime{day(0, 0), day(10, 1), day(10, 0.9991), day(10, 0.995), day(10, 0.9)}, whole)
	want := calendar{
		uptimeBar: uptimeBar{
			Buckets: 5, Paths: []barPath{{toneOK, "M1 6.5h2"}, {toneWarning, "M3 5h1"}, {toneCritical, "M4 4h1"}},
			Label: "97.50\u00a0% in 5 days; worst: 2026-03-14 with 90.00\u00a0%",
		},
		Name: "http://lb:8088", Kind: "balancer", Percent: "97.50\u00a0%",
	}
	expect.Equal(t, "result", want, got, cmp.AllowUnexported(calendar{}))
	if got := seenInEnglish.calendar(nil, checks.Uptime{}); got.Percent != "–" || got.Buckets != 1 {
		t.Errorf("of nothing got %+v", got)
	}
}

func TestCurve(t *testing.T) {
	points := []checks.Point{at(0, 0, time.Millisecond), at(1, 0, 2*time.Millisecond), at(2, 10, 0), at(3, 0, 20*time.Millisecond), at(5, 0, time.Millisecond)}
	if got, want := linePath(points, sixHours, 10*time.Millisecond), "M0 90h0L1 80M3 0h0M5 90h0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := areaPath(points[:2], sixHours, 10*time.Millisecond), "M0 100V80h1V100zM1 100V60h1V100z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for slowest, want := range map[time.Duration]time.Duration{
		0: time.Millisecond, 800 * time.Microsecond: time.Millisecond, time.Millisecond: 2 * time.Millisecond,
		30 * time.Millisecond: 50 * time.Millisecond, 4 * time.Second: 5 * time.Second,
	} {
		h := &clusterHistory{points: map[checks.Target][]checks.Point{{}: {at(0, 0, slowest)}}}
		if got := scaleMax(h); got != want {
			t.Errorf("with %s the top is %s, want %s", slowest, got, want)
		}
	}
}

// TestMovesOfUnknownNodes: a move from or to an unknown node is listed, but not drawn.
func TestMovesOfUnknownNodes(t *testing.T) {
	c := healthyCluster("shop", 3)
	h := &clusterHistory{span: sixHours, moves: []checks.Move{
		{At: sixHours.From.Add(3 * time.Hour), From: "node3", To: "node1", Kept: true},
		{At: sixHours.From.Add(4 * time.Hour), From: "node1", To: `"stranger"`},
		{At: sixHours.From.Add(5 * time.Hour), From: "node2", To: "node2"},
	}, deployments: []checks.Deployment{{Name: "1.1", Span: checks.Span{From: sixHours.From.Add(-time.Hour)}}}}
	got := seenInEnglish.nodeTimeline(c.Snapshot, h)
	if got.Kept != "M500 93V13" || got.KeptTo != "M500 13h0" || got.Lost != "" || len(got.Moves) != 3 || got.Height != 120 {
		t.Errorf("got %+v", got)
	}
	expect.Equal(t, "bands", []deploymentBand{{X: 0, Width: drawingWidth, Name: "1.1"}}, got.Bands)
	expect.Equal(t, "ticks", []string{"06:05", "07:35", "09:05", "10:35", "12:05"}, got.Ticks)
}

// TestUndrawnMoves: a timeline that shows only the newest moves says so.
func TestUndrawnMoves(t *testing.T) {
	for moves, more := range map[int]bool{maxPageMoves: false, maxPageMoves + 1: true} {
		d := newFakeDaemon(healthyCluster("shop", 3))
		for i := range moves {
			d.fakeClusters[0].moves = append(d.fakeClusters[0].moves, checks.Move{At: testTime.Add(-time.Duration(i+1) * time.Second), From: "node1", To: "node2"})
		}
		body := getPage(d.server(t), "/clusters/shop").Body.String()
		if strings.Contains(body, "more than 200") != more || strings.Contains(body, "Earlier than 11:59 there are more") != more {
			t.Errorf("%d moves: the page says there are more: want %t", moves, more)
		}
	}
}

// TestTree: causes come first, for any explanations.
func TestTree(t *testing.T) {
	member := func(code checks.Code, node, cause string) alerting.Member {
		return alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: checks.Finding{Code: code, Node: node, ExplainedBy: cause}}}
	}
	var formatted func(branches []findingNode) string
	formatted = func(branches []findingNode) (s string) {
		for _, b := range branches {
			s += b.Code
			if len(b.Children) > 0 {
				s += "(" + formatted(b.Children) + ")"
			}
			s += " "
		}
		return s
	}
	for _, test := range []struct {
		name    string
		members []alerting.Member
		want    string
	}{
		{"none", nil, ""},
		{"effects of effects", []alerting.Member{
			member("slow", "a", "node_paused/a"), member("node_paused", "a", "dependency_down"), member("dependency_down", "", ""), member("blind_spot", "", ""),
		}, "dependency_down(node_paused(slow ) ) blind_spot "},
		{"a cause that is not there", []alerting.Member{member("slow", "a", "node_down/a")}, "slow "},
		{"a circle", []alerting.Member{member("slow", "a", "node_down/a"), member("node_down", "a", "slow/a")}, "slow(node_down ) "},
		{"its own cause", []alerting.Member{member("slow", "", "slow")}, "slow "},
		{"one key twice", []alerting.Member{member("slow", "", ""), member("slow", "", ""), member("blind_spot", "", "slow")}, "slow(blind_spot ) slow "},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := formatted(seenInEnglish.tree(test.members)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// manyClusters has 20 clusters of 10 nodes, some with problems.
func manyClusters() *fakeDaemon {
	var fakeClusters []*fakeCluster
	for i := range 20 {
		name := fmt.Sprintf("cluster-%02d", i+1)
		if i%10 == 3 {
			fakeClusters = append(fakeClusters, nodeDown(name, 10))
		} else {
			fakeClusters = append(fakeClusters, healthyCluster(name, 10))
		}
	}
	return newFakeDaemon(fakeClusters...)
}

// allFailing has problems in every cluster.
func allFailing() *fakeDaemon {
	var fakeClusters []*fakeCluster
	for i := range 20 {
		fakeClusters = append(fakeClusters, nodeDown(fmt.Sprintf("cluster-%02d", i+1), 10))
	}
	return newFakeDaemon(fakeClusters...)
}

// transferSize returns the uncompressed size of a page with its stylesheet, script and icon.
func transferSize(t *testing.T, s *Server, path string) int {
	t.Helper()
	page := getPage(s, path)
	if page.Code != http.StatusOK {
		t.Fatalf("%s: got status %d", path, page.Code)
	}
	total := page.Body.Len()
	for _, file := range []string{"style.css", "page.js", "icon-bd.svg"} {
		content, err := fs.ReadFile(staticFiles, "static/"+file)
		must.Succeed(t, err)
		total += len(content)
	}
	return total
}

// getPage gets a path as a browser on the same machine.
func getPage(s *Server, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r = r.WithContext(asAdmin(r.Context())) // authorized requests see everything
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestPagesAreLight: a page has at most 100 KB without compression.
func TestPagesAreLight(t *testing.T) {
	unprobed := manyClusters()
	unprobed.born = testTime.Add(-time.Hour)
	for name, d := range map[string]*fakeDaemon{"as a rule": manyClusters(), "in a disaster": allFailing(), "an hour after its start": unprobed} {
		s := d.server(t)
		for _, path := range []string{"/", "/?lang=zh", "/clusters/cluster-04"} {
			const most = 100_000
			if got := transferSize(t, s, path); got > most {
				t.Errorf("%s, %s weighs %d bytes, want %d at most", path, name, got, most)
			} else {
				t.Logf("%s, %s: %d bytes", path, name, got)
			}
		}
	}
}

// TestHundredsOfClustersAreLight: an overview of 300 clusters takes at most 150 KB compressed.
func TestHundredsOfClustersAreLight(t *testing.T) {
	var all []*fakeCluster
	for i := range 300 {
		name := fmt.Sprintf("a-rather-long-name-of-a-cluster-%03d", i)
		switch i % 3 {
		case 0:
			all = append(all, healthyCluster(name, 4))
		case 1:
			all = append(all, nodeDown(name, 4))
		default:
			all = append(all, redisDown(name))
		}
	}
	body := getPage(newFakeDaemon(all...).server(t), "/").Body.Bytes()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	if compressed.Len() > 150_000 {
		t.Errorf("300 clusters take %d bytes compressed, want 150000 at most", compressed.Len())
	}
	t.Logf("%d bytes, compressed %d", len(body), compressed.Len())
}

// BenchmarkHundredsOfClusters renders 300 clusters of 10 nodes.
func BenchmarkHundredsOfClusters(b *testing.B) {
	var all []*fakeCluster
	for i := range 300 {
		all = append(all, healthyCluster(fmt.Sprintf("cluster-%03d", i), 10))
	}
	s := newFakeDaemon(all...).server(b)
	for b.Loop() {
		if w := getPage(s, "/"); w.Code != http.StatusOK {
			b.Fatalf("got status %d", w.Code)
		}
	}
}

// BenchmarkOverview renders 20 clusters of 10 nodes with a cached history, which is the usual
// case.
func BenchmarkOverview(b *testing.B) {
	benchmarkPage(b, "/", time.Hour)
}

// BenchmarkOverviewForgetful reads the (generated) history for each page.
func BenchmarkOverviewForgetful(b *testing.B) {
	benchmarkPage(b, "/", time.Nanosecond)
}

// BenchmarkCluster renders the page of a cluster of ten nodes.
func BenchmarkCluster(b *testing.B) {
	benchmarkPage(b, "/clusters/cluster-04", time.Hour)
}

func benchmarkPage(b *testing.B, path string, cacheFor time.Duration) {
	s := manyClusters().server(b, func(c *Config) { c.CacheFor = cacheFor })
	for b.Loop() {
		if w := getPage(s, path); w.Code != http.StatusOK {
			b.Fatalf("got status %d", w.Code)
		}
	}
}

// TestSpansBeginAtABucketOfTheHistory: drawings and points have the same buckets.
func TestSpansBeginAtABucketOfTheHistory(t *testing.T) {
	lengths := slices.Clone(windows)
	for _, one := range pageRanges {
		lengths = append(lengths, one.span)
	}
	for _, length := range lengths {
		span := spanUntil(testTime, length)
		if width := bucketWidth(span); span.From.UnixMilli()%width.Milliseconds() != 0 || testTime.Before(span.To.Add(-width)) || !testTime.Before(span.To) {
			t.Errorf("%s: %s to %s are not whole buckets of %s up to %s", length, span.From, span.To, width, testTime)
		}
	}
}

// TestWindows: uptime bars show six hours, or a shorter window for new clusters, with at least
// one probe in each bucket.
func TestWindows(t *testing.T) {
	for _, test := range []struct {
		name   string
		age    time.Duration
		probes int // for each point
		want   time.Duration
	}{
		{"old", 24 * time.Hour, 20, 6 * time.Hour},
		{"of three hours", 3 * time.Hour, 20, 6 * time.Hour},
		{"of an hour", time.Hour, 20, 2 * time.Hour},
		{"of twenty minutes", 20 * time.Minute, 20, 30 * time.Minute},
		{"of a minute", time.Minute, 20, 6 * time.Minute},
		{"of a minute, with rare probes", time.Minute, 2, 6 * time.Hour},
		{"of a minute, with few probes", time.Minute, 4, 30 * time.Minute},
		{"never probed", -time.Hour, 20, 6 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newFakeDaemon(healthyCluster("shop", 2))
			d.born, d.often = testTime.Add(-test.age), test.probes
			r := newHistoryReader(t.Context(), d, "shop", testTime)
			r.nodes(d.fakeClusters[0].Snapshot)
			if got := r.span.To.Sub(r.span.From); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if !r.span.To.After(testTime) || r.span.To.Sub(testTime) > bucketWidth(r.span) {
				t.Errorf("got a span until %s, want one whose last slot goes on", r.span.To)
			}
		})
	}
}

func TestWindowInWords(t *testing.T) {
	for window, want := range map[time.Duration]string{6 * time.Hour: "Last 6 hours", 6 * time.Minute: "Last 6 minutes"} {
		if got := seenInEnglish.window(spanUntil(testTime, window)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := seenInEnglish.ticks(spanUntil(testTime, 30*time.Minute)); got[1] != "11:40:50" {
		t.Errorf("got ticks %q", got)
	}
}

// TestTicks: labels of the time axis are as exact as the buckets of the chart.
func TestTicks(t *testing.T) {
	v := viewContext{formatter: formatter{zone: time.UTC}}
	for length, want := range map[time.Duration]string{
		6 * time.Minute: "12:03:15", time.Hour: "12:03", 24 * time.Hour: "12:20", 7 * 24 * time.Hour: "03-14 14:00", 90 * 24 * time.Hour: "03-15",
	} {
		if ticks := v.ticks(spanUntil(testTime, length)); ticks[len(ticks)-1] != want {
			t.Errorf("%s ends with %q, want %q", length, ticks[len(ticks)-1], want)
		}
	}
}
