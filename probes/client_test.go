package probes

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
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
			u, err := NewClient(Target{URL: parsed(t, tt.base)}).URL(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, u.String()); diff != "" {
				t.Errorf("URL (-want +got):\n%s", diff)
			}
		})
	}
	if u, err := NewClient(Target{URL: parsed(t, "http://lb")}).URL("/%zz"); err == nil {
		t.Errorf("got %s, want an error", u)
	}
}

// TestIntroduction checks what the target hears: the public host, the key, the
// cookies.
func TestIntroduction(t *testing.T) {
	heard := make(chan *http.Request, 1)
	u := web(t, func(_ http.ResponseWriter, r *http.Request) { heard <- r })
	jar := NewJar()
	jar.Set(parsed(t, "http://public.example"), []*http.Cookie{{Name: "sid", Value: "v"}, {Name: "a", Value: "b c"}})
	name := &url.URL{Scheme: "http", Host: "no.such.host.invalid:1234", Path: "/app"}
	target := Target{
		URL: name, Address: netip.MustParseAddrPort(u.Host), Host: "shop.example", KeyHeader: "x-client", Key: "10.0.1.1", Timeout: ample,
	}
	fetch(t, target, pageRequest{path: "/a?x=1", jar: jar, public: parsed(t, "http://public.example")})
	r := <-heard
	got := []string{r.Host, r.RequestURI, r.Header.Get("X-Client"), r.UserAgent(), r.Header.Get("Cookie"), r.Header.Get("Connection")}
	want := []string{"shop.example", "/app/a?x=1", "10.0.1.1", "stickwatch", `sid=v; a="b c"`, "close"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestHostPort(t *testing.T) {
	for host, want := range map[string]string{
		"LB": "lb:443", "lb:8443": "lb:8443", "[::1]": "[::1]:443", "[::1]:80": "[::1]:80", "127.0.0.1": "127.0.0.1:443",
	} {
		if got := hostPort("https", host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

func TestHostname(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "lb": "lb", "lb:8443": "lb", "[::1]": "::1", "[::1]:443": "::1", "[fe80::1%eth0]:443": "fe80::1", "10.0.0.1:80": "10.0.0.1",
	} {
		if got := hostname(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestCancelled checks that an end of stickwatch's own is not blamed on the
// target, whether it is called off or its own time is up.
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
			fit(t, ex)
			if ex.Failure != FailureCancelled {
				t.Errorf("got %q (%s), want %q", ex.Failure, ex.Error, FailureCancelled)
			}
		})
	}
}

// TestConnections checks that each request has a connection of its own.
func TestConnections(t *testing.T) {
	seen := make(map[string]bool)
	u := web(t, func(_ http.ResponseWriter, r *http.Request) { seen[r.RemoteAddr] = true })
	client := NewClient(Target{URL: u, Timeout: ample})
	for range 5 {
		ex, _ := client.ask(t.Context(), pageRequest{path: "/"})
		if ex.LocalAddress.String() != "127.0.0.1" || ex.Address.String() != u.Host {
			t.Errorf("got own %s and address %s, want 127.0.0.1 and %s", ex.LocalAddress, ex.Address, u.Host)
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
