package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/wire"
)

// TestWhoMayWrite: without users in the web configuration, changes require a token or the
// admin socket. The source address does not matter.
func TestWhoMayWrite(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	s := d.server(t)
	token, _, err := s.access.tokens.add(time.Hour)
	must.Succeed(t, err)
	ended, _, err := s.access.tokens.add(-time.Hour)
	must.Succeed(t, err)
	code, err := s.access.tokens.addCode(time.Hour, time.Hour)
	must.Succeed(t, err)
	for _, test := range []struct {
		name, peer, host string
		headers          []string
		admin            bool
		want             int
	}{
		{"at the machine", "127.0.0.1:50000", "127.0.0.1:9748", nil, false, 403},
		{"by name", "127.0.0.1:50000", "localhost:9748", nil, false, 403},
		{"IPv6", "[::1]:50000", "[::1]:9748", nil, false, 403},
		{"from afar", "10.0.0.7:50000", "127.0.0.1:9748", nil, false, 403},
		{"the page itself", "127.0.0.1:50000", "127.0.0.1:9748", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:9748"}, false, 403},
		{"a password nobody asked for", "10.0.0.7:50000", "127.0.0.1:9748", []string{"Authorization", "Basic b3BzOm9wcw=="}, false, 403},
		{"the admin socket", "@", "localhost", nil, true, 204},
		{"another site, at the admin socket", "@", "localhost", []string{"Sec-Fetch-Site", "cross-site"}, true, 403},
		{"a token", "10.0.0.7:50000", "watch.example", []string{"Authorization", "Bearer " + token}, false, 204},
		{"a token as a password", "10.0.0.7:50000", "watch.example", []string{"Authorization", "Basic " + token}, false, 403},
		{"a token that has ended", "10.0.0.7:50000", "watch.example", []string{"Authorization", "Bearer " + ended}, false, 403},
		{"the code of a link", "10.0.0.7:50000", "watch.example", []string{"Authorization", "Bearer " + code}, false, 403},
		{"no token", "10.0.0.7:50000", "watch.example", []string{"Authorization", "Bearer "}, false, 403},
		{"a cookie", "10.0.0.7:50000", "watch.example", []string{"Cookie", tokenCookie + "=" + token}, false, 204},
		{"no cookie", "10.0.0.7:50000", "watch.example", []string{"Cookie", tokenCookie + "="}, false, 403},
		{"another site with the cookie", "10.0.0.7:50000", "watch.example", []string{"Cookie", tokenCookie + "=" + token, "Sec-Fetch-Site", "cross-site"}, false, 403},
		{"another port with the cookie", "10.0.0.7:50000", "watch.example", []string{"Cookie", tokenCookie + "=" + token, "Sec-Fetch-Site", "same-site"}, false, 403},
		{"another origin with the cookie", "10.0.0.7:50000", "watch.example", []string{"Cookie", tokenCookie + "=" + token, "Origin", "https://evil.example"}, false, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			d.reloads = 0
			r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
			r.RemoteAddr, r.Host = test.peer, test.host
			if test.admin {
				r = r.WithContext(asAdmin(r.Context()))
			}
			for i := 0; i+1 < len(test.headers); i += 2 {
				r.Header.Set(test.headers[i], test.headers[i+1])
			}
			got := httptest.NewRecorder()
			s.ServeHTTP(got, r)
			if got.Code != test.want || (d.reloads > 0) != (test.want == 204) {
				t.Errorf("got %d after %d reloads, want %d", got.Code, d.reloads, test.want)
			}
		})
	}
}

// TestRefusalsNameTheRemedy: errors explain how to get access.
func TestRefusalsNameTheRemedy(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
	got := httptest.NewRecorder()
	newFakeDaemon(healthyCluster("shop", 2)).server(t).ServeHTTP(got, r)
	for _, want := range []string{"--admin-socket", "stickwatch token", "--bearer", "--web.config.file"} {
		if !strings.Contains(got.Body.String(), want) {
			t.Errorf("got %s, want %q in it", got.Body, want)
		}
	}
}

