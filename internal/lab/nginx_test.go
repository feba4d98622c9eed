package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/must"
)

// TestNginxAcceptsEveryOption lets nginx check every combination of options.
func TestNginxAcceptsEveryOption(t *testing.T) {
	t.Parallel()
	servers := []Server{
		{Addr: "127.0.0.1:1", Weight: 3, MaxFails: 2, FailTimeout: 1500 * time.Millisecond},
		{Addr: "127.0.0.1:2", MaxFails: -1},
		{Addr: "127.0.0.1:3", Down: true},
	}
	backup := append(slices.Clone(servers), Server{Addr: "127.0.0.1:4", Backup: true})
	tests := []NginxConfig{
		{Servers: backup},
		{Servers: servers, Method: "ip_hash", Zone: true, Workers: 4, RealIP: true},
		{Servers: servers, Method: "hash $remote_addr", NextUpstream: "error timeout http_503 non_idempotent"},
		{Servers: servers, Method: "hash $remote_addr consistent", ConnectTimeout: 250 * time.Millisecond, ReadTimeout: time.Second},
		{Servers: backup, Method: "least_conn", UpstreamHeader: true, WebSocket: true},
		{Servers: servers, Method: "random two least_conn", AccessLog: true, ErrorLogLevel: "error"},
		{Servers: servers, ExtraServers: "server { listen " + FreeAddr(t) + "; location / { stub_status; } }"},
	}
	for i, config := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			n := newNginx(t, config)
			if err := n.check(n.ConfigFile()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNginxTakesTheClientFromTheHeader(t *testing.T) {
	t.Parallel()
	n := Nginx(t, NginxConfig{Servers: nodes(t, "node1", "node2"), Method: "ip_hash", RealIP: true, AccessLog: true})
	seen := map[string]bool{}
	for _, client := range []string{"10.0.1.1", "10.0.2.1"} { // neighbours in the ring of two
		_, first := get(t, n.URL(), "X-Stickwatch-Client", client)
		_, second := get(t, n.URL(), "X-Stickwatch-Client", client)
		if first != second {
			t.Errorf("client %s is answered by %q, then by %q", client, first, second)
		}
		seen[first] = true
	}
	if len(seen) != 2 {
		t.Errorf("two neighbouring /24s are answered by %v, want both nodes", seen)
	}
	if log := read(t, n.AccessLog()); !strings.Contains(log, "10.0.2.1") {
		t.Errorf("the access log does not have the client's address:\n%s", log)
	}
}

func TestNginxLogsEjection(t *testing.T) {
	t.Parallel()
	servers := append([]Server{{Addr: FreeAddr(t)}}, nodes(t, "node2")...)
	n := Nginx(t, NginxConfig{Servers: servers, UpstreamHeader: true})
	response, body := get(t, n.URL())
	want := servers[0].Addr + ", " + servers[1].Addr
	if got := response.Header.Get("X-Upstream"); got != want || body != "node2" {
		t.Errorf("%q answers by way of %q, want node2 by way of %q", body, got, want)
	}
	if log := read(t, n.ErrorLog()); !strings.Contains(log, "upstream server temporarily disabled while connecting to upstream") {
		t.Errorf("the error log does not contain the ejection:\n%s", log)
	}
}

// TestNginxReload: after a reload no connection may reach an old worker.
func TestNginxReload(t *testing.T) {
	t.Parallel()
	servers := nodes(t, "node1", "node2")
	n := Nginx(t, NginxConfig{Servers: servers[:1], Workers: 4})
	for round := range 4 {
		want := servers[(round+1)%2]
		n.Reload(NginxConfig{Servers: []Server{want}, Workers: 4})
		for range 20 {
			if _, body := get(t, n.URL()); body != want.Name {
				t.Fatalf("%q answers after the reload that left only %q", body, want.Name)
			}
		}
	}
	n.Stop()
	n.Start()
	if _, body := get(t, n.URL()); body != "node1" {
		t.Errorf("%q answers after a restart, want node1 of the last configuration", body)
	}
}

func TestNginxReloadRefused(t *testing.T) {
	t.Parallel()
	servers := nodes(t, "node1")
	n := Nginx(t, NginxConfig{Servers: servers})
	err := n.reload(NginxConfig{Servers: servers, Method: "ip_hush"})
	if err == nil || !strings.Contains(err.Error(), `unknown directive "ip_hush"`) {
		t.Errorf("reloading a broken configuration = %v, want nginx's own message", err)
	}
	if _, body := get(t, n.URL()); body != "node1" {
		t.Errorf("%q answers after the refused reload, want node1", body)
	}
	n.Reload(NginxConfig{Servers: servers, Method: "ip_hash"}) // the next reload is not affected
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	content, err := os.ReadFile(path)
	must.Succeed(tb, err)
	return string(content)
}
