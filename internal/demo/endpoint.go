package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"stickwatch/internal/panics"
)

// An endpoint is a loopback address that can be served, left and served again.
type endpoint struct {
	// serve handles the connections of ln until ctx is done, and returns when
	// ln and all of them are closed.
	serve func(ctx context.Context, ln net.Listener)

	network Network // nil: the system's

	mu        sync.Mutex
	addr      string
	portGuard []net.Conn
	cancel    context.CancelFunc // nil: nobody listens
	done      chan struct{}
}

func newEndpoint(addr string, serve func(context.Context, net.Listener)) *endpoint {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return &endpoint{addr: addr, serve: serve}
}

// A Network is where a cluster listens and dials instead of on loopback, such as
// one in memory. An address without a port, or with port 0, is given a free one.
// It keeps an address for whoever listened there first.
type Network interface {
	Listen(addr string) (net.Listener, error)
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// dialOn dials on a network; nil: the system's.
func dialOn(n Network) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if n == nil {
		return new(net.Dialer).DialContext
	}
	return n.DialContext
}

// on puts the endpoint on a network. It is called before start.
func (e *endpoint) on(n Network) *endpoint {
	e.network = n
	return e
}

// start listens, the first time on the address asked for, then always on the
// one it was given. Starting twice does nothing.
func (e *endpoint) start() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel != nil {
		return nil
	}
	ln, err := e.listen()
	if err != nil {
		return fmt.Errorf("listening on %q: %w", e.addr, err)
	}
	e.addr = ln.Addr().String()
	if e.portGuard == nil && e.network == nil {
		if e.portGuard, err = portGuard(ln); err != nil {
			ln.Close()
			return fmt.Errorf("anchoring %q: %w", e.addr, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel, e.done = cancel, make(chan struct{})
	done := e.done
	panics.Go(panics.Daemon, func() {
		defer close(done)
		e.serve(ctx, ln)
	})
	return nil
}

// relistenTimeout is for how long an address that was left may still be taken.
const relistenTimeout = 10 * time.Second

// listen takes the address. One that is ours, and was left, nobody else can
// have; but a process which was forked just then holds a copy of the listener
// until it becomes the program that it shall be.
func (e *endpoint) listen() (net.Listener, error) {
	if e.network != nil {
		return e.network.Listen(e.addr)
	}
	ours := e.portGuard != nil
	for end := time.Now().Add(relistenTimeout); ; time.Sleep(time.Millisecond) {
		ln, err := net.Listen("tcp", e.addr)
		if !ours || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return ln, err
		}
	}
}

// stop leaves the address, so that connections to it are refused, and cuts
// those that are open.
func (e *endpoint) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel == nil {
		return
	}
	e.cancel()
	<-e.done
	e.cancel = nil
}

// close stops and gives the port back.
func (e *endpoint) close() {
	e.stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, conn := range e.portGuard {
		conn.Close()
	}
	e.portGuard = nil
}

func (e *endpoint) address() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addr
}

// anchor holds a connection to the port of ln from within. The system gives no
// port away that has a connection, so a stopped endpoint refuses clients, and
// never turns out to be somebody else's by the time they come.
func portGuard(ln net.Listener) ([]net.Conn, error) {
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return nil, err
	}
	for {
		server, err := ln.Accept()
		if err != nil {
			client.Close()
			return nil, err
		}
		if server.RemoteAddr().String() == client.LocalAddr().String() {
			return []net.Conn{client, server}, nil
		}
		server.Close() // an early visitor of a known port
	}
}

// serveHTTP serves handler. connContext, which may be nil, is that of
// http.Server.
func serveHTTP(handler http.Handler, connContext func(context.Context, net.Conn) context.Context) func(context.Context, net.Listener) {
	return func(ctx context.Context, ln net.Listener) {
		server := &http.Server{
			Handler:           handler,
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ConnContext:       connContext,
			ReadHeaderTimeout: 10 * time.Second,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          log.New(io.Discard, "", 0), // what it would say is what faults are for
		}
		closed := make(chan struct{})
		panics.AfterContext(ctx, panics.Daemon, func() {
			defer close(closed)
			server.Close()
		})
		server.Serve(ln) // returns when closed, which is all that can end it
		<-closed
	}
}
