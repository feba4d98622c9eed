package probes

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Jar keeps a client's cookies as a browser would, and can be copied: a
// follow-up that takes a copy is an experiment of its own, and what it is given
// does not spoil the next one.
type Jar struct {
	mu       sync.Mutex
	jar      *cookiejar.Jar
	contents []jarCookie // what jar holds, because it cannot be asked
}

type jarCookie struct {
	url    *url.URL // whose answer set it
	cookie *http.Cookie
}

// The bounds of browsers, which keep a target from filling memory.
const (
	maxCookies   = 180                  // in a jar
	maxCookie    = 4096                 // bytes of name and value
	maxCookieAge = 400 * 24 * time.Hour // RFC 6265bis, section 5.5
)

// NewJar returns an empty Jar.
func NewJar() *Jar {
	jar, _ := cookiejar.New(nil) // fails never: it has no options
	return &Jar{jar: jar}
}

// Clone returns a Jar with the same cookies.
func (j *Jar) Clone() *Jar {
	j.mu.Lock()
	defer j.mu.Unlock()
	clone := NewJar()
	clone.contents = slices.Clone(j.contents)
	for _, h := range clone.contents {
		clone.jar.SetCookies(h.url, []*http.Cookie{h.cookie})
	}
	return clone
}

// Set stores the cookies that an answer from u has set.
func (j *Jar) Set(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	for _, c := range cookies {
		if refusal(c) == "" {
			j.set(jarCookie{u, withExpiry(c, now)}, now)
		}
	}
}

func (j *Jar) set(h jarCookie, now time.Time) {
	at := slices.IndexFunc(j.contents, h.replaces)
	switch {
	case deletes(h.cookie, now):
		if at >= 0 {
			j.contents = slices.Delete(j.contents, at, at+1)
		}
	case at >= 0:
		j.contents[at] = h
	case len(j.contents) >= maxCookies:
		return
	default:
		j.contents = append(j.contents, h)
	}
	j.jar.SetCookies(h.url, []*http.Cookie{h.cookie})
}

// replaces reports whether h takes the place of an older cookie.
func (h jarCookie) replaces(old jarCookie) bool {
	return h.cookie.Name == old.cookie.Name && h.url.Host == old.url.Host && h.path() == old.path() &&
		strings.EqualFold(h.cookie.Domain, old.cookie.Domain)
}

// path is the part of the site that gets the cookie (RFC 6265, section 5.1.4).
func (h jarCookie) path() string {
	if strings.HasPrefix(h.cookie.Path, "/") {
		return h.cookie.Path
	}
	last := strings.LastIndexByte(h.url.Path, '/')
	if last <= 0 {
		return "/"
	}
	return h.url.Path[:last]
}

// Cookies returns what a browser would send to u.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(u) }

// all returns every cookie held, wherever it would be sent.
func (j *Jar) all() []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []*http.Cookie
	for _, h := range j.contents {
		list = append(list, h.cookie)
	}
	return list
}

// withExpiry is c with the end of its life as a moment: a copy of the jar must not
// begin the life of its cookies anew.
func withExpiry(c *http.Cookie, now time.Time) *http.Cookie {
	if c.MaxAge <= 0 {
		return c
	}
	out := *c
	out.MaxAge = 0
	out.Expires = now.Add(maxCookieAge)
	if c.MaxAge < int(maxCookieAge/time.Second) { // a greater one may be too long for a Duration
		out.Expires = now.Add(time.Duration(c.MaxAge) * time.Second)
	}
	return &out
}

// deletes reports whether a cookie is set only to be thrown away.
func deletes(c *http.Cookie, now time.Time) bool {
	return c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && !c.Expires.After(now)
}
