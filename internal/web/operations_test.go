package web

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOperations(t *testing.T) {
	w := newFakeDaemon(healthyCluster("shop", 2))
	s := w.server(t)
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
	w.ready = errors.New("no round has been taken yet")
	if got := send(s, "GET", "/-/ready", ""); got.Code != 503 || !strings.Contains(got.Body.String(), "no round") {
		t.Errorf("got %d %q", got.Code, got.Body)
	}
	bad := decoded[problem](t, send(s, "POST", "/-/reload", ""))
	if want := "the configuration is as before: stickwatch.yml:3:5: clusters[0].nam: unknown key"; bad.Detail != want || bad.Status != 422 {
		t.Errorf("got %+v", bad)
	}
	if got := send(s, "POST", "/api/v1/clusters/shop/probe", ""); got.Code != 200 || decoded[wireCluster](t, got).Name != "shop" {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if diff := cmp.Diff([]string{"shop", "shop"}, w.probed); diff != "" {
		t.Errorf("probed (-want +got):\n%s", diff)
	}
}

// TestProbeWithoutExporter: a Prober is enough for those who want no metrics.
func TestProbeWithoutExporter(t *testing.T) {
	w := newFakeDaemon(healthyCluster("shop", 2))
	s := w.server(t, func(c *Config) { c.Exporter = nil })
	if got := send(s, "POST", "/api/v1/clusters/shop/probe", ""); got.Code != 200 || len(w.asked()) != 1 {
		t.Errorf("got %d %s after %d rounds", got.Code, got.Body, len(w.asked()))
	}
}

// TestNotOffered: what has no source is not there.
func TestNotOffered(t *testing.T) {
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
		r, _ := http.NewRequest("GET", "/probe", nil)
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", header)
		if got := scrapeTime(r); got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
}