// TestLink: a browser exchanges a link for a token, which expires.
func TestLink(t *testing.T) {
	now := testTime
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) {
		c.Listen, c.clock = "0.0.0.0:9748", func() time.Time { return now }
	})
	asked := send(s, http.MethodPost, "/-/token", `{"duration": "2h"}`)
	given := decoded[wire.Token](t, asked)
	link, err := url.Parse(given.Link)
	if err != nil || given.Token != "" || link.Host != "localhost:9748" || link.Scheme != "http" {
		t.Fatalf("got %s", asked.Body)
	}
	follow := func() *http.Response {
		got := httptest.NewRecorder()
		s.ServeHTTP(got, httptest.NewRequest(http.MethodGet, link.RequestURI(), nil))
		return got.Result()
	}
	came := follow()
	if came.StatusCode != http.StatusSeeOther || came.Header.Get("Location") != "/" || len(came.Cookies()) != 1 {
		t.Fatalf("got %d %v", came.StatusCode, came.Header)
	}
	cookie := came.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.MaxAge != 7200 || cookie.Secure || strings.Contains(given.Link, cookie.Value) {
		t.Errorf("got cookie %s", came.Header.Get("Set-Cookie"))
	}
	buttons := func() bool {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(cookie)
		got := httptest.NewRecorder()
		s.ServeHTTP(got, r)
		return strings.Contains(got.Body.String(), "<button")
	}
	if !buttons() {
		t.Error("the browser gets no buttons")
	}
	now = now.Add(11 * time.Minute)
	if got := follow(); got.StatusCode != http.StatusForbidden || len(got.Cookies()) > 0 || !buttons() {
		t.Errorf("got %d for a link that has ended", got.StatusCode)
	}
	if now = now.Add(2 * time.Hour); buttons() {
		t.Error("a token has no end")
	}
}

// TestLinksAreWhereTheDaemonIs: links use the external URL, or else the listen address.
func TestLinksAreWhereTheDaemonIs(t *testing.T) {
	for _, test := range []struct {
		external *url.URL
		listen   string
		want     string
	}{
		{nil, "127.0.0.1:9748", "http://127.0.0.1:9748/login?code="},
		{nil, ":9748", "http://localhost:9748/login?code="},
		{nil, "[::]:9748", "http://localhost:9748/login?code="},
		{must.URL("https://watch.example/"), ":9748", "https://watch.example/login?code="},
	} {
		s := newFakeDaemon().server(t, func(c *Config) { c.ExternalURL, c.Listen = test.external, test.listen })
		if got, err := s.Link(time.Hour); err != nil || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %s, %v", test.listen, got, err)
		}
	}
}

