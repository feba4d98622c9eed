package readlimit

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"stickwatch/internal/panics"
)

// A conn ends with its leash's context and takes in at most Budget bytes.
type conn struct {
	net.Conn
	connections *connections
	remaining   atomic.Int64
	stop        func() bool
}

// past ends every read and write under way.
var past = time.Unix(1, 0)

func newConn(l *connections, raw net.Conn) *conn {
	c := &conn{Conn: raw, connections: l}
	c.remaining.Store(Budget)
	c.stop = panics.AfterContext(l.ctx, panics.Dependency, func() { raw.SetDeadline(past) })
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
