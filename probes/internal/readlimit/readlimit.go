// Package readlimit bounds what a client library reads from a service that may be slow,
// broken or hostile.
//
// Client libraries are written for well-behaved servers. They have timeouts of their
// own, reconnect in the background, trust the sizes that the server announces, and
// replace the cause of an error by a text such as "invalid connection". Here a library
// gets a connection that closes when the probe ends, whatever deadline the library
// sets. The connection reads at most Budget bytes, and records the cause of its errors.
package readlimit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// Budget is the number of bytes that a service may send to one probe. A login and a
// ping need less than a tenth of it with every service, TLS certificates included.
const Budget = 64 << 10

// A Dial opens a connection for a client library.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Address returns the host:port of u, with localhost and the default port where u has
// none.
func Address(u *url.URL, port string) string {
	return net.JoinHostPort(cmp.Or(u.Hostname(), "localhost"), cmp.Or(u.Port(), port))
}

// Run lets ask use the service at u through dial. It returns the error of ask in one
// clean line without u's password. A ctx without a deadline gets that of
// probes.DefaultLimits. When Run returns, every connection is closed. A panic of the
// client library is an error.
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

// errPanic replaces the text of a panic, which may quote the server.
var errPanic = errors.New("the client library panics on the answer: this is another service, or a hostile one")

func catchPanic(ask func() error) (err error) {
	if panics.Catch(panics.Dependency, func() { err = ask() }) != nil {
		return errPanic
	}
	return err
}

// A connections is the connections of one probe.
type connections struct {
	ctx context.Context

	mu     sync.Mutex
	conns  []*conn
	closed bool
	cause  error // the last error of a connection
}

// dial ignores its context, because some libraries derive it from context.Background.
func (cs *connections) dial(_ context.Context, network, address string) (c net.Conn, err error) {
	// Some libraries dial in goroutines of their own.
	if caught := panics.Catch(panics.Dependency, func() { c, err = cs.connect(network, address) }); caught != nil {
		return nil, caught
	}
	return c, err
}

func (cs *connections) connect(network, address string) (net.Conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(cs.ctx, network, address)
	if err != nil {
		return nil, cs.failed(err)
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		raw.Close()
		return nil, net.ErrClosed
	}
	c := newConn(cs, raw)
	cs.conns = append(cs.conns, c)
	return c, nil
}

// failed stores err as the cause. It ignores the error of a closed connection, which
// the library closes after the error that matters.
func (cs *connections) failed(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return err
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.cause = err
	return err
}

func (cs *connections) close() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.closed = true
	for _, c := range cs.conns {
		c.Close()
	}
}

// A conn closes with its context and reads at most Budget bytes.
type conn struct {
	net.Conn
	connections *connections
	remaining   atomic.Int64
	stop        func() bool
}

// longAgo is a deadline that ends all reads and writes in progress.
var longAgo = time.Unix(1, 0)

func newConn(l *connections, raw net.Conn) *conn {
	c := &conn{Conn: raw, connections: l}
	c.remaining.Store(Budget)
	c.stop = panics.AfterContext(l.ctx, panics.Dependency, func() { _ = raw.SetDeadline(longAgo) })
	return c
}

func (c *conn) Read(p []byte) (int, error) {
	remaining := c.remaining.Load()
	if remaining <= 0 {
		return 0, c.connections.failed(fmt.Errorf("the server sends more than %d bytes: this is another service", Budget))
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), remaining)])
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

// Libraries cannot set deadlines, because they would replace that of the context by
// later ones.

func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// An AnswerError is an error that the service sent: it is up but does not serve.
type AnswerError struct {
	Message string
	Remedy  string // what to do; "": unknown
}

func (a AnswerError) Error() string {
	// The remedy comes first, because the server's text may be long and truncated.
	answer := fmt.Sprintf("it answers %q", probes.Clean(a.Message, probes.MaxError/2))
	if a.Remedy == "" {
		return answer
	}
	return a.Remedy + ": " + answer
}

// A failure is an error in one clean line, with its cause if callers may need it.
type failure struct {
	text  string
	cause error
}

func (f failure) Error() string { return f.text }
func (f failure) Unwrap() error { return f.cause }

// explain returns the best available error: the service's own, then that of the
// connection, then that of the library.
func (cs *connections) explain(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	cs.mu.Lock()
	cause := cs.cause
	cs.mu.Unlock()
	answer, answered := errors.AsType[AnswerError](err)
	switch {
	case answered:
		answer.Message = redact(answer.Message, secrets)
		return failure{text: probes.Clean(answer.Error(), probes.MaxError)} // the remedy is not from the server
	case cs.ctx.Err() != nil:
		return failure{"no answer in time: " + cs.ctx.Err().Error(), context.Cause(cs.ctx)}
	case isReset(cause):
		// Without the cause, whose class would replace this text.
		return failure{text: "the server closed the connection during the probe"}
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

// line returns text without secrets, in one clean line.
func line(text string, secrets []string) string {
	return probes.Clean(redact(text, secrets), probes.MaxError)
}

// redact conceals the secrets. It cleans the text first, because control characters could
// split a secret. Callers truncate the text afterwards, because truncation could leave
// a part of one.
//
// A short secret may appear in words by chance, and the masked letters would then
// reveal it. If a text contains a short secret, nothing of the text is shown.
func redact(text string, secrets []string) string {
	const shortest = 4 // bytes; probes.Conceal leaves shorter ones
	text = probes.Clean(text, Budget)
	if slices.ContainsFunc(secrets, func(secret string) bool { return len(secret) < shortest && strings.Contains(text, secret) }) {
		return "[hidden: the password is too short to be masked]"
	}
	return probes.Conceal(text, secrets...)
}

// secretsOf returns u's passwords, and the one of its user as u spells it.
func secretsOf(u *url.URL) []string {
	var list []string
	if password, ok := u.User.Password(); ok {
		_, spelled, _ := strings.Cut(u.User.String(), ":")
		list = append(list, password, spelled)
	}
	for key, values := range u.Query() {
		if strings.Contains(strings.ToLower(key), "password") {
			list = append(list, values...)
		}
	}
	return slices.DeleteFunc(list, func(secret string) bool { return secret == "" })
}
