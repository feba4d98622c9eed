package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sent is the Cookie header for u.
func sent(jar *Jar, u *url.URL) string {
	var list []string
	for _, c := range jar.Cookies(u) {
		list = append(list, c.Name+"="+c.Value)
	}
	return strings.Join(list, "; ")
}

func cookie(name, value string) *http.Cookie { return &http.Cookie{Name: name, Value: value} }

func TestJarClone(t *testing.T) {
	u := parsed(t, "http://shop.example/app/page")
	jar := NewJar()
	jar.Set(u, []*http.Cookie{cookie("a", "1"), cookie("b", "1"), {Name: "b", Value: "2", Path: "/"}})
	clone := jar.Clone()
	if diff := cmp.Diff("a=1; b=1; b=2", sent(clone, u)); diff != "" {
		t.Errorf("clone (-want +got):\n%s", diff)
	}
	clone.Set(u, []*http.Cookie{cookie("a", "9"), cookie("c", "9"), {Name: "b", MaxAge: -1}})
	if diff := cmp.Diff("a=1; b=1; b=2", sent(jar, u)); diff != "" {
		t.Errorf("what its clone was given spoilt the jar (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("a=9; c=9; b=2", sent(clone.Clone(), u)); diff != "" {
		t.Errorf("clone of the clone (-want +got):\n%s", diff)
	}
}

// TestJarKeepsOnLearning checks that a jar of a long-lived client does not fill
// up with the cookies that each answer renews.
func TestJarKeepsOnLearning(t *testing.T) {
	u := parsed(t, "http://shop.example/")
	jar := NewJar()
	for i := range 2000 {
		jar.Set(u, []*http.Cookie{cookie("sid", fmt.Sprint(i)), {Name: "other", Value: "x", Path: "/app"}})
		jar.Set(u, []*http.Cookie{{Name: "other", Path: "/app", MaxAge: -1}})
	}
	if diff := cmp.Diff("sid=1999", sent(jar.Clone(), u)); diff != "" || len(jar.contents) != 1 {
		t.Errorf("clone (-want +got):\n%s\nkept %d cookies, want 1", diff, len(jar.contents))
	}
}

// TestJarAges checks that a copy does not begin the life of a cookie anew, and
// that a life too long for a Duration is a long one.
func TestJarAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := parsed(t, "http://shop.example/")
		jar := NewJar()
		jar.Set(u, []*http.Cookie{
			{Name: "short", Value: "1", MaxAge: 10},
			{Name: "long", Value: "1", MaxAge: 1 << 40},
			{Name: "past", Value: "1", Expires: time.Now().Add(-time.Second)},
			{Name: "session", Value: "1"},
		})
		time.Sleep(6 * time.Second)
		clone := jar.Clone()
		if diff := cmp.Diff("short=1; long=1; session=1", sent(clone, u)); diff != "" {
			t.Errorf("after 6 s (-want +got):\n%s", diff)
		}
		time.Sleep(6 * time.Second)
		for _, j := range []*Jar{jar, clone, clone.Clone()} {
			if diff := cmp.Diff("long=1; session=1", sent(j, u)); diff != "" {
				t.Errorf("after 12 s (-want +got):\n%s", diff)
			}
		}
	})
}

func TestJarIsBounded(t *testing.T) {
	u := parsed(t, "http://shop.example/")
	jar := NewJar()
	jar.Set(u, []*http.Cookie{cookie("sid", "1"), cookie("huge", strings.Repeat("x", 5000))})
	for i := range 1000 {
		jar.Set(u, []*http.Cookie{cookie(fmt.Sprint("flood", i), "x")})
	}
	jar.Set(u, []*http.Cookie{cookie("sid", "2")})
	if got := len(jar.Cookies(u)); got != maxCookies {
		t.Errorf("got %d cookies, want %d", got, maxCookies)
	}
	got := sent(jar, u)
	if !strings.HasPrefix(got, "sid=2; ") || strings.Contains(got, "huge") {
		t.Errorf("got %.60q, want the session's cookie renewed and the huge one refused", got)
	}
}

func TestJarAll(t *testing.T) {
	jar := NewJar()
	jar.Set(parsed(t, "http://shop.example/a/b"), []*http.Cookie{cookie("x", "1"), {Name: "y", Value: "2", Secure: true}})
	var names []string
	for _, c := range jar.all() {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"x", "y"}) {
		t.Errorf("got %q, want x and y", names)
	}
}
