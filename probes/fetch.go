package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/panics"
)

// A pageRequest is one request for a page, and what to read from its answer.
type pageRequest struct {
	path        string
	url         *url.URL     // on the target; nil: that of path
	form        *formRequest // sent with POST; nil: the request is a GET
	jar         *Jar         // nil: the request has no cookies, and those of the answer are dropped
	public      *url.URL     // the URL whose cookies are sent; nil: the target's own
	stripPrefix bool         // removes from session cookies what a balancer has put before them
	follow      bool         // follows redirects to the same host

	secrets *secrets // collects what must be redacted; nil: the caller does not need it
	session *Session // reads label, store, session id and value; nil: none of them
	version Extractor
	title   Extractor

	loggedIn Extractor // shows by the page whether the client is logged in; nil: it need not be
	hide     []string  // further credentials that must be redacted

	expected  string        // id of the node that will answer; "": any node, or the target is a node
	inSession *sessionScope // nil: the request has no session
}

// ask sends a request when the cluster's limiter admits it, within the target's timeout, and
// reads the answer.
func (c *Client) ask(ctx context.Context, q pageRequest) (Exchange, Document) {
	return c.reserve(ctx, q)()
}

// reserve waits until the cluster's limiter admits the request, and returns the function that
// sends it, which must be called.
func (c *Client) reserve(ctx context.Context, request pageRequest) func() (Exchange, Document) {
	a := c.admissionRequest(request.path, request.expected)
	a.session = request.inSession
	p, err := c.target.Limiter.admit(ctx, a)
	return func() (ex Exchange, doc Document) {
		if err == nil {
			run := c.run
			if request.form != nil {
				run = c.runOnce // a second one may be a second wrong password
			}
			err = run(ctx, p, func() response {
				var hops int
				ex, doc, hops = c.attempt(ctx, request)
				return response{
					label: ex.Label, answered: ex.Failure == "", timedOut: ex.Failure == FailureTimeout, extra: max(0, hops-1),
					limited: limitedFor(ex.Status, doc),
				}
			})
		}
		if err != nil {
			ex, doc = c.failed(ctx, request, time.Now(), err), Document{}
		}
		return ex, doc
	}
}

// attempt is send, but returns a panic as a failed exchange.
func (c *Client) attempt(ctx context.Context, q pageRequest) (ex Exchange, doc Document, hops int) {
	began := time.Now()
	if err := panics.Catch(panics.Probe, func() { ex, doc, hops = c.send(ctx, q) }); err != nil {
		return c.failed(ctx, q, began, err), Document{}, 0
	}
	return ex, doc, hops
}

// failed returns an exchange without an answer because of err.
func (c *Client) failed(ctx context.Context, q pageRequest, began time.Time, err error) Exchange {
	ex := Exchange{At: began, Path: q.path, Address: c.target.Address}
	ex.Failure, ex.Error = classify(ctx, err, c.target.Timeout)
	return ex
}

// send sends a request to the target and returns the number of requests, which includes those
// for redirects.
func (c *Client) send(parent context.Context, request pageRequest) (Exchange, Document, int) {
	ctx, cancel := context.WithTimeout(parent, c.target.Timeout)
	defer cancel()
	request.secrets = cmp.Or(request.secrets, new(secrets))
	request.secrets.sent = slices.Concat(c.secrets, request.hide)
	ex := Exchange{At: time.Now(), Path: request.path, Address: c.target.Address}
	if request.jar == nil {
		request.jar = NewJar()
	}
	if request.public == nil {
		request.public = c.target.URL
	}
	if request.session != nil {
		ex.Rejected = request.jar.ended(ex.At, request.session)
	}
	doc, hops, err := c.fetchFollowing(ctx, request, &ex)
	ex.Timing.Total = time.Since(ex.At)
	if err != nil {
		ex.Failure, ex.Error = classify(parent, err, c.target.Timeout)
	}
	request.read(doc, &ex)
	return ex, doc, hops
}

