package lab

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
)

// TestHAProxyAcceptsEveryOption: with zero-warning, HAProxy does not start if it has a
// warning.
func TestHAProxyAcceptsEveryOption(t *testing.T) {
	t.Parallel()
	servers := []Server{
		{Name: "node1", Addr: "127.0.0.1:1", Weight: 3, MaxFails: 2, FailTimeout: time.Second},
		{Name: "node2", Addr: "127.0.0.1:2", Down: true},
		{Name: "node3", Addr: "127.0.0.1:3", Backup: true},
	}
	tests := map[string]HAProxyConfig{
		"cookie insert": {Servers: servers, Cookie: "SRV insert indirect nocache maxidle 30m", Redispatch: true, Retries: 2},
		"cookie prefix": {Servers: servers, Cookie: "JSESSIONID prefix", Balance: "leastconn"},
		"stick source":  {Servers: servers, StickOn: "src", Balance: "source", CheckPath: "/status"},
		"stick header":  {Servers: servers, StickOn: "X-Stickwatch-Client", Observe: "layer7", Timeout: time.Second},
		"extra":         {Servers: servers, ExtraBackend: "    retry-on all-retryable-errors"},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			HAProxy(t, config)
		})
	}
}

func TestHAProxyCookie(t *testing.T) {
	t.Parallel()
	h := HAProxy(t, HAProxyConfig{Servers: nodes(t, "node1", "node2"), Cookie: "SRV insert indirect nocache"})
	response, first := get(t, h.URL())
	if got := cookie(response, "SRV"); got != first {
		t.Errorf("the cookie says %q, %q answers", got, first)
	}
	for range 4 {
		if _, body := get(t, h.URL(), "Cookie", "SRV="+first); body != first {
			t.Errorf("%q answers the cookie of %q", body, first)
		}
	}
}

func TestHAProxySticksOnAHeader(t *testing.T) {
	t.Parallel()
	h := HAProxy(t, HAProxyConfig{Servers: nodes(t, "node1", "node2"), StickOn: "X-Stickwatch-Client"})
	_, first := get(t, h.URL(), "X-Stickwatch-Client", "10.0.1.1")
	// Without the table every second request would go to the other node.
	for range 3 {
		if _, body := get(t, h.URL(), "X-Stickwatch-Client", "10.0.1.1"); body != first {
			t.Errorf("%q answers a client of %q", body, first)
		}
	}
}

func TestHAProxyStatsOfDeadNode(t *testing.T) {
	t.Parallel()
	servers := append(nodes(t, "node1"), Server{Name: "node2", Addr: FreeAddr(t)})
	h := HAProxy(t, HAProxyConfig{Servers: servers, CheckPath: "/status"})
	var got map[string]string
	await(t, "down", func() bool {
		got = statuses(t, h.StatsURL())
		return got["node2"] == "DOWN" && got["node1"] == "UP"
	})
	expect.Equal(t, "statuses", map[string]string{"node1": "UP", "node2": "DOWN"}, got)
}

// statuses reads the servers' status from the CSV.
func statuses(t *testing.T, url string) map[string]string {
	t.Helper()
	_, body := get(t, url)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "# "))).ReadAll()
	if err != nil {
		t.Fatalf("reading the statistics: %v", err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	got := map[string]string{}
	for _, row := range rows[1:] {
		name := row[column["svname"]]
		if row[column["pxname"]] == "cluster" && name != "BACKEND" {
			got[name] = row[column["status"]]
		}
	}
	return got
}

func cookie(response *http.Response, name string) string {
	for _, c := range response.Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
