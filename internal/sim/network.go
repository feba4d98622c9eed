package sim

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"stickwatch/internal/sleep"
)

// A Network is an in-memory TCP network with listeners and connections. It implements
// demo.Network. In a synctest bubble only latency and lost packets consume time.
type Network struct {
	latency time.Duration // time of each connect

	mu          sync.Mutex
	random      *rand.Rand
	listeners   map[string]*listener
	port        int             // next free port
	client      int             // port of the next client
	partitioned map[string]bool // addresses of machines that do not respond at all
	loss        float64         // share of connects whose first packet is lost

	secured map[string]*tls.Config // by address: of listeners that also accept TLS
	limits  map[string]limit       // by address
}

// A limit makes a listener serve one connection at a time.
type limit struct {
	backlog int           // connections that wait; the packets of further ones are lost
	busy    time.Duration // minimum time for a connection
}

// NewNetwork returns a network without listeners. The seed determines which packets are
// lost.
func NewNetwork(seed uint64, latency time.Duration) *Network {
	return &Network{
		latency: latency, random: rand.New(rand.NewPCG(seed, 1)),
		listeners: make(map[string]*listener), partitioned: make(map[string]bool), port: 8000, client: 20000,
		secured: make(map[string]*tls.Config), limits: make(map[string]limit),
	}
}

// SetTLS sets how a listener serves clients that begin with TLS. Others are served as
// before.
func (n *Network) SetTLS(addr string, c *tls.Config) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.secured[addr] = c
}

// Limit makes a listener serve one connection at a time, each for at least busy, while
// up to backlog others wait.
func (n *Network) Limit(addr string, backlog int, busy time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.limits[addr] = limit{backlog, busy}
}

// SetPartitioned sets whether packets to an address are dropped, as for a machine that
// is off or disconnected. Open connections are not affected.
func (n *Network) SetPartitioned(addr string, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.partitioned[addr] = silent
}

// Lose sets the share of connects that lose their first packet. TCP sends it again
// after a second; of those, the same share is lost again for two more seconds.
func (n *Network) Lose(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = share
}

// Listen listens on addr, "host:port". Port 0 selects a free port.
func (n *Network) Listen(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == "0" {
		n.port++
		addr = net.JoinHostPort(host, fmt.Sprint(n.port))
	}
	resolved, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	if n.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: resolved, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{network: n, addr: resolved, queue: make(chan *conn, maxBacklog), free: make(chan struct{}, 1), done: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

// DialContext connects to addr as net.Dialer does.
func (n *Network) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) { return nil, &net.OpError{Op: "dial", Net: network, Err: err} }
	wait, lost := n.route(addr)
	if wait > 0 && !sleep.For(ctx, wait) {
		return fail(expired(ctx))
	}
	if lost {
		<-ctx.Done()
		return fail(expired(ctx))
	}
	for again := time.Second; ; again *= 2 { // TCP sends a lost packet again
		c, full, err := n.connect(addr)
		if err != nil {
			return fail(err)
		}
		if !full {
			return c, nil
		}
		if !sleep.For(ctx, again) {
			return fail(expired(ctx))
		}
	}
}

// connect opens a connection to addr at once, unless the queue of the listener is full.
func (n *Network) connect(addr string) (client net.Conn, full bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[addr]
	if l == nil {
		return nil, false, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	if limit, ok := n.limits[addr]; len(l.queue) == maxBacklog || ok && len(l.queue) >= limit.backlog {
		return nil, true, nil
	}
	n.client++
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 20000 + n.client%40000}
	client, server := newConns(local, l.addr)
	l.queue <- server
	return client, false, nil
}

// route returns the duration of a connect to addr, and whether it gets no answer.
func (n *Network) route(addr string) (wait time.Duration, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	wait = n.latency
	for again := time.Second; again <= 4*time.Second && n.loss > 0 && n.random.Float64() < n.loss; again *= 2 {
		wait += again
	}
	return wait, n.partitioned[addr]
}

// expired returns the reason why ctx ended as net.Dialer does: a deadline is a
// time-out.
func expired(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return os.ErrDeadlineExceeded
	}
	return ctx.Err()
}

// maxBacklog is the number of connections that wait at a listener without a Limit.
const maxBacklog = 1024

// A listener passes connections to Accept.
type listener struct {
	network *Network
	addr    *net.TCPAddr
	queue   chan *conn
	free    chan struct{} // has a token while a connection of a limited listener is open
	done    chan struct{}
	once    sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return l.accepted(c)
	case <-l.done:
		return nil, l.closed()
	}
}

func (l *listener) closed() error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
}

// accepted returns a connection as the address serves it: one at a time, or with TLS.
func (l *listener) accepted(raw *conn) (net.Conn, error) {
	l.network.mu.Lock()
	limit, limited := l.network.limits[l.addr.String()]
	secured := l.network.secured[l.addr.String()]
	l.network.mu.Unlock()
	var c net.Conn = raw
	if secured != nil {
		c = &optionalTLSConn{conn: raw, config: secured}
	}
	if !limited {
		return c, nil
	}
	select {
	case l.free <- struct{}{}:
		return &limitedConn{Conn: c, until: time.Now().Add(limit.busy), leave: sync.OnceFunc(func() { <-l.free })}, nil
	case <-l.done:
		c.Close()
		return nil, l.closed()
	}
}

// Close implements net.Listener. Later connects are refused, and waiting connections are
// closed.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, l.addr.String())
		close(l.done)
		for len(l.queue) > 0 {
			c := <-l.queue
			c.Close()
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }
