package probes

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// sessionCookies are the names by which the usual servers call theirs.
var sessionCookies = []string{
	"JSESSIONID", "SESSION", "SESSIONID", "PHPSESSID", "connect.sid", "ASP.NET_SessionId", "sid", "laravel_session",
}

// isSessionCookie reports whether name is the session's cookie: the one the
// configuration names, else one of the usual ones, with or without the prefixes
// of RFC 6265bis.
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

// likelySessionCookies are names that are sessions' as a rule, in small letters:
// enough to doubt a cookie, and to keep it from being shown, not to tell one
// session from another.
var likelySessionCookies = []string{
	"sid", "session", "sessionid", "session_id", "_session_id", "jsessionid", "phpsessid", "connect.sid",
	"asp.net_sessionid", ".aspnetcore.session", "laravel_session", "cfid", "cftoken",
}

// looksLikeSessionCookie is isSessionCookie for those names.
func looksLikeSessionCookie(name, configured string) bool {
	return isSessionCookie(name, configured) || configured == "" && slices.Contains(likelySessionCookies, strings.ToLower(withoutNamePrefix(name)))
}

// keep puts the cookies of an answer from u in the jar, notes what became of
// the session's, and returns what the client holds.
func (q pageRequest) keep(c *Client, u *url.URL, resp *http.Response, ex *Exchange) map[string]string {
	public := c.publicURL(q.public, u)
	set := resp.Cookies()
	if q.secrets != nil {
		q.secrets.set = append(q.secrets.set, set...)
	}
	for _, cookie := range set {
		cookie.Path = c.publicPath(q.public, cookie.Path)
	}
	sent := q.jar.Cookies(public)
	q.jar.Set(public, set)
	set = slices.DeleteFunc(set, func(c *http.Cookie) bool { return deletes(c, ex.At) })
	q.noteSession(public, sent, set, ex)
	return jarCookies(q.jar.Cookies(public), set, resp.StatusCode)
}

// noteSession tells a new session from cookies set, and a session cookie that
// would not come back to the session's page.
func (q pageRequest) noteSession(from *url.URL, sent, set []*http.Cookie, ex *Exchange) {
	if q.session == nil {
		return
	}
	path, _, _ := strings.Cut(q.session.Path, "?")
	page := *q.public
	page.Path = joinPath(page.Path, path)
	kept := q.jar.Cookies(&page)
	for _, c := range set {
		if isSessionCookie(c.Name, q.session.Cookie) && !holds(sent, c) {
			ex.NewID = true
		}
		if looksLikeSessionCookie(c.Name, q.session.Cookie) && !holds(kept, c) && len(ex.Rejected) < maxRejected {
			ex.Rejected = append(ex.Rejected, rejected(jarCookie{from, c}, &page))
		}
	}
}

// maxRejected bounds what a flood of cookies can do.
const maxRejected = 8

func holds(cookies []*http.Cookie, c *http.Cookie) bool {
	return slices.ContainsFunc(cookies, func(h *http.Cookie) bool { return h.Name == c.Name && h.Value == c.Value })
}

// jarCookies is what the client holds after an answer. A cookie it was just
// given counts even where a browser would not send it back: it tells of this
// answer. What it held before says nothing about an error: that may be
// anybody's. Of two with one name, servers read the one with the longer path,
// which stands first.
func jarCookies(kept, set []*http.Cookie, status int) map[string]string {
	held := make(map[string]string)
	if status < 500 {
		for _, c := range slices.Backward(kept) {
			held[c.Name] = c.Value
		}
	}
	for _, c := range set {
		held[c.Name] = c.Value
	}
	return held
}

// publicURL is the URL by which a browser would know the page of the target at
// u: the same page behind the balancer.
func (c *Client) publicURL(public, u *url.URL) *url.URL {
	out := *u
	out.Scheme, out.Host = public.Scheme, public.Host
	out.Path, out.RawPath = replacePrefix(u.Path, c.target.URL.Path, public.Path), ""
	return &out
}

// publicPath is the Path of a cookie as the balancer would hand it on.
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

// replacePrefix puts another prefix before path, where it has the first one.
func replacePrefix(path, from, to string) string {
	rest, ok := strings.CutPrefix(path, strings.TrimRight(from, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return path
	}
	return joinPath(to, rest)
}

// refusal is the rule by which a browser throws a cookie away whoever sets it; "": it
// does not. The prefixes are those of RFC 6265bis, section 4.1.3.
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

// rejected says why a browser would not send h back to page.
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

// covers reports whether a cookie's Domain is host or one that host is in.
func covers(domain, host string) bool {
	domain, host = strings.ToLower(strings.TrimPrefix(domain, ".")), strings.ToLower(host)
	return host == domain || strings.HasSuffix(host, "."+domain)
}
