package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

// sent returns the Cookie header for u.
func sent(jar *Jar, u *url.URL) string {
	var list []string
	for _, c := range jar.Cookies(u) {
		list = append(list, c.Name+"="+c.Value)
	}
	return strings.Join(list, "; ")
}

func cookie(name, value string) *http.Cookie { return &http.Cookie{Name: name, Value: value} }

func TestJarClone(t *testing.T) {
	u := must.URL("http://shop.example/app/page")
	jar := NewJar()
	jar.Set(u, []*http.Cookie{cookie("a", "1"), cookie("b", "1"), {Name: "b", Value: "2", Path: "/"}})
	clone := jar.clone()
	expect.Equal(t, "clone", "a=1; b=1; b=2", sent(clone, u))
	clone.Set(u, []*http.Cookie{cookie("a", "9"), cookie("c", "9"), {Name: "b", MaxAge: -1}})
	expect.Equal(t, "a cookie of its clone changed the jar", "a=1; b=1; b=2", sent(jar, u))
	expect.Equal(t, "clone of the clone", "a=9; c=9; b=2", sent(clone.clone(), u))
}

// TestJarReplacesCookies: the jar of a long-lived client does not grow with the cookies
// that each answer renews.
func TestJarReplacesCookies(t *testing.T) {
	u := must.URL("http://shop.example/")
	jar := NewJar()
	for i := range 2000 {
		jar.Set(u, []*http.Cookie{cookie("sid", fmt.Sprint(i)), {Name: "other", Value: "x", Path: "/app"}})
		jar.Set(u, []*http.Cookie{{Name: "other", Path: "/app", MaxAge: -1}})
	}
	if diff := cmp.Diff("sid=1999", sent(jar.clone(), u)); diff != "" || len(jar.contents) != 1 {
		t.Errorf("clone (-want +got):\n%s\nkept %d cookies, want 1", diff, len(jar.contents))
	}
}

// TestJarWithAnotherClock: the end of a cookie is relative to the clock of the server, which
// may be hours ahead or behind.
func TestJarWithAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := must.URL("http://shop.example/")
		for _, differs := range []time.Duration{-5 * time.Hour, 0, 5 * time.Hour} {
			jar, date := NewJar(), time.Now().Add(differs).Round(0)
			jar.setAt(u, date, []*http.Cookie{
				{Name: "expires", Value: "1", Expires: date.Add(30 * time.Minute)},
				{Name: "age", Value: "1", MaxAge: 1800},
				{Name: "past", Value: "1", Expires: date.Add(-time.Minute)},
			})
			time.Sleep(29 * time.Minute)
			expect.Equal(t, fmt.Sprintf("a clock that differs by %s", differs), "expires=1; age=1", sent(jar.clone(), u))
			time.Sleep(2 * time.Minute)
			expect.Equal(t, fmt.Sprintf("a clock that differs by %s, after the end", differs), "", sent(jar.clone(), u))
		}
	})
}

// TestExpiryIsMonotonic: setting the clock of this machine does not change when cookies end.
func TestExpiryIsMonotonic(t *testing.T) {
	now := time.Now()
	for _, c := range []*http.Cookie{{MaxAge: 60}, {Expires: now.Round(0).Add(time.Minute)}} {
		if got := withExpiry(c, now, now).Expires; got == got.Round(0) { //nolint:staticcheck // Equal ignores the monotonic part
			t.Errorf("%v ends at %s, which follows the wall clock", c, got)
		}
	}
}

// TestJarExpiry: a copy does not extend the life of a cookie, and a life too long for a
// Duration is a long one.
func TestJarExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := must.URL("http://shop.example/")
		jar := NewJar()
		jar.Set(u, []*http.Cookie{
			{Name: "short", Value: "1", MaxAge: 10},
			{Name: "long", Value: "1", MaxAge: 1 << 40},
			{Name: "past", Value: "1", Expires: time.Now().Add(-time.Second)},
			{Name: "session", Value: "1"},
		})
		time.Sleep(6 * time.Second)
		clone := jar.clone()
		expect.Equal(t, "after 6 s", "short=1; long=1; session=1", sent(clone, u))
		time.Sleep(6 * time.Second)
		for _, j := range []*Jar{jar, clone, clone.clone()} {
			expect.Equal(t, "after 12 s", "long=1; session=1", sent(j, u))
		}
	})
}

