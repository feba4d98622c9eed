package probes

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"stickwatch/internal/panics"
)

// A dialer opens the connections of one Client.
type dialer struct {
	address netip.AddrPort // dialled instead of resolving the host; zero: resolve it
	tls     *tls.Config
	name    string // TLS server name; "": the host
	open    DialFunc
	wire    NodeProtocol
}

// A DialFunc connects to addr, "host:port", as net.Dialer's DialContext does. Tests use
// one that connects to a network in memory.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dial connects with f, or with a net.Dialer if f is nil.
func (f DialFunc) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if f == nil {
		f = new(net.Dialer).DialContext
	}
	return f(ctx, network, addr)
}

// dial connects to addr, "host:port".
func (d dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return guardDial(func() (net.Conn, error) { return d.dialPlain(ctx, network, addr) })
}

// guardDial returns a panic of dial as an error, because http.Transport dials in
// goroutines of its own.
func guardDial(dial func() (net.Conn, error)) (c net.Conn, err error) {
	if caught := panics.Catch(panics.Probe, func() { c, err = dial() }); caught != nil {
		return nil, caught
	}
	return c, err
}

func (d dialer) dialPlain(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx = requestContext(ctx)
	raw, err := d.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	hopTimerOf(ctx).ready()
	return newConn(raw), nil
}

// dialTLS connects to addr and performs the TLS handshake.
func (d dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	return guardDial(func() (net.Conn, error) { return d.dialSecure(ctx, network, addr) })
}

func (d dialer) dialSecure(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx = requestContext(ctx)
	raw, err := d.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(raw, d.config(addr))
	t := hopTimerOf(ctx)
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(record.RecordHeader[:]) == "HTTP/" {
			return nil, http.ErrSchemeMismatch
		}
		if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			t.certificates(refused.UnverifiedCertificates) // an expired certificate is reported, too
		}
		return nil, err
	}
	t.certificates(secure.ConnectionState().PeerCertificates)
	t.ready()
	return newConn(secure), nil
}

func (d dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.address.IsValid() {
		addr = d.address.String()
	}
	raw, err := d.open.dial(ctx, network, addr)
	hopTimerOf(ctx).dialled(raw, err)
	if err != nil {
		return nil, err
	}
	if first := d.wire.preamble(raw); first != nil {
		if _, err := raw.Write(first); err != nil {
			raw.Close()
			return nil, err
		}
	}
	return raw, nil
}

func (d dialer) config(addr string) *tls.Config {
	config := d.tls.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	switch {
	case d.name != "":
		config.ServerName = d.name
	case config.ServerName == "":
		config.ServerName = hostname(addr)
	}
	return config
}

// A boundTransport ends a dial with the request that needs it. http.Transport lets a
// dial continue, because a later request may use the connection. Here there is no later
// request, and a silent peer could keep a socket and a goroutine open. It also
// decompresses answers, within bounds.
//
// Every request has an http.Transport of its own, because every request has a connection of its
// own: thousands of clients, which wait most of the time, would keep theirs in memory.
type boundTransport struct{ dialer }

func (d dialer) transport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(d.wire != ProtocolH2C)
	protocols.SetUnencryptedHTTP2(d.wire == ProtocolH2C)
	return &http.Transport{
		Protocols:              protocols,
		Proxy:                  nil, // a proxy would be another balancer on the way
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		DisableKeepAlives:      true,
		DisableCompression:     true, // boundTransport decompresses
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        1 << 9, // most exchanges are short
		ReadBufferSize:         1 << 10,
	}
}

func (t boundTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	req = req.Clone(context.WithValue(ctx, requestKey{}, ctx))
	compressed := askGzip(req)
	resp, err := t.transport().RoundTrip(req)
	if err == nil && compressed {
		gunzip(resp)
	}
	return resp, err
}

type requestKey struct{}

// requestContext returns the context of the request from which ctx was detached.
func requestContext(ctx context.Context) context.Context {
	if own, ok := ctx.Value(requestKey{}).(context.Context); ok {
		return own
	}
	return ctx
}

// A conn delays reading until the client has written. http.Transport takes data that
// arrives before the request for a late answer to an earlier one: it writes the data to
// the log, and returns an error without the cause.
type conn struct {
	net.Conn
	once     sync.Once
	released chan struct{} // closed at the first Write or Close
}

func newConn(c net.Conn) *conn { return &conn{Conn: c, released: make(chan struct{})} }

func (c *conn) release() { c.once.Do(func() { close(c.released) }) }

func (c *conn) Read(p []byte) (int, error) {
	<-c.released
	return c.Conn.Read(p)
}

func (c *conn) Write(p []byte) (int, error) {
	c.release()
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.release()
	return c.Conn.Close()
}

const (
	// maxCompressed bounds the bytes of a compressed body that are read. A real page of
	// MaxBody bytes is smaller when compressed.
	maxCompressed = MaxBody
	// maxMembers bounds the gzip members of a body. Most servers send one, some send
	// one for each part of a page.
	maxMembers = 64
)

var (
	errCompressed = errors.New("the compressed answer is too long")
	errMembers    = errors.New("the compressed answer has too many parts")
)

// askGzip adds a header that accepts a compressed answer, under the conditions of
// http.Transport, and reports whether it did.
func askGzip(req *http.Request) bool {
	if req.Header.Get("Accept-Encoding") != "" || req.Header.Get("Range") != "" || req.Method == http.MethodHead {
		return false
	}
	req.Header.Set("Accept-Encoding", "gzip")
	return true
}

// gunzip decompresses the body of a compressed answer as it is read. http.Transport
// would not stop at an endless series of empty members.
func gunzip(resp *http.Response) {
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength, resp.Uncompressed = -1, true
	resp.Body = &gzipBody{Closer: resp.Body, r: bufio.NewReader(&atMost{resp.Body, maxCompressed})}
}

// A gzipBody decompresses a body.
type gzipBody struct {
	io.Closer
	r       *bufio.Reader
	z       *gzip.Reader // nil: nothing was read yet
	members int
	err     error
}

// Read implements io.Reader.
func (b *gzipBody) Read(p []byte) (n int, err error) {
	for b.err == nil {
		if b.z == nil {
			b.z, b.err = gzip.NewReader(b.r)
			if b.err != nil {
				break
			}
			b.z.Multistream(false)
		}
		n, err = b.z.Read(p)
		if !errors.Is(err, io.EOF) {
			b.err = err
			return n, err
		}
		b.next()
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// next starts the next member.
func (b *gzipBody) next() {
	if b.members++; b.members == maxMembers {
		b.err = errMembers
		return
	}
	if b.err = b.z.Reset(b.r); b.err == nil {
		b.z.Multistream(false)
	}
}

// atMost reads up to n bytes, and fails if there are more.
type atMost struct {
	r io.Reader
	n int
}

// Read implements io.Reader.
func (a *atMost) Read(p []byte) (int, error) {
	if a.n <= 0 {
		return 0, errCompressed
	}
	n, err := a.r.Read(p[:min(len(p), a.n)])
	a.n -= n
	return n, err
}
