package demo

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"stickwatch/internal/must"
)

// cachedSessions sends two requests of each of two clients, in turn, and returns the
// sessions they see: "a" is the first one, "b" the next different one.
func cachedSessions(t *testing.T, c *Cluster) string {
	t.Helper()
	var ids []string
	browsers, seen := clients(t, 2), ""
	for _, browser := range append(browsers, browsers...) {
		id := shownID(t, browser.get(c.Balancer.URL()+"/cluster/test"))
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		seen += string("abcd"[slices.Index(ids, id)])
	}
	return seen
}

func TestCacheLeaksSessions(t *testing.T) {
	careless := CacheConfig{TTL: time.Hour, IgnoreCacheControl: true, IgnoreSetCookie: true}
	partly := careless
	partly.OnlyWithoutCookie = true
	for _, tt := range []struct {
		name  string
		cache CacheConfig
		want  string
	}{
		{"none", CacheConfig{}, "abab"},
		{"obeys Cache-Control", CacheConfig{TTL: time.Hour, IgnoreSetCookie: true}, "abab"},
		{"does not keep cookies", CacheConfig{TTL: time.Hour, IgnoreCacheControl: true}, "abaa"}, // the second answer sets no cookie and is cached
		{"careless", careless, "aaaa"},
		{"only without a cookie", partly, "aaaa"},
	} {
		if got := cachedSessions(t, startCluster(t, Config{Cache: tt.cache, Shared: true})); got != tt.want {
			t.Errorf("%s: sessions %q, want %q", tt.name, got, tt.want)
		}
	}
	c := startCluster(t, Config{Shared: true})
	c.Balancer.Change(func(f *BalancerFaults) { f.Cache = careless })
	if got := cachedSessions(t, c); got != "aaaa" {
		t.Errorf("as a fault: sessions %q, want one", got)
	}
	must.Succeed(t, c.Heal())
	if got := cachedSessions(t, c); got != "abab" {
		t.Errorf("healed: sessions %q, want two", got)
	}
}

func TestCacheControl(t *testing.T) {
	for _, tt := range []struct {
		status  int
		control string
		cookie  string
		want    time.Duration
	}{
		{200, "", "", time.Hour},
		{404, "", "", 0},
		{200, "", "a=b", 0},
		{200, "public, max-age=60", "", time.Minute},
		{200, "max-age=0", "", 0},
		{200, "Private", "", 0},
		{200, "no-cache, max-age=60", "", 0},
		{200, "max-age=soon", "", time.Hour},
	} {
		header := http.Header{}
		for name, value := range map[string]string{"Cache-Control": tt.control, "Set-Cookie": tt.cookie} {
			if value != "" {
				header.Set(name, value)
			}
		}
		if got := (CacheConfig{TTL: time.Hour}).ttl(tt.status, header); got != tt.want {
			t.Errorf("%+v: kept for %v", tt, got)
		}
	}
	var c cache
	c.store("/", cachedAnswer{expires: at(10)})
	for second, want := range map[float64]bool{9: true, 10: false} {
		if _, ok := c.lookup("/", at(second)); ok != want {
			t.Errorf("at %v s: found %t, want %t", second, ok, want)
		}
	}
}
