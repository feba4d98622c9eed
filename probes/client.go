package probes

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// A Target is whom a Client dials and how it introduces itself.
type Target struct {
	URL     *url.URL       // scheme and host; a path is kept as a prefix
	Address netip.AddrPort // dialled whatever the URL's host resolves to; zero: resolve
	Host    string         // Host header and TLS name; "": the URL's own
	TLS     *tls.Config
	Timeout time.Duration // of a whole exchange; 0: that of DefaultLimits
	Dial    DialFunc      // nil: a net.Dialer

	// KeyHeader carries Key, the client address or key by which the balancer
	// chooses a node; "": this client comes as itself.
	KeyHeader, Key string

	Limiter *Limiter // admits every request; nil: at once
	Node    string   // id of the node that is dialled; "": a balancer is
}

// A Client asks one Target. Every request takes a connection of its own, as a
// fresh browser would, because some balancers balance connections and not
// requests.
type Client struct {
	target Target
	http   *http.Client
}

// NewClient returns a client of t. It is cheap enough for a single request, and
// holds no connections, so nothing needs closing.
func NewClient(t Target) *Client {
	if t.Timeout <= 0 {
		t.Timeout = DefaultLimits.Timeout
	}
	d := dialer{address: t.Address, tls: t.TLS, name: hostname(t.Host), open: t.Dial}
	return &Client{target: t, http: &http.Client{
		Transport: boundTransport{&http.Transport{
			Proxy:                  nil, // a proxy would be another balancer in between
			DialContext:            d.dial,
			DialTLSContext:         d.dialTLS,
			DisableKeepAlives:      true,
			DisableCompression:     true, // tethered decompresses
			MaxResponseHeaderBytes: 64 << 10,
			WriteBufferSize:        1 << 10, // each exchange has a connection of its own, and most say little
			ReadBufferSize:         2 << 10,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Target returns what the client was made for.
func (c *Client) Target() Target { return c.target }

// HTTP returns the client for protocols on top of HTTP, such as WebSocket. It
// follows no redirects, keeps no cookies and has no time-out of its own.
func (c *Client) HTTP() *http.Client { return c.http }

// An RequestSequence is requests, one after the other, that a Client's user sends.
type RequestSequence struct {
	Path     string // of the first of them
	Requests int    // how many there are
	Expected string // id of the node that the oracle computed; "": it cannot tell
}

// Admit runs send when the cluster's budget admits it. When send reports a
// time-out that other requests of stickwatch have caused, it runs once more while
// there are none. The error is that ctx ended before.
func (c *Client) Admit(ctx context.Context, e RequestSequence, send func() (timedOut bool)) error {
	d := c.admissionRequest(e.Path, e.Expected)
	d.requests = e.Requests
	p, err := c.target.Limiter.admit(ctx, d)
	if err != nil {
		return err
	}
	return c.run(ctx, p, func() response {
		timedOut := send()
		return response{answered: !timedOut, timedOut: timedOut}
	})
}

// run sends what a permit was given for, and again alone if our own requests
// have made it time out: that is no fault of the cluster.
func (c *Client) run(ctx context.Context, p *permit, send func() response) error {
	if !p.run(send) {
		return nil
	}
	d := p.admissionRequest
	d.alone = true
	again, err := c.target.Limiter.admit(ctx, d)
	if err == nil {
		again.run(send)
	}
	return err
}

// admissionRequest is for one request. Requests for one path are of one kind, whatever they
// store.
func (c *Client) admissionRequest(path, expected string) admissionRequest {
	path, _, _ = strings.Cut(path, "?")
	d := admissionRequest{node: expected, kind: c.target.URL.Host + path}
	if c.target.Node != "" {
		d.node, d.direct = c.target.Node, true
	}
	return d
}

// URL returns the absolute URL of a path and query on the target.
func (c *Client) URL(path string) (*url.URL, error) {
	path, _, _ = strings.Cut(path, "#")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	ref, err := url.ParseRequestURI(path) // not Parse: "//x/y" is a path here, and has no host
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

// NewRequest returns a request for a path of the target, with the headers by
// which the target knows whom it talks to.
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
	c.SetHeaders(req.Header)
	return req, nil
}

// SetHeaders sets the headers every request of the client carries.
func (c *Client) SetHeaders(h http.Header) {
	h.Set("User-Agent", "stickwatch")
	h.Set("Cache-Control", "no-cache")
	if c.target.KeyHeader != "" && c.target.Key != "" {
		h.Set(c.target.KeyHeader, c.target.Key)
	}
}

// owns reports whether u leads to the target itself: by its URL's host, or by
// the name it is called when asked directly, which it may use in redirects.
func (c *Client) owns(u *url.URL) bool {
	own, host := c.target.URL, hostPort(u.Scheme, u.Host)
	return u.Scheme == own.Scheme && (host == hostPort(own.Scheme, own.Host) ||
		c.target.Host != "" && host == hostPort(own.Scheme, c.target.Host))
}

// hostPort is host with the port that scheme implies, for comparing.
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

// hostname is the host of HOST or HOST:PORT, an IPv6 address without brackets
// and zone.
func hostname(hostport string) string {
	host := (&url.URL{Host: hostport}).Hostname()
	host, _, _ = strings.Cut(host, "%")
	return host
}

// joinPath puts prefix before path; what it returns is rooted.
func joinPath(prefix, path string) string {
	return strings.TrimRight(prefix, "/") + "/" + strings.TrimPrefix(path, "/")
}
