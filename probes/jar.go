package probes

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A Jar keeps a client's cookies as a browser would, and can be copied: a
// follow-up that takes a copy is an experiment of its own, and what it is given
// does not spoil the next one.
type Jar struct {
	mu   sync.Mutex
	jar  *cookiejar.Jar
	sets []cookieSet
}

type cookieSet struct {
	url     *url.URL
	cookies []*http.Cookie
}

// maxCookieSets bounds what a target can make a Jar remember.
const maxCookieSets = 256

// NewJar returns an empty Jar.
func NewJar() *Jar {
	jar, _ := cookiejar.New(nil) // fails never: it has no options
	return &Jar{jar: jar}
}

// Clone returns a Jar with the same cookies.
func (j *Jar) Clone() *Jar {
	j.mu.Lock()
	sets := slices.Clone(j.sets)
	j.mu.Unlock()
	clone := NewJar()
	for _, s := range sets {
		clone.Set(s.url, s.cookies)
	}
	return clone
}

// Set stores the cookies that an answer from u has set.
func (j *Jar) Set(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(cookies) == 0 || len(j.sets) >= maxCookieSets {
		return
	}
	j.jar.SetCookies(u, cookies)
	j.sets = append(j.sets, cookieSet{u, cookies})
}

// Cookies returns what a browser would send to u.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(u) }

// sessionCookies are the names by which the usual servers call theirs.
var sessionCookies = []string{
	"JSESSIONID", "SESSION", "SESSIONID", "PHPSESSID", "connect.sid", "ASP.NET_SessionId", "sid", "laravel_session",
}

// isSessionCookie reports whether name is the session's cookie: the one the
// configuration names, else one of the usual ones.
func isSessionCookie(name, configured string) bool {
	if configured != "" {
		return name == configured
	}
	return slices.Contains(sessionCookies, name)
}

// rejected returns those session cookies among set that jar would not send
// back to page, with the reason.
func rejected(jar *Jar, page *url.URL, set []*http.Cookie, configured string, now time.Time) []RejectedCookie {
	var list []RejectedCookie
	kept := jar.Cookies(page)
	for _, c := range set {
		deletes := c.MaxAge < 0 || (!c.Expires.IsZero() && c.Expires.Before(now))
		if deletes || !isSessionCookie(c.Name, configured) {
			continue
		}
		if slices.ContainsFunc(kept, func(k *http.Cookie) bool { return k.Name == c.Name }) {
			continue
		}
		list = append(list, RejectedCookie{Name: Clean(c.Name, 64), Why: whyRejected(c, page)})
	}
	return list
}

func whyRejected(c *http.Cookie, page *url.URL) string {
	switch {
	case c.Secure && page.Scheme != "https":
		return "it is Secure, and the balancer is spoken to over " + page.Scheme
	case c.Domain != "" && c.Domain != page.Hostname():
		return "Domain=" + Clean(c.Domain, 64) + " does not cover " + page.Hostname()
	case c.Path != "":
		return "Path=" + Clean(c.Path, 64) + " does not cover " + Clean(page.Path, 64)
	default:
		return "a browser would not keep it"
	}
}
