package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhoMayWrite without users in the web configuration.
func TestWhoMayWrite(t *testing.T) {
	for _, test := range []struct {
		name, peer, host string
		headers          []string
		want             int
	}{
		{"at the machine", "127.0.0.1:50000", "127.0.0.1:9748", nil, 204},
		{"by name", "127.0.0.1:50000", "localhost:9748", nil, 204},
		{"IPv6", "[::1]:50000", "[::1]:9748", nil, 204},
		{"IPv6 without port", "[::1]:50000", "[::1]", nil, 204},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:50000", "127.0.0.1", nil, 204},
		{"from afar", "10.0.0.7:50000", "127.0.0.1:9748", nil, 403},
		{"a name that resolves to loopback", "127.0.0.1:50000", "rebound.example:9748", nil, 403},
		{"through a proxy", "127.0.0.1:50000", "127.0.0.1:9748", []string{"X-Forwarded-For", "10.0.0.7"}, 403},
		{"another site", "127.0.0.1:50000", "127.0.0.1:9748", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another origin", "127.0.0.1:50000", "127.0.0.1:9748", []string{"Origin", "https://evil.example"}, 403},
		{"the page itself", "127.0.0.1:50000", "127.0.0.1:9748", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:9748"}, 204},
		{"no address", "pipe", "127.0.0.1:9748", nil, 403},
		{"a password nobody asked for", "10.0.0.7:50000", "127.0.0.1:9748", []string{"Authorization", "Basic b3BzOm9wcw=="}, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(calm("shop", 2))
			r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
			r.RemoteAddr, r.Host = test.peer, test.host
			for i := 0; i+1 < len(test.headers); i += 2 {
				r.Header.Set(test.headers[i], test.headers[i+1])
			}
			got := httptest.NewRecorder()
			w.server(t).ServeHTTP(got, r)
			if got.Code != test.want || (w.reloads > 0) != (test.want == 204) {
				t.Errorf("got %d after %d reloads, want %d", got.Code, w.reloads, test.want)
			}
		})
	}
}

// TestEveryWriteIsGuarded: no route changes anything for a stranger.
func TestEveryWriteIsGuarded(t *testing.T) {
	s := newWorld(calm("shop", 2)).server(t)
	for _, path := range []string{
		"/-/reload", "/silences", "/silences/x/expire", "/clusters/shop/probe", "/api/v1/clusters/shop/probe",
		"/api/v1/silences", "/api/v1/silences/x", "/api/v1/deployments", "/api/v1/deployments/1/end",
	} {
		for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch} {
			r := httptest.NewRequest(method, path, strings.NewReader("{}"))
			r.RemoteAddr = "10.0.0.7:50000"
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s %s: got %d", method, path, w.Code)
			}
		}
	}
}

// TestUsers: with users, exporter-toolkit has asked everybody; without any in
// the file, nobody.
func TestUsers(t *testing.T) {
	const users = "basic_auth_users: {ops: $2y$05$C8eUl2pV0Gq4oV7PpTnYUuKSF2KnKdc0mKpM9V2iUQ0gA5fH7mGhW}\n"
	for content, want := range map[string]bool{users: true, "http_server_config: {http2: true}\n": false, "nonsense: true\n": false} {
		file := filepath.Join(t.TempDir(), "web.yml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
		r.RemoteAddr = "10.0.0.7:50000"
		if got := (access{file: file}).deny(r) == nil; got != want {
			t.Errorf("%q: got %t, want %t", content, got, want)
		}
	}
}
