package readlimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/internal/readlimit"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drain reads from address until it fails, and returns the error of a library.
func drain(address string) func(context.Context, readlimit.Dial) error {
	return func(ctx context.Context, dial readlimit.Dial) error {
		conn, err := dial(ctx, "tcp", address)
		if err != nil {
			return errors.New("bad connection")
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			return errors.New("invalid connection")
		}
		return io.EOF
	}
}

func TestRunExplains(t *testing.T) {
	reset := tcptest.Serve(t, func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) })
	for name, tc := range map[string]struct {
		ask  func(context.Context, readlimit.Dial) error
		want string
	}{
		"nothing": {func(context.Context, readlimit.Dial) error { return nil }, ""},
		"library": {func(context.Context, readlimit.Dial) error { return errors.New("bad\n  \x1b[31mnews") }, "bad [31mnews"},
		"password": {func(context.Context, readlimit.Dial) error {
			return errors.New("no p\x00w d/, no pw%20d%2F, no pw+d%2F")
		}, "no ***, no ***, no ***"},
		"panic": {func(context.Context, readlimit.Dial) error { panic("pw d/") }, "the client library panics on the answer: this is another service, or a hostile one"},
		"answer": {func(context.Context, readlimit.Dial) error {
			return fmt.Errorf("wrapped: %w", readlimit.AnswerError{Message: "NO\r\nto pw d/", Remedy: "ask again"})
		}, `ask again: it answers "NO to ***"`},
		"answer alone": {func(context.Context, readlimit.Dial) error { return readlimit.AnswerError{Message: "NO"} }, `it answers "NO"`},
		"flood":        {drain(tcptest.Serve(t, readlimittest.Flood("x"))), "the server sends more than 65536 bytes: this is another service"},
		"reset":        {drain(reset), "the server closed the connection during the probe"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			u := &url.URL{Scheme: "test", User: url.UserPassword("watch", "pw d/")}
			if err := readlimit.Run(t.Context(), u, tc.ask); err != nil {
				got = err.Error()
			}
			expect.Equal(t, "result", tc.want, got)
		})
	}
}

// TestRunHidesShortPassword: masking each "a" of a sentence reveals that the password
// is "a".
func TestRunHidesShortPassword(t *testing.T) {
	u := &url.URL{User: url.UserPassword("", "a")}
	for name, err := range map[string]error{
		"answer":  readlimit.AnswerError{Message: "a password that has an a", Remedy: "correct the password"},
		"library": errors.New("bad password: a"),
	} {
		got := readlimit.Run(t.Context(), u, func(context.Context, readlimit.Dial) error { return err }).Error()
		if strings.Contains(got, "***") || strings.Contains(got, "bad password") || strings.Contains(got, "that has") {
			t.Errorf("%s: got %q, want nothing of the text", name, got)
		}
	}
}

func TestRunHidesPasswordAtTheCut(t *testing.T) {
	u := &url.URL{User: url.UserPassword("", "0123456789"), RawQuery: "sslpassword=abcdefghij"}
	for _, secret := range []string{"0123456789", "abcdefghij"} {
		for n := range 2 * probes.MaxError {
			err := readlimit.Run(t.Context(), u, func(context.Context, readlimit.Dial) error {
				return readlimit.AnswerError{Message: strings.Repeat("x", n) + secret}
			})
			if strings.Contains(err.Error(), secret[:5]) {
				t.Fatalf("after %d bytes: got %q", n, err)
			}
		}
	}
}

// TestRunDeadline has a library that replaces the probe's deadline and context by its
// own.
func TestRunDeadline(t *testing.T) {
	address := tcptest.Serve(t, readlimittest.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := readlimit.Run(ctx, &url.URL{}, func(_ context.Context, dial readlimit.Dial) error {
		conn, err := dial(context.Background(), "tcp", address)
		if err != nil {
			return err
		}
		conn.SetDeadline(time.Now().Add(time.Hour))
		_, err = conn.Read(make([]byte, 1))
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestRunGivesDeadline(t *testing.T) {
	err := readlimit.Run(context.Background(), &url.URL{}, func(ctx context.Context, _ readlimit.Dial) error {
		if _, ok := ctx.Deadline(); !ok {
			return errors.New("no deadline")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRunCloses(t *testing.T) {
	address := tcptest.Serve(t, readlimittest.Hang)
	var conn net.Conn
	var later readlimit.Dial
	err := readlimit.Run(t.Context(), &url.URL{}, func(ctx context.Context, dial readlimit.Dial) (err error) {
		later = dial
		conn, err = dial(ctx, "tcp", address)
		return err
	})
	must.Succeed(t, err)
	if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing afterwards: got %v, want %v", err, net.ErrClosed)
	}
	if late, err := later(t.Context(), "tcp", address); err == nil {
		late.Close()
		t.Error("dialling afterwards: got no error")
	}
}

func TestAddress(t *testing.T) {
	for raw, want := range map[string]string{
		"test://":         "localhost:11211",
		"test://10.0.0.5": "10.0.0.5:11211",
		"test://[::1]:1":  "[::1]:1",
	} {
		expect.Equal(t, raw, want, readlimit.Address(must.URL(raw), "11211"))
	}
}
