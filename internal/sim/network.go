package sim

import (
	"context"
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
}

// NewNetwork returns a network without listeners. The seed determines which packets are
// lost.
func NewNetwork(seed uint64, latency time.Duration) *Network {
	return &Network{
		latency: latency, random: rand.New(rand.NewPCG(seed, 1)),
		listeners: make(map[string]*listener), partitioned: make(map[string]bool), port: 8000, client: 20000,
	}
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
	l := &listener{network: n, addr: resolved, queue: make(chan net.Conn), done: make(chan struct{})}
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
	n.mu.Lock()
	l := n.listeners[addr]
	n.client++
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 20000 + n.client%40000}
	n.mu.Unlock()
	if l == nil {
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	near, far := net.Pipe()
	select {
	case l.queue <- conn{far, l.addr, local}:
		return conn{near, local, l.addr}, nil
	case <-l.done:
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case <-ctx.Done():
		return fail(expired(ctx))
	}
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

// A listener passes connections to Accept.
type listener struct {
	network *Network
	addr    *net.TCPAddr
	queue   chan net.Conn
	done    chan struct{}
	once    sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
}

// Close implements net.Listener. Later connects are refused.
func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, l.addr.String())
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// A conn is one end of a pipe with TCP addresses.
type conn struct {
	net.Conn
	local, remote *net.TCPAddr
}

func (c conn) LocalAddr() net.Addr  { return c.local }
func (c conn) RemoteAddr() net.Addr { return c.remote }
