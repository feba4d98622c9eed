package probes

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

func TestClientURL(t *testing.T) {
	tests := []struct{ base, path, want string }{
		{"http://lb", "/a/b?x=1", "http://lb/a/b?x=1"},
		{"http://lb", "", "http://lb/"},
		{"http://lb", "a/b", "http://lb/a/b"},
		{"http://lb", "?x=1", "http://lb/?x=1"},
		{"http://lb", "a:b", "http://lb/a:b"},
		{"http://lb/", "/a", "http://lb/a"},
		{"http://lb/app", "/a", "http://lb/app/a"},
		{"http://lb/app/", "/a", "http://lb/app/a"},
		{"http://lb/app", "/", "http://lb/app/"},
		{"http://lb/a%2Fb", "/c%2Fd e"[:6], "http://lb/a%2Fb/c%2Fd"},
		{"http://lb", "//evil/a", "http://lb//evil/a"},
		{"http://lb", "http://evil/a", "http://lb/http://evil/a"},
		{"http://lb", "/a#part", "http://lb/a"},
		{"http://lb", "/a/../b", "http://lb/a/../b"},
		{"http://[fe80::1%25eth0]:8080", "/a", "http://[fe80::1%25eth0]:8080/a"},
	}
	for _, tt := range tests {
		t.Run(tt.base+" "+tt.path, func(t *testing.T) {
			u, err := NewClient(Target{URL: must.URL(tt.base)}).URL(tt.path)
			must.Succeed(t, err)
			expect.Equal(t, "URL", tt.want, u.String())
		})
	}
	if u, err := NewClient(Target{URL: must.URL("http://lb")}).URL("/%zz"); err == nil {
		t.Errorf("got %s, want an error", u)
	}
}

// TestRequestHeaders: the target receives the public host, the key and the cookies.
func TestRequestHeaders(t *testing.T) {
	received := make(chan *http.Request, 1)
	u := web(t, func(_ http.ResponseWriter, r *http.Request) { received <- r })
	jar := NewJar()
	jar.Set(must.URL("http://public.example"), []*http.Cookie{{Name: "sid", Value: "v"}, {Name: "a", Value: "b c"}})
	name := &url.URL{Scheme: "http", Host: "no.such.host.invalid:1234", Path: "/app"}
	target := Target{
		URL: name, Address: netip.MustParseAddrPort(u.Host), Host: "shop.example", KeyHeader: "x-client", Key: "10.0.1.1", Timeout: ample,
	}
	fetch(t, target, pageRequest{path: "/a?x=1", jar: jar, public: must.URL("http://public.example")})
	r := <-received
	got := []string{r.Host, r.RequestURI, r.Header.Get("X-Client"), r.UserAgent(), r.Header.Get("Cookie"), r.Header.Get("Connection")}
	want := []string{"shop.example", "/app/a?x=1", "10.0.1.1", "stickwatch", "sid=v; a=b c", "close"}
	expect.Equal(t, "request", want, got)
}

func TestHostPort(t *testing.T) {
	for host, want := range map[string]string{
		"LB": "lb:443", "lb:8443": "lb:8443", "[::1]": "[::1]:443", "[::1]:80": "[::1]:80", "127.0.0.1": "127.0.0.1:443",
	} {
		expect.Equal(t, host, want, hostPort("https", host))
	}
}

func TestHostname(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "lb": "lb", "lb:8443": "lb", "[::1]": "::1", "[::1]:443": "::1", "[fe80::1%eth0]:443": "fe80::1", "10.0.0.1:80": "10.0.0.1",
	} {
		expect.Equal(t, text, want, hostname(text))
	}
}

// TestCancelled: if stickwatch stops or its own time ends, that is no failure of the
// target.
func TestCancelled(t *testing.T) {
	reached := make(chan struct{}, 8)
	u := web(t, func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
	})
	contexts := map[string]func() (context.Context, context.CancelFunc){
		"called off": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-reached
				cancel()
			}()
			return ctx, cancel
		},
		"out of time": func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), short) },
		"before":      func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), 0) },
	}
	for name, start := range contexts {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := start()
			defer cancel()
			ex, _ := NewClient(Target{URL: u, Timeout: ample}).ask(ctx, pageRequest{path: "/"})
			checkPresentable(t, ex)
			if ex.Failure != FailureCancelled {
				t.Errorf("got %q (%s), want %q", ex.Failure, ex.Error, FailureCancelled)
			}
		})
	}
}

// TestConnections: each request opens a new connection.
func TestConnections(t *testing.T) {
	seen := make(map[string]bool)
	u := web(t, func(_ http.ResponseWriter, r *http.Request) { seen[r.RemoteAddr] = true })
	client := NewClient(Target{URL: u, Timeout: ample})
	for range 5 {
		ex, _ := client.ask(t.Context(), pageRequest{path: "/"})
		if ex.LocalAddress.String() != "127.0.0.1" || ex.Address.String() != u.Host {
			t.Errorf("got local address %s and address %s, want 127.0.0.1 and %s", ex.LocalAddress, ex.Address, u.Host)
		}
	}
	if len(seen) != 5 {
		t.Errorf("got %d connections for 5 requests", len(seen))
	}
}

func BenchmarkNewClient(b *testing.B) {
	u := &url.URL{Scheme: "http", Host: "lb"}
	for b.Loop() {
		NewClient(Target{URL: u})
	}
}

