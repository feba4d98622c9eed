package web

import (
	"context"
	"net"
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

// aUser is a web configuration with one.
const aUser = "basic_auth_users: {ops: $2y$05$C8eUl2pV0Gq4oV7PpTnYUuKSF2KnKdc0mKpM9V2iUQ0gA5fH7mGhW}\n"

// TestUsers: with users, exporter-toolkit has asked everybody; without any in
// the file, nobody.
func TestUsers(t *testing.T) {
	for content, want := range map[string]bool{aUser: true, "http_server_config: {http2: true}\n": false, "nonsense: true\n": false} {
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

// TestWhoMayRead at a loopback address: whoever asks for a name that is known, so
// that no site can have its name resolve to loopback and read here.
func TestWhoMayRead(t *testing.T) {
	external := mustURL("https://Watch.example:8443/page")
	for _, test := range []struct {
		name, local, host string
		headers           []string
		want              int
	}{
		{"the machine", "127.0.0.1:9748", "127.0.0.1:9748", nil, 200},
		{"by name", "127.0.0.1:9748", "localhost:9748", nil, 200},
		{"in capitals", "127.0.0.1:9748", "LocalHost.:9748", nil, 200},
		{"IPv6", "[::1]:9748", "[::1]:9748", nil, 200},
		{"IPv6 without port", "[::1]:9748", "[::1]", nil, 200},
		{"an address that a proxy passes on", "127.0.0.1:9748", "10.0.0.9", nil, 200},
		{"the page's own name behind a proxy", "127.0.0.1:9748", "watch.example", nil, 200},
		{"the machine's own name", "127.0.1.1:9748", machineName() + ":9748", nil, 200},
		{"HTTP/1.0", "127.0.0.1:9748", "", nil, 200},
		{"a name that resolves to loopback", "127.0.0.1:9748", "rebound.example:9748", nil, 421},
		{"in IPv6", "[::1]:9748", "rebound.example:9748", nil, 421},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:9748", "rebound.example:9748", nil, 421},
		{"any loopback address", "127.9.9.9:9748", "rebound.example", nil, 421},
		{"a part of a name", "127.0.0.1:9748", "watch.example.evil.example", nil, 421},
		{"a proxy's headers, which scripts may set", "127.0.0.1:9748", "rebound.example", []string{"X-Forwarded-Host", "watch.example", "Forwarded", "host=watch.example"}, 421},
		{"another address of the machine", "10.0.0.9:9748", "monitor.example:9748", nil, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(calm("shop", 2))
			s := w.server(t, func(c *Config) { c.ExternalURL = external })
			for _, path := range []string{"/", "/api/v1/clusters", "/metrics", "/probe?cluster=shop", "/-/healthy"} {
				r := askedAt(t, path, test.local, test.host)
				for i := 0; i+1 < len(test.headers); i += 2 {
					r.Header.Set(test.headers[i], test.headers[i+1])
				}
				got := httptest.NewRecorder()
				s.ServeHTTP(got, r)
				if got.Code != test.want {
					t.Errorf("%s: got %d %s, want %d", path, got.Code, got.Body, test.want)
				}
			}
			if asked := len(w.asked()); (asked > 0) != (test.want == 200) {
				t.Errorf("got %d rounds", asked)
			}
		})
	}
}

// askedAt is a request that came in at a local address.
func askedAt(t *testing.T, path, local, host string) *http.Request {
	t.Helper()
	at, err := net.ResolveTCPAddr("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(at)))
}

// TestAnswerTo another name from now on, or to anybody who has a password.
func TestAnswerTo(t *testing.T) {
	s := newWorld(calm("shop", 2)).server(t)
	code := func() int {
		got := httptest.NewRecorder()
		s.ServeHTTP(got, askedAt(t, "/metrics", "127.0.0.1:9748", "watch.example"))
		return got.Code
	}
	if got := code(); got != http.StatusMisdirectedRequest {
		t.Errorf("got %d by a name that nobody gave it", got)
	}
	s.AnswerTo(mustURL("http://watch.example"))
	if got := code(); got != http.StatusOK {
		t.Errorf("got %d by the name that it has now", got)
	}
	s.AnswerTo(nil)
	if got := code(); got != http.StatusMisdirectedRequest {
		t.Errorf("got %d by the name that it had", got)
	}
	s.access.file = filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(s.access.file, []byte(aUser), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := code(); got != http.StatusOK {
		t.Errorf("got %d with users", got)
	}
}

// TestServeKnowsWhereItIsAsked: the rule holds for real connections.
func TestServeKnowsWhereItIsAsked(t *testing.T) {
	address, _ := running(t, newWorld(calm("shop", 2)))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/api/v1/clusters", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example"
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %d", got.StatusCode)
	}
}
