package probes

import (
	"cmp"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Jar stores the cookies of a client as a browser does. It can be copied, so that one
// follow-up cannot change the cookies of the next.
type Jar struct {
	mu       sync.Mutex
	jar      *cookiejar.Jar
	contents []jarCookie // the cookies in jar, which cannot list them
}

type jarCookie struct {
	url    *url.URL // the URL whose answer set it
	cookie *http.Cookie
	set    time.Time
}

// The limits of browsers. They also bound the memory that a target can use.
const (
	maxCookies   = 180                  // in a jar
	maxCookie    = 4096                 // bytes of name and value
	maxCookieAge = 400 * 24 * time.Hour // RFC 6265bis, section 5.5
)

// NewJar returns an empty Jar.
func NewJar() *Jar {
	jar, _ := cookiejar.New(nil) // without options there is no error
	return &Jar{jar: jar}
}

// clone returns a Jar with the same cookies.
func (j *Jar) clone() *Jar {
	j.mu.Lock()
	defer j.mu.Unlock()
	clone := NewJar()
	clone.contents = slices.Clone(j.contents)
	for _, h := range clone.contents {
		clone.jar.SetCookies(h.url, []*http.Cookie{h.cookie})
	}
	return clone
}

// Set is setAt for a server whose clock is that of this machine.
func (j *Jar) Set(u *url.URL, cookies []*http.Cookie) { j.setAt(u, time.Time{}, cookies) }

// setAt stores the cookies that an answer from u sets. date is the time of the server; zero:
// that of this machine.
func (j *Jar) setAt(u *url.URL, date time.Time, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	if date.IsZero() {
		date = now
	}
	for _, c := range cookies {
		if refusal(c) == "" {
			j.set(jarCookie{u, withExpiry(c, now, date), now}, now)
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

// replaces reports whether the cookie replaces an older one.
func (j jarCookie) replaces(old jarCookie) bool {
	return j.cookie.Name == old.cookie.Name && j.url.Host == old.url.Host && j.path() == old.path() &&
		strings.EqualFold(j.cookie.Domain, old.cookie.Domain)
}

// path returns the path below which the cookie is sent (RFC 6265, section 5.1.4).
func (j jarCookie) path() string {
	if strings.HasPrefix(j.cookie.Path, "/") {
		return j.cookie.Path
	}
	last := strings.LastIndexByte(j.url.Path, '/')
	if last <= 0 {
		return "/"
	}
	return j.url.Path[:last]
}

// withSession returns a copy of j that has the session cookies of another jar instead of its own.
func (j *Jar) withSession(other *Jar, session *Session) *Jar {
	other.mu.Lock()
	theirs := slices.Clone(other.contents)
	other.mu.Unlock()
	out := j.clone()
	for _, h := range theirs {
		if isSessionCookie(h.cookie.Name, session.Cookie) {
			out.set(h, h.set)
		}
	}
	return out
}

// Cookies returns the cookies that a browser would send to u.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(u) }

// all returns every cookie in the jar.
func (j *Jar) all() []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []*http.Cookie
	for _, h := range j.contents {
		list = append(list, h.cookie)
	}
	return list
}

// presents reports whether a request to u may carry the session. It does not if the session's cookie
// was rejected, or never reached the client.
func (j *Jar) presents(u *url.URL, session *Session) bool {
	return session.Cookie == "" || slices.ContainsFunc(j.Cookies(u), func(c *http.Cookie) bool { return c.Name == session.Cookie })
}

// ended returns the session cookies that have ended at now, which a browser sends no more.
func (j *Jar) ended(now time.Time, session *Session) (list []RejectedCookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	live := func(h jarCookie) bool { return h.cookie.Expires.IsZero() || h.cookie.Expires.After(now) }
	if slices.ContainsFunc(j.contents, func(h jarCookie) bool { return live(h) && isSessionCookie(h.cookie.Name, session.Cookie) }) {
		return nil // the session may be in that one
	}
	for _, h := range j.contents {
		if end := h.cookie.Expires; !end.IsZero() && !end.After(now) && isSessionCookie(h.cookie.Name, session.Cookie) && len(list) < maxRejected {
			list = append(list, RejectedCookie{Name: Clean(h.cookie.Name, 64), Rule: CookieEnded, Life: end.Sub(h.set)})
		}
	}
	return list
}

// maxSetCookies is the number of cookies in one answer above which none is read, as in net/http.
const maxSetCookies = 3000

// setCookies returns the cookies that an answer sets. Browsers also store those whose name or value has bytes
// that RFC 6265 forbids, such as the quotes of JSON, which net/http drops.
func setCookies(answer http.Header) (list []*http.Cookie) {
	lines := answer["Set-Cookie"]
	if len(lines) > maxSetCookies {
		return nil
	}
	for _, line := range lines {
		if c, err := http.ParseSetCookie(line); err == nil {
			list = append(list, c)
			continue
		}
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, ok := strings.Cut(pair, "=")
		if c, _ := http.ParseSetCookie("name=;" + attributes); ok && strings.TrimSpace(name) != "" {
			c.Name, c.Value, c.Raw = strings.TrimSpace(name), strings.TrimSpace(value), line
			list = append(list, c)
		}
	}
	return list
}

// addCookies adds cookies to the header of a request as they were set. net/http puts values with commas or spaces
// in quotes, which many applications take for a part of the value.
func addCookies(request http.Header, cookies []*http.Cookie) {
	var pairs []string
	if before := request.Get("Cookie"); before != "" {
		pairs = []string{before}
	}
	for _, c := range cookies {
		value := c.Value
		if c.Quoted {
			value = `"` + value + `"`
		}
		pairs = append(pairs, c.Name+"="+value)
	}
	if len(pairs) > 0 {
		request.Set("Cookie", strings.Join(pairs, "; "))
	}
}

// dateOf returns the time of the server when it answered; zero: it does not say.
func dateOf(resp *http.Response) time.Time {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// withExpiry returns c with its end as a time of the monotonic clock: copying the jar does not
// extend the life of its cookies, and setting the clock does not change it. Like Chrome, it
// takes Expires relative to the server's clock (date), which may differ from ours.
func withExpiry(c *http.Cookie, now, date time.Time) *http.Cookie {
	if c.MaxAge < 0 || c.MaxAge == 0 && c.Expires.IsZero() {
		return c
	}
	out := *c
	if c.MaxAge == 0 {
		out.Expires = now.Add(min(c.Expires.Sub(date), maxCookieAge))
		return &out
	}
	out.MaxAge = 0
	out.Expires = now.Add(maxCookieAge)
	if c.MaxAge < int(maxCookieAge/time.Second) { // a greater one may overflow a Duration
		out.Expires = now.Add(time.Duration(c.MaxAge) * time.Second)
	}
	return &out
}

// deletes reports whether a cookie is set only to delete one.
func deletes(c *http.Cookie, now time.Time) bool {
	return c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && !c.Expires.After(now)
}

// sessionCookies are the default names of session cookies of common servers.
var sessionCookies = []string{
	"JSESSIONID", "SESSION", "SESSIONID", "PHPSESSID", "connect.sid", "ASP.NET_SessionId", "sid", "laravel_session",
}

// isSessionCookie reports whether name is that of the session cookie: the configured
// name, or a default name with or without the prefixes of RFC 6265bis.
func isSessionCookie(name, configured string) bool {
	if configured != "" {
		return name == configured
	}
	return slices.Contains(sessionCookies, withoutNamePrefix(name))
}

func withoutNamePrefix(name string) string {
	for _, prefix := range []string{"__Host-", "__Secure-"} {
		if hasPrefixFold(name, prefix) {
			return name[len(prefix):]
		}
	}
	return name
}

// likelySessionCookies are names, in lower case, that usually belong to sessions. A
// cookie of such a name is redacted and reported if a browser would reject it, but it
// does not identify a session.
var likelySessionCookies = []string{
	"sid", "session", "sessionid", "session_id", "_session_id", "jsessionid", "phpsessid", "connect.sid",
	"asp.net_sessionid", ".aspnetcore.session", "laravel_session", "cfid", "cftoken",
}

// looksLikeSessionCookie reports whether name is that of the session cookie or, where
// none is configured, one of likelySessionCookies.
func looksLikeSessionCookie(name, configured string) bool {
	return isSessionCookie(name, configured) || configured == "" && slices.Contains(likelySessionCookies, strings.ToLower(withoutNamePrefix(name)))
}

// storeCookies stores the cookies of an answer from u in the jar, records in ex what
// they mean for the session, and returns the cookies that the client has then.
func (p pageRequest) storeCookies(c *Client, u *url.URL, resp *http.Response, ex *Exchange) map[string]string {
	public := c.publicURL(p.public, u)
	set := setCookies(resp.Header)
	if p.secrets != nil {
		p.secrets.set = append(p.secrets.set, set...)
	}
	if len(set) > 0 {
		for _, cookie := range set {
			cookie.Path = c.publicPath(p.public, cookie.Path)
		}
		sent := p.jar.Cookies(public)
		date := dateOf(resp)
		p.jar.setAt(public, date, set)
		set = slices.DeleteFunc(set, func(c *http.Cookie) bool { return deletes(withExpiry(c, ex.At, cmp.Or(date, ex.At)), ex.At) })
		p.checkSession(public, sent, set, ex)
	}
	return jarCookies(p.jar.Cookies(public), set, resp.StatusCode)
}

// checkSession records in ex whether the answer starts a new session, and which session
// cookies a browser would not send back to the session's page.
func (p pageRequest) checkSession(from *url.URL, sent, set []*http.Cookie, ex *Exchange) {
	if p.session == nil {
		return
	}
	path, _, _ := strings.Cut(p.session.Path, "?")
	page := *p.public
	page.Path = joinPath(page.Path, path)
	kept := p.jar.Cookies(&page)
	for i, c := range set {
		if isSessionCookie(c.Name, p.session.Cookie) && !containsCookie(sent, c) {
			ex.NewID = true
		}
		switch replaces := func(d *http.Cookie) bool { return d.Name == c.Name && containsCookie(kept, d) }; {
		case !looksLikeSessionCookie(c.Name, p.session.Cookie) || containsCookie(kept, c) || len(ex.Rejected) >= maxRejected:
		case slices.ContainsFunc(set[i+1:], replaces):
			ex.Rejected = append(ex.Rejected, RejectedCookie{Name: Clean(c.Name, 64), Rule: CookieReplaced})
		default:
			ex.Rejected = append(ex.Rejected, rejected(jarCookie{from, c, ex.At}, &page))
		}
	}
}

// maxRejected bounds the rejected cookies of one answer.
const maxRejected = 8

func containsCookie(cookies []*http.Cookie, c *http.Cookie) bool {
	return slices.ContainsFunc(cookies, func(h *http.Cookie) bool { return h.Name == c.Name && h.Value == c.Value })
}

// jarCookies returns the cookies of a client after an answer, by name. A cookie that
// the answer sets counts even if a browser would not send it back, because it describes
// this answer. Earlier cookies do not count for an error, which any server may have
// sent. Of two cookies with one name, servers read the one with the longer path, which
// comes first in kept.
func jarCookies(kept, set []*http.Cookie, status int) map[string]string {
	stored := make(map[string]string)
	if status < 500 {
		for _, c := range slices.Backward(kept) {
			stored[c.Name] = c.Value
		}
	}
	for _, c := range set {
		stored[c.Name] = c.Value
	}
	return stored
}

// publicURL returns the URL by which a browser knows the target's page at u, which is
// the same page behind the balancer.
func (c *Client) publicURL(public, u *url.URL) *url.URL {
	out := *u
	out.Scheme, out.Host = public.Scheme, public.Host
	out.Path, out.RawPath = replacePrefix(u.Path, c.target.URL.Path, public.Path), ""
	return &out
}

// publicPath returns the Path of a cookie as the balancer would pass it on.
func (c *Client) publicPath(public *url.URL, path string) string {
	own, prefix := c.target.URL.Path, public.Path
	if path == "" || strings.TrimRight(own, "/") == strings.TrimRight(prefix, "/") {
		return path
	}
	if moved := replacePrefix(path, own, prefix); path != "/" || moved == "/" {
		return moved
	}
	return strings.TrimRight(prefix, "/") // Path=/app/ would not cover /app
}

// replacePrefix replaces the prefix from of a path by to. A path without it stays.
func replacePrefix(path, from, to string) string {
	rest, ok := strings.CutPrefix(path, strings.TrimRight(from, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return path
	}
	return joinPath(to, rest)
}

// refusal returns the rule by which a browser rejects a cookie from any page; "": none.
// The rules for prefixes are in RFC 6265bis, section 4.1.3.
func refusal(c *http.Cookie) CookieRule {
	switch {
	case len(c.Name)+len(c.Value) > maxCookie:
		return CookieTooLong
	case hasPrefixFold(c.Name, "__Secure-") && !c.Secure:
		return CookieSecurePrefix
	case hasPrefixFold(c.Name, "__Host-") && (!c.Secure || c.Domain != "" || c.Path != "/"):
		return CookieHostPrefix
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return CookieSameSite
	default:
		return ""
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// rejected returns the reason why a browser would not send h back to page.
func rejected(h jarCookie, page *url.URL) RejectedCookie {
	host, path := Clean(page.Hostname(), 64), Clean(page.Path, 64)
	c := h.cookie
	r := RejectedCookie{Name: Clean(c.Name, 64)}
	switch rule := refusal(c); {
	case rule != "":
		r.Rule = rule
	case c.Secure && page.Scheme != "https":
		r.Rule, r.Asks = CookieSecure, page.Scheme
	case c.Domain != "" && !covers(c.Domain, page.Hostname()):
		r.Rule, r.Has, r.Asks = CookieDomain, Clean(c.Domain, 64), host
	case c.Path != "":
		r.Rule, r.Has, r.Asks = CookiePath, Clean(c.Path, 64), path
	default:
		r.Rule, r.Has, r.Asks = CookieNoPath, Clean(h.path(), 64), path
	}
	return r
}

// covers reports whether host is a cookie's Domain or in it.
func covers(domain, host string) bool {
	domain, host = strings.ToLower(strings.TrimPrefix(domain, ".")), strings.ToLower(host)
	return host == domain || strings.HasSuffix(host, "."+domain)
}