// TestRedirect checks where an answer from http://lb/app/a/b?x=1 redirects a client of
// http://lb/app whose Host is shop.example.
func TestRedirect(t *testing.T) {
	client := NewClient(Target{URL: &url.URL{Scheme: "http", Host: "lb", Path: "/app"}, Host: "shop.example"})
	from := must.URL("http://lb/app/a/b?x=1")
	tests := []struct {
		status      int
		location    string
		next, shown string
	}{
		{302, "/app/c", "http://lb/app/c", "/app/c"},
		{302, "c", "http://lb/app/a/c", "/app/a/c"},
		{302, "../c/", "http://lb/app/c/", "/app/c/"},
		{302, "?x=2", "http://lb/app/a/b?x=2", "/app/a/b"},
		{302, "/login", "http://lb/login", "/login"},
		{302, "/application/c", "http://lb/application/c", "/application/c"},
		{302, "/", "http://lb/", "/"},
		{302, "http://lb", "http://lb/", ""},
		{302, "http://lb:80/c", "http://lb/c", "/c"},
		{302, "HTTP://LB/c", "http://lb/c", "/c"},
		{302, "//lb/c", "http://lb/c", "/c"},
		{302, "http://shop.example/c", "http://lb/c", "/c"},
		{302, "http://Shop.Example:80/c", "http://lb/c", "/c"},
		{302, "/a%2Fb", "http://lb/a%2Fb", "/a/b"},
		{302, "http://lb//c", "http://lb//c", "//c"},
		{302, "/c#part", "http://lb/c", "/c"},
		{302, "http://evil:pw@lb/c", "http://lb/c", "/c"},
		{302, "/c;jsessionid=0123456789?x", "http://lb/c;jsessionid=0123456789?x", "/c"},
		{302, "/c%3Bjsessionid=0123456789", "http://lb/c%3Bjsessionid=0123456789", "/c"},
		{302, "/app/(S(lit3py55t21z5v55vlm25s55))/c", "http://lb/app/(S(lit3py55t21z5v55vlm25s55))/c", "/app/c"},
		{301, "/c", "http://lb/c", "/c"},
		{303, "/c", "http://lb/c", "/c"},
		{307, "/c", "http://lb/c", "/c"},
		{308, "/c", "http://lb/c", "/c"},

		{302, "https://lb/c", "", "https://lb/c"},
		{302, "http://lb:8080/c", "", "http://lb:8080/c"},
		{302, "https://sso.example/login;jsessionid=0123456789?ticket=1", "", "https://sso.example/login"},
		{302, "javascript:alert(1)", "", "javascript://"},
		{302, "http://\u202eevil.example/", "", "http://evil.example/"},
		{302, "", "", ""},
		{302, "http://[::1/", "", ""},
		{302, "/%zz", "", ""},
		{200, "/c", "", ""},
		{300, "/c", "", ""},
		{304, "/c", "", ""},
		{500, "/c", "", ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, " ", tt.location), func(t *testing.T) {
			resp := &http.Response{StatusCode: tt.status, Header: http.Header{"Location": {tt.location}}}
			next, shown := client.redirect(from, resp)
			got := ""
			if next != nil {
				got = next.String()
			}
			if got != tt.next || shown != tt.shown {
				t.Errorf("got %q, shown as %q, want %q, %q", got, shown, tt.next, tt.shown)
			}
		})
	}
}

// hops redirects its client n times.
func hops(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at := strings.Count(r.URL.Path, "x")
		if at < n {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
			return
		}
		fmt.Fprint(w, "arrived")
	}
}

func TestChainsOfRedirects(t *testing.T) {
	welcome := func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("seen"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}
	}
	breaks := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/gone" {
			http.Redirect(w, r, "/gone", http.StatusFound)
			return
		}
		panic(http.ErrAbortHandler)
	}
	tests := []struct {
		name     string
		handle   http.HandlerFunc
		follow   bool
		status   int
		failure  Failure
		redirect string
		words    string
	}{
		{"five", hops(5), true, 200, "", "", ""},
		{"six", hops(6), true, 302, FailureRedirect, "/xxxxxx", "more than 5 redirects"},
		{"circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, true, 302, FailureRedirect, "/", "redirect loop"},
		{"circle of two", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, map[string]string{"/": "/a"}[r.URL.Path]+"?", http.StatusFound)
		}, true, 302, FailureRedirect, "/", "redirect loop"},
		{"to the same page with a cookie", welcome, true, 200, "", "", ""},
		{"not followed", hops(1), false, 302, "", "/x", ""},
		{"nowhere", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[::1/")
			w.WriteHeader(http.StatusFound)
		}, true, 302, "", "", ""},
		{"breaks on the way", breaks, true, 0, FailureReset, "", "connection closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ex, _ := fetch(t, Target{URL: web(t, tt.handle), Timeout: ample}, pageRequest{follow: tt.follow})
			if ex.Status != tt.status || ex.Failure != tt.failure || ex.Redirect != tt.redirect || !strings.HasPrefix(ex.Error, tt.words) {
				t.Errorf("got %d, %q, redirect %q, error %q", ex.Status, ex.Failure, ex.Redirect, ex.Error)
			}
		})
	}
}

// TestRedirectsShareTimeout: a chain of redirects has one timeout, not one for each
// hop.
func TestRedirectsShareTimeout(t *testing.T) {
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			<-r.Context().Done()
			return
		}
		http.Redirect(w, r, "/x", http.StatusFound)
	})
	ex, _ := fetch(t, Target{URL: u, Timeout: short}, pageRequest{follow: true})
	if ex.Failure != FailureTimeout || ex.Status != 0 {
		t.Errorf("got failure %q, status %d, want a time-out without a status", ex.Failure, ex.Status)
	}
}
