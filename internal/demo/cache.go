package demo

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A CacheConfig configures a cache in front of a balancer. It caches complete answers
// with status 200 to GET requests, by host and URI, as nginx's proxy_cache does. It
// ignores Vary. The zero value caches nothing.
type CacheConfig struct {
	// TTL is the lifetime of an answer that does not define its own, as in
	// proxy_cache_valid. 0: no cache.
	TTL time.Duration

	// IgnoreCacheControl and IgnoreSetCookie cache answers that must not be cached, as
	// proxy_ignore_headers does. With both, clients get each other's sessions.
	IgnoreCacheControl bool
	IgnoreSetCookie    bool

	// OnlyWithoutCookie bypasses the cache for requests with a cookie, as
	// proxy_cache_bypass and proxy_no_cache do with $http_cookie.
	OnlyWithoutCookie bool
}

// concerns reports whether a request may be answered from the cache.
func (c CacheConfig) concerns(r *http.Request) bool {
	return c.TTL > 0 && r.Method == http.MethodGet && !wantsUpgrade(r) &&
		!(c.OnlyWithoutCookie && r.Header.Get("Cookie") != "")
}

// ttl returns the lifetime of an answer; 0: it must not be cached.
func (c CacheConfig) ttl(status int, header http.Header) time.Duration {
	if status != http.StatusOK || header.Get("Set-Cookie") != "" && !c.IgnoreSetCookie {
		return 0
	}
	ttl := c.TTL
	if c.IgnoreCacheControl {
		return ttl
	}
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache", "private":
			return 0
		case "max-age", "s-maxage":
			if seconds, err := strconv.Atoi(value); err == nil {
				ttl = time.Duration(seconds) * time.Second
			}
		}
	}
	return ttl
}

// maxCached limits the answers in a cache. A full cache is emptied.
const maxCached = 1000

// A cache stores answers. The zero value is an empty cache.
type cache struct {
	mu      sync.Mutex
	answers map[string]cachedAnswer
}

type cachedAnswer struct {
	header  http.Header
	body    []byte
	expires time.Time
}

func cacheKey(r *http.Request) string { return r.Host + r.URL.RequestURI() }

// serve answers a request from the cache, or calls next and caches its answer.
func (c *cache) serve(config CacheConfig, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	if a, ok := c.lookup(cacheKey(r), time.Now()); ok {
		maps.Copy(w.Header(), a.header.Clone())
		w.Write(a.body)
		return
	}
	recorder := &answerRecorder{ResponseWriter: w, status: http.StatusOK}
	next(recorder, r)
	if ttl := config.ttl(recorder.status, recorder.header); ttl > 0 && recorder.complete() {
		c.store(cacheKey(r), cachedAnswer{recorder.header, recorder.body.Bytes(), time.Now().Add(ttl)})
	}
}

func (c *cache) lookup(key string, now time.Time) (cachedAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[key]
	return a, ok && now.Before(a.expires)
}

func (c *cache) store(key string, a cachedAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil || len(c.answers) >= maxCached {
		c.answers = make(map[string]cachedAnswer)
	}
	c.answers[key] = a
}

// An answerRecorder passes an answer on and records up to maxBody bytes of it.
type answerRecorder struct {
	http.ResponseWriter
	status int
	header http.Header // header as sent; nil: nothing was sent
	body   bytes.Buffer
}

// Unwrap returns the writer that http.ResponseController needs.
func (r *answerRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *answerRecorder) WriteHeader(status int) {
	r.status, r.header = status, r.Header().Clone()
	r.ResponseWriter.WriteHeader(status)
}

func (r *answerRecorder) Write(part []byte) (int, error) {
	if r.header == nil {
		r.WriteHeader(http.StatusOK)
	}
	if r.complete() {
		r.body.Write(part)
	}
	return r.ResponseWriter.Write(part)
}

// complete reports whether the whole answer was recorded.
func (r *answerRecorder) complete() bool { return r.body.Len() <= maxBody }
