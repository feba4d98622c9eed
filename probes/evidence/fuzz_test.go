package evidence

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"stickwatch/probes"
)

// harmless fails the test unless the text is one clean line of bounded length.
func harmless(t *testing.T, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("%q is not a clean line of at most %d bytes", text, limit)
	}
}

func checkServers(t *testing.T, list []probes.ServerEvidence) {
	t.Helper()
	for _, s := range list {
		harmless(t, s.Pool, maxName)
		harmless(t, s.Server, maxName)
		harmless(t, s.Address, maxName)
		harmless(t, s.Detail, probes.MaxError)
		if s.State == "" || s.Fails < 0 {
			t.Errorf("state %q and %d failures: want a state and no negative number", s.State, s.Fails)
		}
	}
}

// checkFailures fails the test unless the failures are bounded and add up.
func checkFailures(t *testing.T, a upstreamFailures) {
	t.Helper()
	if len(a.seconds) > maxSeconds || len(a.workers) > maxWorkers {
		t.Errorf("%d seconds and %d workers are kept, want at most %d and %d", len(a.seconds), len(a.workers), maxSeconds, maxWorkers)
	}
	if !slices.IsSortedFunc(a.seconds, func(x, y probes.SecondCount) int { return x.At.Compare(y.At) }) {
		t.Errorf("the seconds are not in order: %v", a.seconds)
	}
	if f := a.failures(start); f.RunOfWorker > f.Run {
		t.Errorf("a worker has %d of a run of %d", f.RunOfWorker, f.Run)
	}
}

func FuzzNginxLog(f *testing.F) {
	f.Add(string(testdata(f, "nginx_warn.log")))
	f.Add(string(testdata(f, "nginx_error.log")))
	f.Add(ejection(0, node1) + ejection(11, "unix:/a:") + ejection(3600, "[::1]:80"))
	f.Fuzz(func(t *testing.T, text string) {
		now := time.Date(2026, 11, 20, 23, 45, 0, 0, time.UTC)
		g := newFailureLog(options)
		for text := range strings.Lines(text) {
			if l, ok := parseLine(strings.TrimRight(text, "\r\n"), time.UTC); ok {
				g.add(l, now)
			}
		}
		checkServers(t, g.evidence(g.servers, now))
		checkServers(t, g.evidence(g.pools, now))
		for _, r := range g.servers {
			if len(r.episodes) > maxEpisodes {
				t.Errorf("%d episodes are kept, want at most %d", len(r.episodes), maxEpisodes)
			}
			checkFailures(t, r.upstreamFailures)
		}
	})
}

func fuzzPage(f *testing.F, parse func([]byte, time.Time) ([]probes.ServerEvidence, error), seeds ...string) {
	for _, name := range seeds {
		f.Add(testdata(f, name))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := parse(body, time.Date(2026, 11, 20, 23, 45, 0, 0, time.UTC))
		if err != nil && len(list) > 0 {
			t.Errorf("got %d servers and %v, want one of them", len(list), err)
		}
		checkServers(t, list)
	})
}

func FuzzHAProxy(f *testing.F) {
	parse := func(body []byte, at time.Time) ([]probes.ServerEvidence, error) { return parseHAProxy(body, at, "") }
	fuzzPage(f, parse, "haproxy.csv")
}

func FuzzApacheStatus(f *testing.F) { fuzzPage(f, parseApacheStatus, "apache_status.txt") }

func FuzzApacheManager(f *testing.F) {
	fuzzPage(f, parseManager, "apache_manager.xml", "apache_manager.html")
}

func FuzzCaddy(f *testing.F) { fuzzPage(f, parseCaddy, "caddy_upstreams.json") }