func TestJarIsBounded(t *testing.T) {
	u := must.URL("http://shop.example/")
	jar := NewJar()
	jar.Set(u, []*http.Cookie{cookie("sid", "1"), cookie("huge", strings.Repeat("x", 5000))})
	for i := range 1000 {
		jar.Set(u, []*http.Cookie{cookie(fmt.Sprint("flood", i), "x")})
	}
	jar.Set(u, []*http.Cookie{cookie("sid", "2")})
	expect.Equal(t, "cookies", maxCookies, len(jar.Cookies(u)))
	got := sent(jar, u)
	if !strings.HasPrefix(got, "sid=2; ") || strings.Contains(got, "huge") {
		t.Errorf("got %.60q, want the session's cookie renewed and the huge one refused", got)
	}
}

func TestJarAll(t *testing.T) {
	jar := NewJar()
	jar.Set(must.URL("http://shop.example/a/b"), []*http.Cookie{cookie("x", "1"), {Name: "y", Value: "2", Secure: true}})
	var names []string
	for _, c := range jar.all() {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"x", "y"}) {
		t.Errorf("got %q, want x and y", names)
	}
}

// TestRejected checks which cookies of an answer from /app/login would not be sent to
// the session's page /cluster/test, and why. Cookie jars treat loopback as secure, so a
// test server cannot show this.
func TestRejected(t *testing.T) {
	const same = "JSESSIONID"
	tests := []struct {
		name   string
		set    string
		scheme string
		want   string // "": it would be sent
	}{
		{"covers", "JSESSIONID=1; Path=/", "http", ""},
		{"covers the folder", "JSESSIONID=1; Path=/cluster", "http", ""},
		{"another path", "JSESSIONID=1; Path=/app", "http", "path /app /cluster/test"},
		{"a path that begins alike", "JSESSIONID=1; Path=/clu", "http", "path /clu /cluster/test"},
		{"no path", "JSESSIONID=1", "http", "no_path /app /cluster/test"},
		{"long path", "JSESSIONID=1; Path=/" + strings.Repeat("x", 99), "http", "path /" + strings.Repeat("x", 60) + "… /cluster/test"},
		{"Secure over http", "JSESSIONID=1; Path=/; Secure", "http", "secure http"},
		{"Secure over https", "JSESSIONID=1; Path=/; Secure", "https", ""},
		{"own Domain", "JSESSIONID=1; Path=/; Domain=shop.example", "http", ""},
		{"Domain above", "JSESSIONID=1; Path=/; Domain=.Example", "http", ""},
		{"another Domain", "JSESSIONID=1; Path=/; Domain=other.example", "http", "domain other.example shop.example"},
		{"Domain below", "JSESSIONID=1; Path=/; Domain=a.shop.example", "http", "domain a.shop.example shop.example"},
		{"good Domain, wrong path", "JSESSIONID=1; Path=/app; Domain=example", "http", "path /app /cluster/test"},
		{"deleted", "JSESSIONID=; Path=/app; Max-Age=0", "http", ""},
		{"deleted long ago", "JSESSIONID=; Path=/app; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http", ""},
		{"not the session's", "theme=dark; Path=/app", "http", ""},
		{"too long", "JSESSIONID=" + strings.Repeat("x", 5000) + "; Path=/", "http", "too_long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ex := keep(t, tt.scheme+"://shop.example", &Session{Path: "/cluster/test?x=1"}, tt.set)
			got := ""
			for _, r := range ex.Rejected {
				expect.Equal(t, "rejected", same, r.Name)
				got = rejection(r)
			}
			expect.Equal(t, "rejected because", tt.want, got)
		})
	}
}

// TestReplaced: of two cookies with one name, a browser keeps the last one, unless they have different paths.
func TestReplaced(t *testing.T) {
	for second, want := range map[string]string{"JSESSIONID=2; Path=/": "replaced", "JSESSIONID=2; Path=/cluster": "", "JSESSIONID=1; Path=/": ""} {
		ex := keep(t, "http://shop.example", &Session{Path: "/cluster/test"}, "JSESSIONID=1; Path=/", second)
		got := ""
		for _, r := range ex.Rejected {
			got = rejection(r)
		}
		expect.Equal(t, second, want, got)
	}
}

