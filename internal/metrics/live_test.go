package metrics

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func TestLiveIsClean(t *testing.T) {
	problems, err := testutil.GatherAndLint(fixture().registry)
	must.Succeed(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestObserveReplaces: removed items have no series, and other clusters keep theirs.
func TestObserveReplaces(t *testing.T) {
	l := fixture()
	healthy := reports()[0]
	healthy.Findings, healthy.Nodes, healthy.Verdict = nil, healthy.Nodes[:1], checks.Healthy
	l.Observe(healthy)
	got := exposition(t, metricFamilies(t, l))
	for _, gone := range []string{"stickwatch_finding_active{", `stickwatch_node_up{cluster="shop",node="node2"}`} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is still there", gone)
		}
	}
	for _, kept := range []string{
		`stickwatch_node_up{cluster="shop",node="node1"} 1`,
		`stickwatch_cluster_verdict{cluster="shop",verdict="healthy"} 1`,
		`stickwatch_cluster_verdict{cluster="blog",verdict="inconclusive"} 1`,
	} {
		if !strings.Contains(got, kept+"\n") {
			t.Errorf("%s is missing", kept)
		}
	}
}

func TestForget(t *testing.T) {
	l := fixture()
	l.Forget("shop")
	if got := exposition(t, metricFamilies(t, l)); strings.Contains(got, `"shop"`) || !strings.Contains(got, `"blog"`) {
		t.Errorf("got\n%s\nwant nothing of the shop, and the blog", got)
	}
	for name := range l.Counters() {
		if strings.Contains(name, "shop") {
			t.Errorf("counter %s would be saved", name)
		}
	}
	expect.Equal(t, "name in a cluster that is new again", "node1", l.limiter.limit("shop", "target", "node1"))
}

func TestReloaded(t *testing.T) {
	l := New(Build{})
	read := time.Unix(1773489600, 0)
	l.Reloaded(read, nil)
	l.Reloaded(read.Add(time.Hour), errBadFile)
	got := [2]float64{testutil.ToFloat64(l.daemon.reloaded), testutil.ToFloat64(l.daemon.reloadedAt)}
	if want := [2]float64{0, 1773489600}; got != want {
		t.Errorf("got %v, want %v: the file before is still in use", got, want)
	}
}

func TestIncidents(t *testing.T) {
	l := fixture()
	l.Incidents(nil)
	expect.Equal(t, "open incidents", 0, testutil.CollectAndCount(l.incidents))
	l.Incident("shop", "unheard_of")
	if got := l.Counters()[`["stickwatch_incidents_total","shop","other"]`]; got != 1 {
		t.Errorf("got %v incidents with another code, want 1", got)
	}
}

// TestDeployments: ended and removed deployments have no series.
func TestDeployments(t *testing.T) {
	l := fixture()
	expect.Equal(t, "deployments that go on", 1, testutil.CollectAndCount(l.deployments))
	l.Deployments(nil)
	expect.Equal(t, "deployments that go on", 0, testutil.CollectAndCount(l.deployments))
}

// TestHandler: the default is the text format; protocol buffers contain native histograms.
func TestHandler(t *testing.T) {
	l := fixture()
	ask := func(accept string) string {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		l.Handler().ServeHTTP(w, r)
		return w.Body.String()
	}
	if got := ask(""); !strings.Contains(got, "\nstickwatch_balancer_up{") || !strings.Contains(got, "\ngo_goroutines ") {
		t.Errorf("got %.200q, want our metrics and the runtime's", got)
	}
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	decoder := expfmt.NewDecoder(strings.NewReader(ask(string(format))), format)
	for {
		var f dto.MetricFamily
		if err := decoder.Decode(&f); err != nil {
			t.Fatalf("no native histogram came: %v", err)
		}
		if f.GetName() == probeDuration.Name {
			if h := f.Metric[0].Histogram; h.Schema == nil || len(h.PositiveSpan) == 0 || len(h.Bucket) == 0 {
				t.Errorf("got %v, want classic and native buckets", h)
			}
			return
		}
	}
}