// maxRedirects bounds how many redirects of one page are followed.
const maxRedirects = 5

// fetchFollowing requests the page and follows redirects if the request does. A redirect to a
// page already seen is no proof of a loop, because it may set the cookie that was
// missing there.
func (c *Client) fetchFollowing(ctx context.Context, q pageRequest, ex *Exchange) (doc Document, hops int, err error) {
	address := q.url
	if address == nil {
		if address, err = c.URL(q.path); err != nil {
			return Document{}, 0, err
		}
	}
	seen := make(map[string]bool)
	var first *Document
	for hops < maxRedirects+1 {
		seen[address.String()] = true
		hops++
		doc, next, err := c.hop(ctx, q, address, ex)
		doc.from = first
		if err != nil || next == nil {
			return doc, hops, err
		}
		if first == nil {
			first = &doc
		}
		address = next
		ex.FinalPath = Clean(address.Path, MaxValue)
	}
	if seen[address.String()] {
		return Document{}, hops, errRedirectLoop
	}
	return Document{}, hops, errTooManyRedirects
}

// hop sends one request and reads its answer. It returns the URL that the answer
// redirects to; nil: none.
func (c *Client) hop(ctx context.Context, request pageRequest, address *url.URL, ex *Exchange) (Document, *url.URL, error) {
	t := newHopTimer()
	ex.Status, ex.Redirect = 0, ""
	sent := make(http.Header)
	addCookies(sent, request.jar.Cookies(c.publicURL(request.public, address)))
	ex.CookieBytes = len(sent.Get("Cookie"))
	resp, body, err := c.fetch(t.watch(ctx), request, address) //nolint:bodyclose // fetch has read and closed it
	t.record(ex)
	if resp != nil {
		ex.Status = resp.StatusCode
	}
	if err != nil {
		return Document{}, nil, stageError{err, t.stage(), t.answering()}
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		ex.Clock = t.clock(date)
	}
	ex.Truncated = len(body) >= MaxBody
	doc := Document{Header: resp.Header, Body: body, Cookies: request.storeCookies(c, address, resp, ex), derived: make(map[any]any)}
	next, shown := c.redirect(address, resp)
	ex.Redirect = shown
	if request.form != nil && resp.StatusCode >= http.StatusTemporaryRedirect {
		next = nil // it asks for the same form, with the password, once more
	}
	doc.url, doc.next = address, next
	if !request.follow {
		next = nil
	}
	return doc, next, nil
}

