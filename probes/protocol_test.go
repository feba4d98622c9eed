package probes

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"stickwatch/internal/must"
)

// TestPreamble compares the bytes with examples worked out by hand from the specification of the
// PROXY protocol.
func TestPreamble(t *testing.T) {
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	four := addressedConn{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 0x1234}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2).To4(), Port: 80}}
	six := addressedConn{&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 0x1234, Zone: "eth0"}, &net.TCPAddr{IP: net.ParseIP("2001:db8::2"), Port: 80}}
	pipe := addressedConn{&net.UnixAddr{}, &net.UnixAddr{}}
	for _, tt := range []struct {
		protocol NodeProtocol
		conn     addressedConn
		want     string
	}{
		{"", four, ""},
		{ProtocolH2C, four, ""},
		{ProtocolProxyV1, four, "PROXY TCP4 10.0.0.1 10.0.0.2 4660 80\r\n"},
		{ProtocolProxyV1, six, "PROXY TCP6 2001:db8::1 2001:db8::2 4660 80\r\n"},
		{ProtocolProxyV1, pipe, "PROXY UNKNOWN\r\n"},
		{ProtocolProxyV2, four, signature + "\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x12\x34\x00\x50"},
		{ProtocolProxyV2, six, signature + "\x21\x21\x00\x24" +
			"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\x12\x34\x00\x50"},
		{ProtocolProxyV2, pipe, signature + "\x20\x00\x00\x00"},
	} {
		if got := string(tt.protocol.preamble(tt.conn)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.protocol, got, tt.want)
		}
	}
}

type addressedConn struct{ local, remote net.Addr }

func (c addressedConn) LocalAddr() net.Addr            { return c.local }
func (c addressedConn) RemoteAddr() net.Addr           { return c.remote }
func (addressedConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (addressedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (addressedConn) Close() error                     { return nil }
func (addressedConn) SetDeadline(time.Time) error      { return nil }
func (addressedConn) SetReadDeadline(time.Time) error  { return nil }
func (addressedConn) SetWriteDeadline(time.Time) error { return nil }

// TestH2C asks a server that speaks nothing but HTTP/2 without TLS. Each request has a
// connection of its own, as with HTTP/1.1, and none stays open.
func TestH2C(t *testing.T) {
	var conns []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns = append(conns, r.RemoteAddr)
		fmt.Fprintf(w, "%s %s", r.Proto, r.Host)
	}))
	closed := make(chan struct{}, 2)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	at := must.URL(server.URL)
	c := &Cluster{Limits: Limits{Timeout: 10 * time.Second}, Status: &Status{Path: "/"}}
	for range 2 {
		obs := Direct(t.Context(), c, Node{ID: "a", URL: at, Host: "app.example", Protocol: ProtocolH2C})
		if !obs.Primary.OK() {
			t.Fatalf("got %+v, want an answer", obs.Primary)
		}
	}
	if len(conns) != 2 || conns[0] == conns[1] {
		t.Errorf("got requests of %v, want two connections", conns)
	}
	<-closed
	<-closed
	if obs := Direct(t.Context(), c, Node{ID: "a", URL: at}); obs.Primary.OK() {
		t.Error("a server without HTTP/1.1 answered a request of it")
	}
}