// TestTokens: only the admin socket creates tokens. They expire, their number is bounded, and
// they are refused if there are users.
func TestTokens(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	given := decoded[wire.Token](t, send(s, http.MethodPost, "/-/token", `{"duration": "1h", "bearer": true}`))
	if given.Expires != wire.TimestampOf(testTime.Add(time.Hour)) || given.Link != "" {
		t.Errorf("got %+v", given)
	}
	for _, path := range []string{"/-/token", "/-/admin"} {
		method := map[string]string{"/-/token": http.MethodPost, "/-/admin": http.MethodGet}[path]
		r := httptest.NewRequest(method, path, strings.NewReader(`{"duration": "1h"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+given.Token)
		got := httptest.NewRecorder()
		if s.ServeHTTP(got, r); got.Code != http.StatusForbidden {
			t.Errorf("%s: got %d %s for a token", path, got.Code, got.Body)
		}
	}
	for _, body := range []string{`{}`, `{"duration": "59s"}`, `{"duration": "91d"}`, `{"duration": "-1h"}`} {
		if got := send(s, http.MethodPost, "/-/token", body); got.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d %s", body, got.Code, got.Body)
		}
	}
	for range 2 * maxTokens {
		_ = send(s, http.MethodPost, "/-/token", `{"duration": "1h", "bearer": true}`)
	}
	expect.Equal(t, "tokens", maxTokens, len(s.access.tokens.tokens))
	s.access.file = filepath.Join(t.TempDir(), "web.yml")
	must.Succeed(t, os.WriteFile(s.access.file, []byte(aUser), 0o600))
	if got := send(s, http.MethodPost, "/-/token", `{"duration": "1h"}`); got.Code != http.StatusConflict {
		t.Errorf("got %d %s beside users", got.Code, got.Body)
	}
}

// TestEveryWriteIsGuarded: every route that makes changes requires authorization.
func TestEveryWriteIsGuarded(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	guarded := 0
	for _, route := range slices.Concat(s.pageRoutes(), s.operationRoutes(), s.apiRoutes()) {
		method, path, _ := strings.Cut(route.pattern, " ")
		if method == http.MethodGet {
			continue
		}
		guarded++
		r := httptest.NewRequest(method, strings.NewReplacer("{", "", "}", "").Replace(path), strings.NewReader("{}"))
		r.RemoteAddr = "10.0.0.7:50000"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		expect.Equal(t, route.pattern, http.StatusForbidden, w.Code)
	}
	if guarded < 12 {
		t.Errorf("got %d routes that make changes, want those of silences, incidents, deployments, probes, reloads and tokens", guarded)
	}
}

// aUser is a web configuration with one user.
const aUser = "basic_auth_users: {ops: $2y$05$C8eUl2pV0Gq4oV7PpTnYUuKSF2KnKdc0mKpM9V2iUQ0gA5fH7mGhW}\n"

// TestUsers: exporter-toolkit has authenticated every request if the file has users.
func TestUsers(t *testing.T) {
	for content, want := range map[string]bool{aUser: true, "http_server_config: {http2: true}\n": false, "nonsense: true\n": false} {
		file := filepath.Join(t.TempDir(), "web.yml")
		must.Succeed(t, os.WriteFile(file, []byte(content), 0o600))
		r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
		r.RemoteAddr = "10.0.0.7:50000"
		expect.Equal(t, content, want, (access{file, newTokens(time.Now)}).denial(r) == nil)
	}
}

// TestWhoMayRead: requests to loopback need a known host name, which prevents DNS rebinding.
func TestWhoMayRead(t *testing.T) {
	external := must.URL("https://Watch.example:8443/page")
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
			d := newFakeDaemon(healthyCluster("shop", 2))
			s := d.server(t, func(c *Config) { c.ExternalURL = external })
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
			if asked := len(d.asked()); (asked > 0) != (test.want == 200) {
				t.Errorf("got %d rounds", asked)
			}
		})
	}
}

// askedAt returns a request to a local address.
func askedAt(t *testing.T, path, local, host string) *http.Request {
	t.Helper()
	at, err := net.ResolveTCPAddr("tcp", local)
	must.Succeed(t, err)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(at)))
}

// TestAnswerTo: a changed external URL and authenticated requests are accepted.
func TestAnswerTo(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	code := func() int {
		got := httptest.NewRecorder()
		s.ServeHTTP(got, askedAt(t, "/metrics", "127.0.0.1:9748", "watch.example"))
		return got.Code
	}
	expect.Equal(t, "status by a name that nobody gave it", http.StatusMisdirectedRequest, code())
	s.SetExternalURL(must.URL("http://watch.example"))
	expect.Equal(t, "status by the name that it has now", http.StatusOK, code())
	s.SetExternalURL(nil)
	expect.Equal(t, "status by the name that it had", http.StatusMisdirectedRequest, code())
	s.access.file = filepath.Join(t.TempDir(), "web.yml")
	must.Succeed(t, os.WriteFile(s.access.file, []byte(aUser), 0o600))
	expect.Equal(t, "status with users", http.StatusOK, code())
}

// TestServeChecksHost checks the rule with real connections.
func TestServeChecksHost(t *testing.T) {
	address, _ := running(t, newFakeDaemon(healthyCluster("shop", 2)))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/api/v1/clusters", nil)
	must.Succeed(t, err)
	r.Host = "rebound.example"
	got, err := http.DefaultClient.Do(r)
	must.Succeed(t, err)
	defer got.Body.Close()
	if got.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %d", got.StatusCode)
	}
}