// TestRejectedPrefixes checks the name prefixes that require attributes.
func TestRejectedPrefixes(t *testing.T) {
	for set, want := range map[string]string{
		"__Host-id=1; Path=/; Secure":                      "",
		"__Host-id=1; Path=/cluster; Secure":               "host_prefix",
		"__Host-id=1; Path=/; Secure; Domain=shop.example": "host_prefix",
		"__Host-id=1; Path=/":                              "host_prefix",
		"__secure-id=1; Path=/":                            "secure_prefix",
		"__Secure-id=1; Path=/; Secure":                    "",
	} {
		name, _, _ := strings.Cut(set, "=")
		ex := keep(t, "https://shop.example", &Session{Path: "/cluster/test", Cookie: name}, set)
		got := ""
		for _, r := range ex.Rejected {
			got = rejection(r)
		}
		expect.Equal(t, set, want, got)
	}
}

// rejection returns the rule that a cookie breaks, its attribute, and the value that
// does not match.
func rejection(r RejectedCookie) string {
	return strings.Join(strings.Fields(string(r.Rule)+" "+r.Has+" "+r.Asks), " ")
}

// keep gives a client of base an answer from /app/login that sets cookies.
func keep(t *testing.T, base string, s *Session, set ...string) Exchange {
	t.Helper()
	u := must.URL(base)
	client, from := NewClient(Target{URL: u}), *u
	from.Path = "/app/login"
	ex := Exchange{At: time.Now()}
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Set-Cookie": set}}
	pageRequest{jar: NewJar(), public: u, session: s}.storeCookies(client, &from, resp, &ex)
	checkPresentable(t, Exchange{Rejected: ex.Rejected, Status: 200})
	return ex
}

// TestRejectedIsBounded checks the bound.
func TestRejectedIsBounded(t *testing.T) {
	var flood []string
	for i := range 500 {
		flood = append(flood, fmt.Sprintf("JSESSIONID=%d; Path=/%d", i, i))
	}
	ex := keep(t, "http://shop.example", &Session{Path: "/"}, flood...)
	if len(ex.Rejected) != maxRejected || !ex.NewID {
		t.Errorf("got %d rejected, new id %v, want %d and true", len(ex.Rejected), ex.NewID, maxRejected)
	}
}

// TestSetCookieOverTheWire: malformed cookies do no harm.
func TestSetCookieOverTheWire(t *testing.T) {
	var many strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&many, "Set-Cookie: c%d=x\r\n", i)
	}
	floods := map[string]string{
		"hostile names": "Set-Cookie: [31m=1\r\nSet-Cookie: =1\r\nSet-Cookie: ;\r\nSet-Cookie: a b=1\r\nSet-Cookie: a\u202eb=\"\r\n",
		"flood":         many.String(),
	}
	for name, lines := range floods {
		t.Run(name, func(t *testing.T) {
			u := serve(t, respond(head+lines+"Set-Cookie: JSESSIONID=1; Path=/\r\n\r\n"))
			jar := NewJar()
			ex, _ := fetch(t, Target{URL: u, Timeout: ample}, pageRequest{jar: jar, session: tomcatSession})
			if ex.Failure != "" || len(jar.Cookies(u)) > maxCookies {
				t.Errorf("got failure %q and %d cookies", ex.Error, len(jar.Cookies(u)))
			}
			fetch(t, Target{URL: web(t, func(http.ResponseWriter, *http.Request) {}), Timeout: ample}, pageRequest{jar: jar, public: u})
		})
	}
}

func TestNewID(t *testing.T) {
	u := must.URL("http://shop.example/")
	client := NewClient(Target{URL: u})
	jar := NewJar()
	for i, step := range []struct {
		set  string
		want bool
	}{
		{"JSESSIONID=A.tomcat1; Path=/", true},
		{"JSESSIONID=A.tomcat1; Path=/", false}, // the same again, as applications with rolling sessions do
		{"theme=dark", false},
		{"JSESSIONID=A.tomcat2; Path=/", true},
		{"JSESSIONID=; Path=/; Max-Age=0", false},
	} {
		var ex Exchange
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Set-Cookie": {step.set}}}
		pageRequest{jar: jar, public: u, session: tomcatSession}.storeCookies(client, u, resp, &ex)
		if ex.NewID != step.want {
			t.Errorf("step %d, %s: got %v, want %v", i, step.set, ex.NewID, step.want)
		}
	}
}

