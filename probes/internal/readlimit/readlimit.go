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
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

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
	return l.explain(catchPanic(func() error { return ask(ctx, l.dial) }), secretsOf(u))
}

// errPanic stands for what a panic says: that may quote the server.
var errPanic = errors.New("the answer breaks the client library: this is no such service, or a hostile one")

func catchPanic(ask func() error) (err error) {
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

// A conn ends with its leash's context and takes in at most Budget bytes.
type conn struct {
	net.Conn
	connections *connections
	remaining   atomic.Int64
	stop        func() bool
}

// longAgo ends every read and write under way.
var longAgo = time.Unix(1, 0)

func newConn(l *connections, raw net.Conn) *conn {
	c := &conn{Conn: raw, connections: l}
	c.remaining.Store(Budget)
	c.stop = panics.AfterContext(l.ctx, panics.Dependency, func() { raw.SetDeadline(longAgo) })
	return c
}

func (c *conn) Read(p []byte) (int, error) {
	left := c.remaining.Load()
	if left <= 0 {
		return 0, c.connections.failed(fmt.Errorf("the server sends more than %d bytes: this is no such service", Budget))
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.remaining.Add(int64(-n))
	return n, c.connections.failed(err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.connections.failed(err)
}

func (c *conn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// The context alone sets deadlines: libraries put theirs in its place, later
// ones among them.

func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// An Answer is a refusal in the service's own words: it is up, and does not
// serve.
type Answer struct {
	Message string
	Remedy  string // what to do, where that is known
}

func (a Answer) Error() string {
	// The remedy goes first: what the server says may be long, and is cut.
	said := fmt.Sprintf("it answers %q", probes.Clean(a.Message, probes.MaxError/2))
	if a.Remedy == "" {
		return said
	}
	return a.Remedy + ": " + said
}

// A failure is an error in one clean line, and what caused it where callers
// may want to know.
type failure struct {
	text  string
	cause error
}

func (f failure) Error() string { return f.text }
func (f failure) Unwrap() error { return f.cause }

// explain says what went wrong. An answer of the service says it best, then
// the connection, and the library last.
func (l *connections) explain(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	l.mu.Lock()
	cause := l.cause
	l.mu.Unlock()
	answer, answered := errors.AsType[Answer](err)
	switch {
	case answered:
		answer.Message = redact(answer.Message, secrets)
		return failure{text: probes.Clean(answer.Error(), probes.MaxError)} // the remedy is ours
	case l.ctx.Err() != nil:
		return failure{"no answer in time: " + l.ctx.Err().Error(), context.Cause(l.ctx)}
	case isReset(cause):
		// Not as the cause: its kind would hide these words.
		return failure{text: "the server closed the connection in the middle of the conversation"}
	case cause != nil:
		return failure{line(cause.Error(), secrets), cause}
	default:
		return failure{text: line(err.Error(), secrets)}
	}
}

func isReset(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// line is text as it may be shown.
func line(text string, secrets []string) string {
	return probes.Clean(redact(text, secrets), probes.MaxError)
}

// redact masks the secrets. It cleans the text first, for control characters
// could stand between their letters, and whoever cuts it does so later, for a
// cut could leave half of one.
//
// A secret that words contain by chance would be read off the letters that are
// masked, so nothing is shown of a text with such a one.
func redact(text string, secrets []string) string {
	const shortest = 4
	text = probes.Clean(text, Budget)
	for _, secret := range secrets {
		if len(secret) < shortest && strings.Contains(text, secret) {
			return "[hidden: the password is too short to be masked in it]"
		}
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}

// secretsOf lists the spellings of u's password.
func secretsOf(u *url.URL) []string {
	var passwords []string
	if password, ok := u.User.Password(); ok {
		passwords = append(passwords, password)
	}
	for key, values := range u.Query() {
		if strings.Contains(strings.ToLower(key), "password") {
			passwords = append(passwords, values...)
		}
	}
	var list []string
	for _, p := range passwords {
		if p == "" {
			continue
		}
		_, inUserinfo, _ := strings.Cut(url.UserPassword("", p).String(), ":")
		list = append(list, p, inUserinfo, url.QueryEscape(p), url.PathEscape(p))
	}
	return list
}
