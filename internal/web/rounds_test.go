package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
)

// A slowExporter blocks rounds until they are released or time out.
type slowExporter struct {
	mu    sync.Mutex
	taken int
	began chan struct{} // nil: not used
	let   chan struct{}
}

func (e *slowExporter) Export(ctx context.Context, _ string) (http.Handler, error) {
	e.mu.Lock()
	e.taken++
	e.mu.Unlock()
	if e.began != nil {
		e.began <- struct{}{}
	}
	select {
	case <-e.let:
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "stickwatch_balancer_up 1") }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A panickingExporter panics in its first round.
type panickingExporter struct{ taken int }

func (e *panickingExporter) Export(context.Context, string) (http.Handler, error) {
	if e.taken++; e.taken == 1 {
		panic("broken")
	}
	return http.NotFoundHandler(), nil
}

// TestRoundPanics: who waits for a round that panics gets an error, and the next round is
// taken.
func TestRoundPanics(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // package panics logs there
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) { c.Exporter = &panickingExporter{} })
		for _, want := range []int{http.StatusInternalServerError, http.StatusOK} {
			if got := send(s, http.MethodPost, "/api/v1/clusters/shop/probe", ""); got.Code != want {
				t.Errorf("got %d %s, want %d", got.Code, got.Body, want)
			}
		}
	})
}

// TestRoundsAreShared: exporters, the API and the page share a round, up to a limit; later
// requests get a new one.
func TestRoundsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &slowExporter{let: make(chan struct{})}
		s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) { c.Exporter = e })
		ways := []struct {
			method, path string
			want         int
		}{
			{"GET", "/probe?cluster=shop", http.StatusOK},
			{"POST", "/api/v1/clusters/shop/probe", http.StatusOK},
			{"POST", "/clusters/shop/probe", http.StatusSeeOther},
		}
		var waiting sync.WaitGroup
		for i := range maxWaiting {
			way := ways[i%len(ways)]
			waiting.Go(func() {
				if got := send(s, way.method, way.path, ""); got.Code != way.want {
					t.Errorf("%s %s: got %d %s", way.method, way.path, got.Code, got.Body)
				}
			})
		}
		synctest.Wait()
		for _, way := range ways {
			if got := send(s, way.method, way.path, ""); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
				t.Errorf("%s %s: got %d with %v when enough wait", way.method, way.path, got.Code, got.Header())
			}
		}
		e.let <- struct{}{}
		waiting.Wait()
		waiting.Go(func() { send(s, "GET", "/probe?cluster=shop", "") })
		e.let <- struct{}{}
		waiting.Wait()
		if e.taken != 2 {
			t.Errorf("got %d rounds, want one for all and one for who came later", e.taken)
		}
	})
}

// TestRoundContinuesWithoutClients: a round continues without clients, so that there is never a
// second one.
func TestRoundContinuesWithoutClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &slowExporter{let: make(chan struct{})}
		r := newRounds(e.Export)
		for range 3 * maxWaiting {
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			if _, err := r.wait(ctx, "shop"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v of who left", err)
			}
			leave()
		}
		if _, err := r.wait(t.Context(), "shop"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v of a round without end", err)
		}
		expect.Equal(t, "rounds", 1, e.taken)
	})
}

// TestRoundsEnd: after close, nothing waits and no round starts.
func TestRoundsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &slowExporter{}
		s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) { c.Exporter = e })
		var got *httptest.ResponseRecorder
		var waiting sync.WaitGroup
		waiting.Go(func() { got = send(s, "GET", "/probe?cluster=shop", "") })
		synctest.Wait()
		s.rounds.close()
		waiting.Wait()
		again := send(s, "GET", "/probe?cluster=shop", "")
		if got.Code != http.StatusServiceUnavailable || again.Code != http.StatusServiceUnavailable || e.taken != 1 {
			t.Errorf("got %d, then %d, after %d rounds", got.Code, again.Code, e.taken)
		}
	})
}

func TestOperations(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	s := d.server(t)
	for _, test := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/-/healthy", 200, "stickwatch is healthy.\n"},
		{"GET", "/-/ready", 200, "stickwatch is ready.\n"},
		{"GET", "/metrics", 200, "stickwatch_build_info 1\n"},
		{"GET", "/probe?cluster=shop", 200, "stickwatch_balancer_up{cluster=\"shop\"} 1\n"},
		{"POST", "/-/reload", 204, ""},
	} {
		got := send(s, test.method, test.path, "")
		if got.Code != test.status || got.Body.String() != test.body {
			t.Errorf("%s %s: got %d %q", test.method, test.path, got.Code, got.Body)
		}
	}
	d.ready = errors.New("no round has been taken yet")
	if got := send(s, "GET", "/-/ready", ""); got.Code != 503 || !strings.Contains(got.Body.String(), "no round") {
		t.Errorf("got %d %q", got.Code, got.Body)
	}
	bad := decoded[problem](t, send(s, "POST", "/-/reload", ""))
	if want := "the configuration was not changed: stickwatch.yml:3:5: clusters[0].nam: unknown key"; bad.Detail != want || bad.Status != 422 {
		t.Errorf("got %+v", bad)
	}
	if got := send(s, "POST", "/api/v1/clusters/shop/probe", ""); got.Code != 200 || decoded[wireCluster](t, got).Name != "shop" {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	expect.Equal(t, "probed", []string{"shop", "shop"}, d.probed)
}

// TestProbeWithoutExporter: a Prober is sufficient without metrics.
func TestProbeWithoutExporter(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	s := d.server(t, func(c *Config) { c.Exporter = nil })
	if got := send(s, "POST", "/api/v1/clusters/shop/probe", ""); got.Code != 200 || len(d.asked()) != 1 {
		t.Errorf("got %d %s after %d rounds", got.Code, got.Body, len(d.asked()))
	}
}

// TestFunctionsWithoutSource: functions without a source return 404.
func TestFunctionsWithoutSource(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) { c.Prober, c.Exporter, c.Reloader, c.Metrics = nil, nil, nil, nil })
	for _, test := range []struct{ method, path string }{
		{"GET", "/metrics"},
		{"GET", "/probe?cluster=shop"},
		{"POST", "/-/reload"},
		{"POST", "/api/v1/clusters/shop/probe"},
	} {
		if got := send(s, test.method, test.path, ""); got.Code != http.StatusNotFound {
			t.Errorf("%s %s: got %d", test.method, test.path, got.Code)
		}
	}
}

func TestScrapeTime(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":     probeTimeout,
		"10":   9500 * time.Millisecond,
		"0.2":  probeTimeout,
		"1e9":  probeTimeout,
		"NaN":  probeTimeout,
		"soon": probeTimeout,
	} {
		r, _ := http.NewRequest(http.MethodGet, "/probe", nil)
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", header)
		expect.Equal(t, header, want, scrapeTime(r))
	}
}