func TestJarCookies(t *testing.T) {
	kept := []*http.Cookie{cookie("a", "long path"), cookie("a", "short path"), cookie("b", "old")}
	set := []*http.Cookie{cookie("b", "elsewhere"), cookie("c", "new")}
	want := map[string]string{"a": "long path", "b": "elsewhere", "c": "new"}
	expect.Equal(t, "jar", want, jarCookies(kept, set, 200))
	want = map[string]string{"b": "elsewhere", "c": "new"}
	expect.Equal(t, "jar after an error", want, jarCookies(kept, set, 502))
}

// TestPublicURL checks which page of the balancer corresponds to a node's page, and
// which Path the balancer would give a node's cookie.
func TestPublicURL(t *testing.T) {
	tests := []struct{ node, public, page, wantPage, path, wantPath string }{
		{"http://n", "https://lb", "/a/b", "https://lb/a/b", "/a", "/a"},
		{"http://n", "https://lb/app", "/a/b", "https://lb/app/a/b", "/a", "/app/a"},
		{"http://n", "https://lb/app/", "/a/b", "https://lb/app/a/b", "/", "/app"},
		{"http://n/in", "https://lb", "/in/a", "https://lb/a", "/in", "/"},
		{"http://n/in", "https://lb", "/out/a", "https://lb/out/a", "/out", "/out"},
		{"http://n/in", "https://lb/app", "/in/a", "https://lb/app/a", "/in/a/", "/app/a/"},
		{"http://n/in", "https://lb/app", "/inner", "https://lb/inner", "", ""},
		{"http://n/in/", "https://lb/in", "/in/a", "https://lb/in/a", "/in", "/in"},
	}
	for _, tt := range tests {
		client := NewClient(Target{URL: must.URL(tt.node)})
		public := must.URL(tt.public)
		u := &url.URL{Scheme: "http", Host: "n", Path: tt.page}
		if got := client.publicURL(public, u).String(); got != tt.wantPage {
			t.Errorf("%s of %s behind %s: got %s, want %s", tt.page, tt.node, tt.public, got, tt.wantPage)
		}
		if got := client.publicPath(public, tt.path); got != tt.wantPath {
			t.Errorf("Path=%s of %s behind %s: got %s, want %s", tt.path, tt.node, tt.public, got, tt.wantPath)
		}
	}
}

// TestCookiesOfBrowsers: a browser stores cookies with bytes that RFC 6265 forbids, such as the quotes of JSON,
// and sends them back unchanged. net/http drops some and puts others in quotes.
func TestCookiesOfBrowsers(t *testing.T) {
	kept := []string{
		`plain=1`, `json={"id":"1","name":"a,b c"}`, `comma=s.1,s.2`, `space=a b`, `quoted="a b"`, `escaped="1\0542"`, `open="1`,
		"name=M\u00fcller", `user[id]=7`, `empty=`, `equals=a=b==`,
	}
	var mu sync.Mutex
	var got []string
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Cookie"))
		for _, pair := range append(slices.Clone(kept), `=nameless`, `valueless`) {
			w.Header().Add("Set-Cookie", pair+"; Path=/; HttpOnly; Max-Age=60")
		}
	})
	jar, client := NewJar(), NewClient(Target{URL: u})
	var ex Exchange
	for range 2 {
		ex, _ = client.ask(t.Context(), pageRequest{path: "/", jar: jar})
	}
	expect.Equal(t, "length of the cookies", len(strings.Join(kept, "; ")), ex.CookieBytes)
	_, _, err := client.Poll(t.Context(), jar, http.MethodGet, "/", "")
	must.Succeed(t, err)
	expect.Equal(t, "Cookie headers", []string{"", strings.Join(kept, "; "), strings.Join(kept, "; ")}, got)
}
