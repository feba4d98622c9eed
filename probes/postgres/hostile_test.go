package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"go.uber.org/goleak"

	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHostile(t *testing.T) { readlimittest.TestHostile(t, "postgres", Ping) }

// message returns a message of a type with a body, as it is sent.
func message(kind byte, body string) string {
	length := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	return string(kind) + string(length) + body
}

// TestAnnouncements has a server that announces more than it sends, or sends without
// end.
func TestAnnouncements(t *testing.T) {
	nulls := func(n int) string {
		return string(binary.BigEndian.AppendUint16(nil, uint16(n))) + strings.Repeat("\xff\xff\xff\xff", n)
	}
	field := "\x00" + strings.Repeat("\x00", 18)
	for name, reply := range map[string]string{
		"length":             "T\xff\xff\xff\xff",
		"length of 60000":    "T\x00\x00\xea\x60",
		"fields":             strings.Repeat(message('T', "\xff\xff"), 9000),
		"field descriptions": strings.Repeat(message('T', "\x00\x01"+field), 2000),
		"columns":            strings.Repeat(message('D', "\xff\xff"), 9000),
		"rows":               message('T', "\x00\x01"+field) + strings.Repeat(message('D', "\x00\x00"), 9000),
		"wide and narrow":    message('T', "\x00\x01"+field) + strings.Repeat(message('D', nulls(1000))+message('D', nulls(1)), 15),
		"copy":               strings.Repeat(message('H', "\x00\xff\xff"), 7000),
		"parameters":         strings.Repeat(message('S', "a\x00b\x00"), 7000),
		"notices":            strings.Repeat(message('N', "Mx\x00\x00"), 7000),
		"notifications":      strings.Repeat(message('A', "\x00\x00\x00\x01a\x00b\x00"), 4000),
		"protocol":           strings.Repeat(message('v', "\x00\x03\x00\x00\xff\xff\xff\xff"), 4000),
		"results":            strings.Repeat(message('C', "SELECT 1\x00"), 4500),
		"ready":              strings.Repeat(message('Z', "I"), 10000),
		"logins":             strings.Repeat(message('R', "\x00\x00\x00\x05salt"), 5000),
		"SASL":               strings.Repeat(message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), 2500),
	} {
		t.Run(name, func(t *testing.T) {
			for _, login := range []bool{true, false} {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				address := tcptest.Serve(t, func(conn net.Conn) {
					backend := backendOf(conn)
					if backend == nil {
						return
					}
					if login {
						conn.Write([]byte(message('R', "\x00\x00\x00\x00") + message('Z', "I")))
						backend.Receive()
					}
					conn.Write([]byte(reply))
					readlimittest.Hang(conn)
				})
				err := readlimittest.CheckMemory(t, func() error { return Ping(ctx, readlimittest.URL("postgres", address)) })
				if err != nil {
					readlimittest.CheckError(t, err)
				} else if name != "ready" { // more than expected is harmless
					t.Error("got no error")
				}
			}
		})
	}
}

// backendOf returns the server's side of a connection that requests a session without TLS; nil: it does not.
func backendOf(conn net.Conn) *pgproto3.Backend {
	backend := pgproto3.NewBackend(conn, conn)
	startup, err := backend.ReceiveStartupMessage()
	if err != nil {
		return nil
	}
	if _, ok := startup.(*pgproto3.SSLRequest); ok {
		conn.Write([]byte("N"))
		return nil
	}
	return backend
}

// TestIterations has a server that makes the client hash the password for seconds, or
// forever.
func TestIterations(t *testing.T) {
	for iterations, want := range map[string]string{
		"10000000":             "the server requires 10000000 rounds of password hashing, want at most 500000",
		"99999999999999999999": "the server requires 99999999999999999999 rounds of password hashing, want at most 500000",
		"4096":                 "the server closed the connection during the probe",
	} {
		address := tcptest.Serve(t, func(conn net.Conn) {
			backend := backendOf(conn)
			if backend == nil {
				return
			}
			conn.Write([]byte(message('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00")))
			backend.SetAuthType(pgproto3.AuthTypeSASL)
			first, err := backend.Receive()
			if err != nil {
				return
			}
			_, nonce, _ := strings.Cut(string(first.(*pgproto3.SASLInitialResponse).Data), "r=")
			conn.Write([]byte(message('R', "\x00\x00\x00\x0br="+nonce+"more,s=c2FsdA==,i="+iterations)))
			backend.SetAuthType(pgproto3.AuthTypeSASLContinue)
			backend.Receive()
		})
		err := Ping(t.Context(), readlimittest.URL("postgres", address))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", iterations, err, want)
		}
	}
}

// FuzzMessages: whatever a server sends, in whatever pieces, the reader returns it
// unchanged or not at all.
func FuzzMessages(f *testing.F) {
	for _, body := range []string{
		message('R', "\x00\x00\x00\x0br=x,s=c2FsdA==,i=4096"), message('R', "\x00\x00\x00\x0br=x,i=10000000"),
		message('Z', "I") + message('R', "\x00\x00\x00\x00"), "R\xff\xff\xff\xff", "T\x00\x00\x00\x00",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		whole, err := io.ReadAll(&saslReader{r: bytes.NewReader(sent)})
		_, bad := io.ReadAll(&saslReader{r: iotest.OneByteReader(bytes.NewReader(sent))})
		if (err == nil) != (bad == nil) {
			t.Errorf("got %v at once and %v in pieces", err, bad)
		}
		if err == nil && !bytes.Equal(whole, sent) {
			t.Errorf("got %q, want %q", whole, sent)
		}
	})
}
