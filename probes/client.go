package probes

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// A Target is whom a Client dials and how it introduces itself.
type Target struct {
	URL     *url.URL       // scheme and host; a path is kept as a prefix
	Address netip.AddrPort // dialled whatever the URL's host resolves to; zero: resolve
	Host    string         // Host header and TLS name; "": the URL's own
	TLS     *tls.Config
	Timeout time.Duration // of a whole exchange

	// KeyHeader carries Key, the client address or key by which the balancer
	// chooses a node; "": this client comes as itself.
	KeyHeader, Key string
}

// A Client asks one Target. Every request takes a connection of its own, as a
// fresh browser would, because some balancers balance connections and not
// requests.
type Client struct {
	target Target
	http   *http.Client
}

// NewClient returns a client of t. It holds no connections, so nothing needs
// closing.
func NewClient(t Target) *Client {
	if t.Timeout <= 0 {
		t.Timeout = DefaultLimits.Timeout
	}
	c := &Client{target: t}
	config := t.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if t.Host != "" {
		config.ServerName = hostname(t.Host)
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would be another balancer in between
			DialContext:            c.dial,
			TLSClientConfig:        config,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      false,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Target returns what the client was made for.
func (c *Client) Target() Target { return c.target }

// HTTP returns the client for protocols on top of HTTP, such as WebSocket. It
// follows no redirects, keeps no cookies and has no time-out of its own.
func (c *Client) HTTP() *http.Client { return c.http }

// URL returns the absolute URL of a path and query on the target.
func (c *Client) URL(path string) (*url.URL, error) {
	ref, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	u := *c.target.URL
	u.Path = joinPath(u.Path, ref.Path)
	u.RawPath = ""
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
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if c.target.Host != "" {
		req.Host = c.target.Host
	}
	c.Introduce(req.Header)
	return req, nil
}

// Introduce sets the headers every request of the client carries.
func (c *Client) Introduce(h http.Header) {
	h.Set("User-Agent", "stickwatch")
	h.Set("Cache-Control", "no-cache")
	if c.target.KeyHeader != "" && c.target.Key != "" {
		h.Set(c.target.KeyHeader, c.target.Key)
	}
}

func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.target.Address.IsValid() {
		addr = c.target.Address.String()
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

func joinPath(prefix, path string) string {
	for len(prefix) > 0 && prefix[len(prefix)-1] == '/' {
		prefix = prefix[:len(prefix)-1]
	}
	if path == "" {
		path = "/"
	}
	if path[0] != '/' {
		path = "/" + path
	}
	return prefix + path
}
