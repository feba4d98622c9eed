package sim

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A conn is one end of a TCP connection.
type conn struct {
	in, out       *stream
	local, remote *net.TCPAddr
}

// newConns returns the two ends of a connection.
func newConns(client, server *net.TCPAddr) (near, far *conn) {
	there, back := newStream(), newStream()
	return &conn{back, there, client, server}, &conn{there, back, server, client}
}

func (c *conn) Read(p []byte) (int, error)         { return c.in.read(p, false) }
func (c *conn) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *conn) LocalAddr() net.Addr                { return c.local }
func (c *conn) RemoteAddr() net.Addr               { return c.remote }
func (c *conn) SetDeadline(at time.Time) error     { return c.SetReadDeadline(at) }
func (c *conn) SetWriteDeadline(time.Time) error   { return nil } // nothing waits for a write
func (c *conn) SetReadDeadline(at time.Time) error { c.in.setDeadline(at); return nil }

// Close implements net.Conn. The other end may still read what was written before.
func (c *conn) Close() error {
	c.in.abandon()
	c.out.end()
	return nil
}

// A stream is one direction of a connection. It keeps what nobody has read yet, as the
// buffers of TCP do: the writer of a page does not wait for its reader.
type stream struct {
	mu        sync.Mutex
	changed   sync.Cond
	unread    []byte
	ended     bool // the writer has closed its end
	abandoned bool // the reader has closed its end
	deadline  time.Time
	expiry    *time.Timer // wakes a reader at the deadline
}

func newStream() *stream {
	s := new(stream)
	s.changed.L = &s.mu
	return s
}

// read waits until there is something to read. With peek, the bytes stay unread.
func (s *stream) read(p []byte, peek bool) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.abandoned:
			return 0, io.ErrClosedPipe
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(s.unread) > 0:
			n := copy(p, s.unread)
			if !peek {
				s.unread = s.unread[n:]
			}
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.abandoned {
		return 0, io.ErrClosedPipe
	}
	s.unread = append(s.unread, p...)
	s.changed.Broadcast()
	return len(p), nil
}

// end closes the writer's end.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.changed.Broadcast()
}

func (s *stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// abandon closes the reader's end.
func (s *stream) abandon() {
	s.setDeadline(time.Time{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned = true
	s.changed.Broadcast()
}

func (s *stream) setDeadline(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = at
	if s.expiry != nil {
		s.expiry.Stop()
	}
	if !at.IsZero() {
		s.expiry = time.AfterFunc(time.Until(at), s.wake)
	}
	s.changed.Broadcast()
}

// A limitedConn is the connection that a listener with a limit serves.
type limitedConn struct {
	net.Conn
	until time.Time // reads wait until then
	leave func()    // lets the listener accept the next one
}

func (c *limitedConn) Read(p []byte) (int, error) {
	time.Sleep(time.Until(c.until))
	return c.Conn.Read(p)
}

func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// An optionalTLSConn is the server's end of a connection that may or may not use TLS, which
// the first byte from the client shows.
type optionalTLSConn struct {
	*conn
	config  *tls.Config
	once    sync.Once
	content net.Conn // conn, or TLS on top of it
}

func (c *optionalTLSConn) start() {
	c.once.Do(func() {
		const handshake = 0x16 // record type
		first := make([]byte, 1)
		_, _ = c.in.read(first, true)
		c.content = c.conn
		if first[0] == handshake {
			c.content = tls.Server(c.conn, c.config)
		}
	})
}

func (c *optionalTLSConn) Read(p []byte) (int, error) {
	c.start()
	return c.content.Read(p)
}

func (c *optionalTLSConn) Write(p []byte) (int, error) {
	c.start()
	return c.content.Write(p)
}
