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

// An endpoint is a loopback address at which a server can be started and stopped
// repeatedly.
type endpoint struct {
	// serve handles the connections of ln until ctx is done. It returns when ln and all
	// connections are closed.
	serve func(ctx context.Context, ln net.Listener)

	network Network // nil: the system's

	mu        sync.Mutex
	addr      string
	portGuard []net.Conn
	cancel    context.CancelFunc // nil: stopped
	done      chan struct{}
}

func newEndpoint(addr string, serve func(context.Context, net.Listener)) *endpoint {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return &endpoint{addr: addr, serve: serve}
}

// A Network provides listeners and connections instead of loopback, for example in
// memory. An address without a port, or with port 0, gets a free one. An address stays
// reserved for its first listener.
type Network interface {
	Listen(addr string) (net.Listener, error)
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// dialOn returns the dial function of a network; nil: the system's.
func dialOn(n Network) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if n == nil {
		return new(net.Dialer).DialContext
	}
	return n.DialContext
}

// on sets the network of the endpoint. It is called before start.
func (e *endpoint) on(n Network) *endpoint {
	e.network = n
	return e
}

// start listens on the requested address, and after a stop on the same one again. It
// does nothing if the endpoint is started.
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

// relistenTimeout limits how long start waits for an address that is still in use.
const relistenTimeout = 10 * time.Second

// listen opens the listener. A stopped address belongs to no other program, but a
// process that was forked at that moment holds a copy of the old listener until it
// executes its own program.
func (e *endpoint) listen() (net.Listener, error) {
	if e.network != nil {
		return e.network.Listen(e.addr)
	}
	ours := e.portGuard != nil
	for end := time.Now().Add(relistenTimeout); ; time.Sleep(time.Millisecond) {
		ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", e.addr)
		if !ours || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return ln, err
		}
	}
}

// stop closes the listener, so that connections are refused, and the open connections.
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

// close stops the endpoint and releases the port.
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

// portGuard opens a connection to the port of ln from within. The system assigns no
// port that has a connection, so a stopped endpoint refuses clients and its port is not
// reused by another program.
func portGuard(ln net.Listener) ([]net.Conn, error) {
	client, err := new(net.Dialer).DialContext(context.Background(), "tcp", ln.Addr().String())
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
		server.Close() // the connection of another client
	}
}

// serveHTTP serves handler. connContext is http.Server.ConnContext; nil is allowed.
func serveHTTP(handler http.Handler, connContext func(context.Context, net.Conn) context.Context) func(context.Context, net.Listener) {
	return func(ctx context.Context, ln net.Listener) {
		server := &http.Server{
			Handler:           handler,
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ConnContext:       connContext,
			ReadHeaderTimeout: 10 * time.Second,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          log.New(io.Discard, "", 0), // faults cause errors on purpose
		}
		closed := make(chan struct{})
		panics.AfterContext(ctx, panics.Daemon, func() {
			defer close(closed)
			server.Close()
		})
		_ = server.Serve(ln) // returns only when closed
		<-closed
	}
}