// An only is a collector of one metric.
type only struct{ prometheus.Metric }

func (o only) Describe(all chan<- *prometheus.Desc) { all <- o.Desc() }

func (o only) Collect(all chan<- prometheus.Metric) { all <- o.Metric }

// TestHandlerLeavesOutDefects: the other metrics of a scrape remain. A scrape without any fails.
func TestHandlerLeavesOutDefects(t *testing.T) {
	defect := prometheus.NewInvalidMetric(prometheus.NewDesc("bad", "bad", nil, nil), errors.New("a defect"))
	l := New(Build{})
	l.Register(only{defect})
	broken := New(Build{})
	broken.collectors = []prometheus.Collector{only{defect}}
	for _, test := range []struct {
		live *Live
		want int
	}{{l, 200}, {broken, 500}} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		test.live.Handler().ServeHTTP(w, r)
		if w.Code != test.want || (w.Header().Get("Content-Encoding") == "gzip") != (test.want == 200) {
			t.Errorf("got %d %v, want %d", w.Code, w.Header(), test.want)
		}
		if got := testutil.ToFloat64(test.live.gatheringErrors); got != 1 {
			t.Errorf("got %v counted errors, want 1", got)
		}
	}
}

// TestHandlerCompresses: a scrape may be compressed, and that of OpenMetrics has its end.
func TestHandlerCompresses(t *testing.T) {
	l := fixture()
	for accepted, want := range map[string]bool{"gzip": true, "deflate, gzip;q=0.5": true, "": false, "br": false, "gzip;q=0": false} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
		r.Header.Set("Accept-Encoding", accepted)
		w := httptest.NewRecorder()
		l.Handler().ServeHTTP(w, r)
		body := io.Reader(w.Body)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: compressed is %t, want %t", accepted, got, want)
		} else if want {
			unpacked, err := gzip.NewReader(w.Body)
			must.Succeed(t, err)
			body = unpacked
		}
		text, err := io.ReadAll(body)
		if err != nil || strings.Count(string(text), "# EOF\n") != 1 || !strings.HasSuffix(string(text), "# EOF\n") {
			t.Errorf("%q: got %.100q, %v, want one end", accepted, text, err)
		}
	}
}

// TestHandlerWritesParts: metrics with many series are written in parts, each with all of its series and one type.
func TestHandlerWritesParts(t *testing.T) {
	const targets = 2*maxSamples + 1
	l := New(Build{})
	for i := range targets {
		of := checks.Target{Cluster: fmt.Sprint("shop", i), Kind: checks.TargetNode, Name: "node1"}
		l.Sample(checks.Sample{Target: of, OK: true, Status: 200, Latency: time.Millisecond}, probes.Timing{}, "")
	}
	for _, accept := range []string{"text/plain", string(expfmt.NewFormat(expfmt.TypeProtoDelim))} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		l.Handler().ServeHTTP(w, r)
		decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
		count := make(map[string]int)
		for {
			var f dto.MetricFamily
			if err := decoder.Decode(&f); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", accept, err)
			}
			count[f.GetName()] += len(f.GetMetric())
		}
		if count[probesTotal.Name] != targets || count[probeDuration.Name] != targets || count[buildInfo.Name] != 1 {
			t.Errorf("%s: got %v, want %d of each target", accept, count, targets)
		}
	}
}

// TestSideBySide runs scrapes, rounds and reloads concurrently for the race detector.
func TestSideBySide(t *testing.T) {
	l := fixture()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				l.Observe(reports()[0])
				fixtureSamples(l, time.Now())
				l.Canaries("shop", map[string]time.Time{"node1": time.Now()})
				l.Incidents([]alerting.Incident{{Cluster: "shop", State: alerting.Firing}})
				l.Deployments([]checks.Deployment{{Cluster: "shop", Name: "12.3.5"}})
				l.Restore(l.Counters(), []string{"shop"})
				l.Forget("shop")
			}
		})
		wg.Go(func() {
			for range 20 {
				if _, err := l.registry.Gather(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
