package probes

import (
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// A Target is the server to which a Client sends requests, and how the Client
// identifies itself.
type Target struct {
	URL     *url.URL       // scheme and host; a path is kept as a prefix
	Address netip.AddrPort // dialled instead of resolving the URL's host; zero: resolve it
	Host    string         // Host header and TLS server name; "": those of URL
	TLS     *tls.Config
	Timeout time.Duration // of one exchange; 0: DefaultLimits.Timeout
	Dial    DialFunc      // nil: a net.Dialer
	Wire    NodeProtocol  // "": HTTP/1.1
	Header  http.Header   // that every request carries; its secrets are shown nowhere

	// KeyHeader is the request header that carries Key, the client address or hash key
	// by which the balancer chooses a node. "": the request carries none.
	KeyHeader, Key string

	Limiter *Limiter // admits every request; nil: requests are not limited
	Node    string   // id of the node that is dialled; "": the target is a balancer
}

// A Client sends requests to one Target. Every request opens a new connection, because
// some balancers balance connections and not requests.
type Client struct {
	target  Target
	http    *http.Client
	secrets []string // of target.Header
}

// NewClient returns a client of t. It keeps no connections open, so it need not be
// closed.
func NewClient(t Target) *Client {
	if t.Timeout <= 0 {
		t.Timeout = DefaultLimits.Timeout
	}
	d := dialer{address: t.Address, tls: t.TLS, name: hostname(t.Host), open: t.Dial, wire: t.Wire}
	return &Client{target: t, secrets: headerSecrets(t.Header), http: &http.Client{
		Transport:     boundTransport{d},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Target returns the target of the client.
func (c *Client) Target() Target { return c.target }

// HTTP returns an HTTP client for protocols on top of HTTP, such as WebSocket. It
// follows no redirects, stores no cookies and has no timeout.
func (c *Client) HTTP() *http.Client { return c.http }

// A RequestSequence is a number of requests that are sent one after the other.
type RequestSequence struct {
	Path       string // of the first request
	Requests   int    // number of requests
	TargetNode string // id of the node that the oracle computes; "": unknown
}

// Admit calls send once the cluster's limiter admits the sequence. If send reports a
// timeout that other requests of stickwatch caused, Admit calls it once more while no
// other request is in flight. The error is that of ctx, if ctx ends first.
func (c *Client) Admit(ctx context.Context, e RequestSequence, send func() (timedOut bool)) error {
	a := c.admissionRequest(e.Path, e.TargetNode)
	a.requests = e.Requests
	p, err := c.target.Limiter.admit(ctx, a)
	if err != nil {
		return err
	}
	return c.run(ctx, p, func() response {
		timedOut := send()
		return response{answered: !timedOut, timedOut: timedOut}
	})
}

// run calls send under permit p. If the request timed out or was refused by a limit because
// of other requests of stickwatch, run sends it again alone, at most twice, because that is no fault of the
// cluster.
func (c *Client) run(ctx context.Context, p *permit, send func() response) error {
	for p.run(send) {
		a := p.admissionRequest
		a.alone, a.apart, a.afterWindow = true, p.refused, p.slowed
		again, err := c.target.Limiter.admit(ctx, a)
		if err != nil {
			return err
		}
		p = again
	}
	return nil
}

// runOnce is run for a request that must not be sent again.
func (c *Client) runOnce(_ context.Context, p *permit, send func() response) error {
	p.run(send)
	return nil
}

// admissionRequest returns the request for admission of one HTTP request. Requests for
// one path are of one kind; the query does not matter.
func (c *Client) admissionRequest(path, expected string) admissionRequest {
	path, _, _ = strings.Cut(path, "?")
	a := admissionRequest{node: expected, kind: c.target.URL.Host + path}
	if c.target.Node != "" {
		a.node, a.direct = c.target.Node, true
	}
	return a
}

// URL returns the absolute URL of a path and query on the target.
func (c *Client) URL(path string) (*url.URL, error) {
	path, _, _ = strings.Cut(path, "#")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	ref, err := url.ParseRequestURI(path) // not Parse, which takes "//x/y" for a host and a path
	if err != nil {
		return nil, err
	}
	u := *c.target.URL
	u.RawPath = joinPath(u.EscapedPath(), ref.EscapedPath())
	u.Path = joinPath(u.Path, ref.Path)
	u.RawQuery = ref.RawQuery
	u.Fragment = ""
	return &u, nil
}

// NewRequest returns a request for a path of the target with the client's headers.
func (c *Client) NewRequest(ctx context.Context, method, path string) (*http.Request, error) {
	u, err := c.URL(path)
	if err != nil {
		return nil, err
	}
	return c.newRequest(ctx, method, u)
}

func (c *Client) newRequest(ctx context.Context, method string, u *url.URL) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if c.target.Host != "" {
		req.Host = c.target.Host
	}
	c.setHeaders(req.Header)
	return req, nil
}

// NewRequestWithCookies is NewRequest with the cookies of a jar.
func (c *Client) NewRequestWithCookies(ctx context.Context, jar *Jar, method, path string) (*http.Request, error) {
	req, err := c.NewRequest(ctx, method, path)
	if err != nil {
		return nil, err
	}
	addCookies(req.Header, jar.Cookies(urlByHost(req)))
	return req, nil
}

// Poll sends one request of a polling transport on a new connection, with the cookies of a jar, which it updates.
// It returns the status and at most MaxBody bytes of the answer.
func (c *Client) Poll(ctx context.Context, jar *Jar, method, path, body string) (status int, answer string, err error) {
	req, err := c.NewRequestWithCookies(ctx, jar, method, path)
	if err != nil {
		return 0, "", err
	}
	if method == http.MethodPost {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	jar.setAt(urlByHost(req), dateOf(resp), setCookies(resp.Header))
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	return resp.StatusCode, string(text), err
}

// urlByHost returns the URL of a request with the name in its Host header, by which a browser knows it.
func urlByHost(req *http.Request) *url.URL {
	u := *req.URL
	if req.Host != "" {
		u.Host = req.Host
	}
	return &u
}

// setHeaders sets the headers that every request of the client carries.
func (c *Client) setHeaders(h http.Header) {
	h.Set("User-Agent", "stickwatch")
	h.Set("Cache-Control", "no-cache")
	maps.Copy(h, c.target.Header)
	if c.target.KeyHeader != "" && c.target.Key != "" {
		h.Set(c.target.KeyHeader, c.target.Key)
	}
}

// owns reports whether u is on the target itself. A node may use its URL's host or its
// configured Host in redirects.
func (c *Client) owns(u *url.URL) bool {
	own, host := c.target.URL, hostPort(u.Scheme, u.Host)
	return u.Scheme == own.Scheme && (host == hostPort(own.Scheme, own.Host) ||
		c.target.Host != "" && host == hostPort(own.Scheme, c.target.Host))
}

// hostPort returns host with the default port of scheme if host has none, in lower
// case.
func hostPort(scheme, host string) string {
	u := url.URL{Scheme: scheme, Host: strings.ToLower(host)}
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), portOf(scheme))
}

func portOf(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// hostname returns the host of HOST or HOST:PORT, without the brackets and the zone of
// an IPv6 address.
func hostname(hostport string) string {
	host := (&url.URL{Host: hostport}).Hostname()
	host, _, _ = strings.Cut(host, "%")
	return host
}

// joinPath returns path below prefix. The result starts with a slash.
func joinPath(prefix, path string) string {
	return strings.TrimRight(prefix, "/") + "/" + strings.TrimPrefix(path, "/")
}
