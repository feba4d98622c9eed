package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestRedirect checks where an answer from http://lb/app/a/b?x=1 sends a client
// of http://lb/app that calls itself shop.example.
func TestRedirect(t *testing.T) {
	client := NewClient(Target{URL: &url.URL{Scheme: "http", Host: "lb", Path: "/app"}, Host: "shop.example"})
	from := parsed(t, "http://lb/app/a/b?x=1")
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

// hops sends its client on n times.
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
		{"six", hops(6), true, 302, FailureRedirect, "/xxxxxx", "redirects more than 5 times"},
		{"circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, true, 302, FailureRedirect, "/", "redirects in circles"},
		{"circle of two", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, map[string]string{"/": "/a"}[r.URL.Path]+"?", http.StatusFound)
		}, true, 302, FailureRedirect, "/", "redirects in circles"},
		{"to the same page with a cookie", welcome, true, 200, "", "", ""},
		{"not followed", hops(1), false, 302, "", "/x", ""},
		{"nowhere", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[::1/")
			w.WriteHeader(302)
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

// TestRedirectsShareTheTime checks that a chain gets one time-out, not one a hop.
func TestRedirectsShareTheTime(t *testing.T) {
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
