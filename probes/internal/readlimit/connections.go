// Package readlimit holds a client library short while it asks a service that may
// be slow, broken or hostile.
//
// Client libraries are written for friendly servers: they have time-outs of
// their own, connect again behind one's back, believe what the server
// announces, and replace the reason of a failure by words such as "invalid
// connection". What they are given here is a connection that ends with the
// probe whatever they set on it, that takes in no more than Budget, and that
// remembers what really went wrong.
package readlimit

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync"

	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// Budget is how many bytes a service may send to one probe. A login and a ping
// stay below a tenth of it with every service, TLS certificates included.
const Budget = 64 << 10

// A Dial connects a client library, in the shape in which they take one.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Run lets ask talk to the service at u through dial, and returns in one clean
// line without u's password what went wrong; nil when ask returned nil. A ctx
// without a deadline gets the one of probes.DefaultLimits. When Run returns,
// every connection is closed; a panic of the client library is an error.
func Run(ctx context.Context, u *url.URL, ask func(ctx context.Context, dial Dial) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, probes.DefaultLimits.Timeout)
		defer cancel()
	}
	l := &connections{ctx: ctx}
	defer l.close()
	return l.explain(guarded(func() error { return ask(ctx, l.dial) }), secretsOf(u))
}

// errPanic stands for what a panic says: that may quote the server.
var errPanic = errors.New("the answer breaks the client library: this is no such service, or a hostile one")

func guarded(ask func() error) (err error) {
	if panics.Catch(panics.Dependency, func() { err = ask() }) != nil {
		return errPanic
	}
	return err
}

// A connections is one probe's connections.
type connections struct {
	ctx context.Context

	mu     sync.Mutex
	conns  []*conn
	closed bool
	cause  error // the last failure of a connection
}

// dial ignores the context it is given: some libraries derive it from
// context.Background.
func (l *connections) dial(_ context.Context, network, address string) (c net.Conn, err error) {
	// Some libraries dial in goroutines of their own.
	if caught := panics.Catch(panics.Dependency, func() { c, err = l.connect(network, address) }); caught != nil {
		return nil, caught
	}
	return c, err
}

func (l *connections) connect(network, address string) (net.Conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(l.ctx, network, address)
	if err != nil {
		return nil, l.failed(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		raw.Close()
		return nil, net.ErrClosed
	}
	c := newConn(l, raw)
	l.conns = append(l.conns, c)
	return c, nil
}

// failed remembers err. That something was closed says nothing: the library
// did it, after the failure that counts.
func (l *connections) failed(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cause = err
	return err
}

func (l *connections) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.conns {
		c.Close()
	}
}