// fetch returns the answer and its body. If the body ends early, it returns both the
// answer and an error.
func (c *Client) fetch(ctx context.Context, q pageRequest, u *url.URL) (*http.Response, []byte, error) {
	req, err := c.newRequest(ctx, http.MethodGet, u)
	if q.form != nil {
		req, err = q.form.request(ctx, c)
	}
	if err != nil {
		return nil, nil, err
	}
	cookies := q.jar.Cookies(c.publicURL(q.public, u))
	for _, cookie := range cookies {
		if q.stripPrefix && isSessionCookie(cookie.Name, q.session.Cookie) {
			cookie.Value = withoutPrefix(cookie.Value)
		}
	}
	addCookies(req.Header, cookies)
	// Do would parse a Location that is not followed, and quote an invalid one, which
	// may contain a session id.
	resp, err := c.http.Transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode < 100 {
		// The body of a 101 is the connection itself, and reading it may never end.
		return nil, nil, fmt.Errorf("malformed HTTP response: status %03d to a plain request", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	return resp, body, err
}

// read fills ex with the values that the request reads from doc. Of a failed exchange it collects
// only the secrets to redact.
func (p pageRequest) read(doc Document, ex *Exchange) {
	stored := p.jar.all()
	if ex.Failure != "" {
		doc = Document{Cookies: jarCookies(stored, nil, 0)}
	}
	var session Session
	if p.session != nil {
		session = *p.session
	}
	p.secrets.session = session.Cookie
	p.secrets.addCookies(slices.Concat(stored, p.secrets.set))
	id := extract(session.ID, doc)
	p.secrets.addID(id)
	p.secrets.allow(session.Node, doc.Cookies)
	if ex.Failure == "" {
		ex.Session = FingerprintOf(id)
		shown := doc
		shown.Cookies = jarCookies(nil, p.secrets.set, ex.Status)
		ex.ShowsSession = extract(session.ID, shown) != ""
		ex.HasRoute = routed(doc.Cookies, session.Cookie)
		ex.Label, ex.Store = extract(session.Node, doc), extract(session.Store, doc)
		ex.Value, ex.Version, ex.Title = extract(session.Read, doc), extract(p.version, doc), extract(p.title, doc)
		ex.LoggedIn = loginState(p.loggedIn, doc, *ex)
		if ex.LoggedIn == LoggedOut && doc.from != nil {
			ex.Label = cmp.Or(extract(session.Node, *doc.from), ex.Label) // who sends a user to the login page does not know the session
		}
	}
	p.secrets.redact(ex)
}

// loginState returns whether the client is logged in according to an answer with its session.
// An answer of 5xx, or of 4xx other than 401, does not show it.
func loginState(loggedIn Extractor, doc Document, ex Exchange) LoginState {
	if loggedIn == nil {
		return ""
	}
	success := ex.Status >= 200 && ex.Status < 300
	_, found := loggedIn.Extract(doc)
	switch {
	case success && found:
		return LoggedIn
	case success && ex.Truncated:
		return ""
	case success, ex.Redirect != "", ex.Status == http.StatusUnauthorized:
		return LoggedOut
	default:
		return ""
	}
}

// withoutPrefix returns a session cookie as the application set it. HAProxy's `cookie
// NAME prefix` puts the server's name and a tilde before it, and removes them from
// requests.
func withoutPrefix(value string) string {
	if _, own, ok := strings.Cut(value, "~"); ok {
		return own
	}
	return value
}

// routed reports whether a session cookie has a route after its id.
func routed(cookies map[string]string, configured string) bool {
	for name, value := range cookies {
		if isSessionCookie(name, configured) && strings.Contains(value, ".") {
			return true
		}
	}
	return false
}

func extract(e Extractor, doc Document) string {
	if e == nil {
		return ""
	}
	value, _ := e.Extract(doc)
	return Clean(value, MaxValue)
}

// Errors of chains of redirects.
var (
	errRedirectLoop     = errors.New("redirect loop")
	errTooManyRedirects = errors.New("more than 5 redirects")
)

// redirect returns the URL to which resp, the answer from address, redirects. next is nil if
// there is no redirect or it leads to another host. shown is the target for people.
func (c *Client) redirect(address *url.URL, resp *http.Response) (next *url.URL, shown string) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, ""
	}
	location := resp.Header.Get("Location")
	to, err := address.Parse(location)
	if err != nil || location == "" {
		return nil, ""
	}
	shown = withoutParams(to.Path)
	if !c.owns(to) {
		return nil, Clean(to.Scheme+"://"+to.Host+shown, MaxError)
	}
	to.Scheme, to.Host, to.User, to.Fragment = address.Scheme, address.Host, address.User, ""
	if to.Path == "" {
		to.Path = "/"
	}
	return to, Clean(shown, MaxError)
}

// cookieless matches a session id that ASP.NET puts in a path: /(S(id))/page.
var cookieless = regexp.MustCompile(`/\([A-Z]\([^/]*\)\)`)

// withoutParams removes from a path what may be a session id. Servlet containers put it
// in a path parameter (;jsessionid=) until they know that the client accepts cookies.
func withoutParams(path string) string {
	path, _, _ = strings.Cut(path, ";")
	return cookieless.ReplaceAllString(path, "")
}
