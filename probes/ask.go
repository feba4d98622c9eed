package probes

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A question is one request, with what to read from its answer.
type question struct {
	path   string
	jar    *Jar     // nil: comes without cookies and keeps none
	public *url.URL // whose cookies are presented; nil: the target's own
	follow bool     // redirects within the same host

	session *Session // reads label, session id and value; nil: none of them
	version Extractor
}

// maxHops bounds how many redirects a question follows.
const maxHops = 5

// errRedirect ends a chain of redirects.
var errRedirect = errors.New("redirects in circles")

// ask puts q to the target, within its time-out, and reads the answer.
func (c *Client) ask(ctx context.Context, q question) (Exchange, Document) {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	ex := Exchange{At: time.Now(), Path: q.path, Address: c.target.Address}
	if q.jar == nil {
		q.jar = NewJar()
	}
	if q.public == nil {
		q.public = c.target.URL
	}
	path, seen := q.path, []string(nil)
	for {
		doc, next, err := c.hop(ctx, q, path, &ex)
		if err == nil && next != "" && q.follow {
			if seen = append(seen, path); len(seen) < maxHops && !slices.Contains(seen, next) {
				path = next
				continue
			}
			ex.Failure, ex.Error = FailureRedirect, errRedirect.Error()
		}
		ex.Timing.Total = time.Since(ex.At)
		if ex.Failure == "" {
			q.read(doc, &ex)
		}
		return ex, doc
	}
}

// hop is one request and its answer. It returns the path of a redirect on the
// same host.
func (c *Client) hop(ctx context.Context, q question, path string, ex *Exchange) (Document, string, error) {
	t := newTrace()
	fail := func(err error) (Document, string, error) {
		ex.Failure, ex.Error = classify(err, t.stage(), c.target.Timeout)
		ex.Timing = t.timing(time.Now())
		ex.Own, _ = t.ends()
		return Document{}, "", err
	}
	req, err := c.NewRequest(httptrace.WithClientTrace(ctx, t.hooks()), http.MethodGet, path)
	if err != nil {
		return fail(err)
	}
	public := publicURL(q.public, req.URL)
	for _, cookie := range q.jar.Cookies(public) {
		req.AddCookie(cookie)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	ex.Status = resp.StatusCode
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	if err != nil {
		return fail(err)
	}
	ex.Timing = t.timing(time.Now())
	own, peer := t.ends()
	ex.Own = own
	if peer.IsValid() {
		ex.Address = peer
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		ex.Clock = t.clock(date)
	}
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		ex.Certificate = resp.TLS.PeerCertificates[0].NotAfter
	}
	set := resp.Cookies()
	q.jar.Set(public, set)
	q.noteCookies(public, set, ex)
	doc := Document{Header: resp.Header, Body: body, Cookies: heldCookies(q.jar, public, set, resp.StatusCode)}
	return doc, redirect(req.URL, resp, c.target.URL.Path, ex), nil
}

// noteCookies tells a new session from cookies set, and a session cookie that
// would not come back.
func (q question) noteCookies(public *url.URL, set []*http.Cookie, ex *Exchange) {
	if q.session == nil {
		return
	}
	page := *public
	page.Path = joinPath(q.public.Path, strings.SplitN(q.session.Path, "?", 2)[0])
	for _, c := range set {
		ex.NewID = ex.NewID || isSessionCookie(c.Name, q.session.Cookie)
	}
	ex.Rejected = append(ex.Rejected, rejected(q.jar, &page, set, q.session.Cookie, ex.At)...)
}

// read takes from doc what the question asked for.
func (q question) read(doc Document, ex *Exchange) {
	extract := func(e Extractor) string {
		if e == nil {
			return ""
		}
		value, _ := e.Extract(doc)
		return value
	}
	if q.session != nil {
		ex.Label = extract(q.session.Node)
		ex.Session = FingerprintOf(extract(q.session.ID))
		ex.Value = extract(q.session.Read)
	}
	ex.Version = extract(q.version)
}

// publicURL is the URL by which a browser would know the page at u: the same
// path behind the balancer.
func publicURL(public, u *url.URL) *url.URL {
	out := *u
	out.Scheme, out.Host = public.Scheme, public.Host
	return &out
}

// heldCookies is what the client holds after an answer. A cookie it was just
// given counts even where a browser would not send it back. What it held
// before says nothing about an error: that may be anybody's.
func heldCookies(jar *Jar, public *url.URL, set []*http.Cookie, status int) map[string]string {
	held := make(map[string]string)
	for _, c := range set {
		held[c.Name] = c.Value
	}
	if status >= 500 {
		return held
	}
	for _, c := range jar.Cookies(public) {
		held[c.Name] = c.Value
	}
	return held
}

// redirect returns the path and query of a redirect within the same host, and
// notes one that leads elsewhere.
func redirect(from *url.URL, resp *http.Response, prefix string, ex *Exchange) string {
	if resp.StatusCode < 300 || resp.StatusCode > 399 {
		return ""
	}
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return ""
	}
	if !strings.EqualFold(to.Host, from.Host) || to.Scheme != from.Scheme {
		ex.Redirect = Clean(to.Scheme+"://"+to.Host+withoutParams(to.Path), MaxError)
		return ""
	}
	ex.Redirect = Clean(withoutParams(to.Path), MaxError)
	path := strings.TrimPrefix(to.EscapedPath(), strings.TrimSuffix(prefix, "/"))
	if to.RawQuery != "" {
		path += "?" + to.RawQuery
	}
	return path
}

// withoutParams drops path parameters: servlet containers put the session id
// there (;jsessionid=) for clients whose cookies they do not trust yet.
func withoutParams(path string) string {
	path, _, _ = strings.Cut(path, ";")
	return path
}
