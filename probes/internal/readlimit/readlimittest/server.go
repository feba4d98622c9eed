// Package readlimittest has hostile servers for tests of probes.
package readlimittest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/internal/tcptest"
)

// Reply returns a handler that writes text and closes when the client does.
func Reply(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Write([]byte(text))
		Hang(conn)
	}
}

// Hang reads until the client closes, and answers nothing.
func Hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// Flood returns a handler that writes block repeatedly.
func Flood(block string) func(net.Conn) {
	return func(conn net.Conn) {
		data := bytes.Repeat([]byte(block), 1+(4<<10)/len(block))
		for {
			if _, err := conn.Write(data); err != nil {
				return
			}
		}
	}
}

// drip writes a byte every few milliseconds, none of which ends a message.
func drip(conn net.Conn) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		if _, err := conn.Write([]byte{'1'}); err != nil {
			return
		}
	}
}

// freeAddress returns a local address that refuses connections.
func freeAddress(t testing.TB) string {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	listener.Close()
	return listener.Addr().String()
}

// secret is the password in every URL. Servers may send it back, and no error may
// contain it.
const secret = "s3cr%t pass/word"

// URL returns a URL of scheme with credentials.
func URL(scheme, address string) *url.URL {
	return &url.URL{Scheme: scheme, User: url.UserPassword("watch", secret), Host: address, Path: "/1"}
}

// TestHostile runs ping against servers that refuse, hang, drip, flood, send nonsense,
// or use another protocol. Each must give an error that can be shown, before the
// context ends. The package's TestMain checks that no goroutine is left.
func TestHostile(t *testing.T, scheme string, ping probes.Pinger) {
	hostile := map[string]func(net.Conn){
		"closes":  func(net.Conn) {},
		"HTTP":    Reply("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>\x1b[31mno</html>"),
		"zeros":   Flood("\x00"),
		"ones":    Flood("\xff"),
		"lines":   Flood("\r\n"),
		"endless": Flood("A"),
		"echoes":  func(conn net.Conn) { _, _ = io.Copy(conn, conn) },
		"secret":  Flood(secret + "\x00\r\n"),
		"drips":   drip,
	}
	for name, handle := range hostile {
		t.Run(name, func(t *testing.T) {
			// Some servers make the client wait for the rest of a message.
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			CheckError(t, CheckMemory(t, func() error { return ping(ctx, URL(scheme, tcptest.Serve(t, handle))) }))
		})
	}
	t.Run("refuses", func(t *testing.T) {
		err := ping(t.Context(), URL(scheme, freeAddress(t)))
		CheckError(t, err)
		if err != nil && !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %q, want that the connection was refused", err)
		}
	})
	t.Run("hangs", func(t *testing.T) { testDeadline(t, scheme, ping) })
	t.Run("cancelled", func(t *testing.T) { testCancelled(t, scheme, ping) })
}

// maxMemory bounds the bytes that one probe may allocate.
const maxMemory = 16 << 20

// CheckMemory runs a probe and fails the test if it allocates maxMemory or more in
// total. No other test may run concurrently.
func CheckMemory(t testing.TB, probe func() error) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := probe()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got >= maxMemory {
		t.Errorf("the probe allocates %d bytes, want less than %d", got, maxMemory)
	}
	return err
}

func testDeadline(t *testing.T, scheme string, ping probes.Pinger) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := ping(ctx, URL(scheme, tcptest.Serve(t, Hang)))
	CheckError(t, err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func testCancelled(t *testing.T, scheme string, ping probes.Pinger) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	address := tcptest.Serve(t, func(conn net.Conn) {
		cancel()
		Hang(conn)
	})
	if err := ping(ctx, URL(scheme, address)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// CheckError fails the test unless err can be shown: one line, bounded, without control
// characters and without the password.
func CheckError(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	text := err.Error()
	if text == "" || len(text) > probes.MaxError || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("got %q, want one clean line of at most %d bytes", text, probes.MaxError)
	}
	for _, s := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
		if strings.Contains(text, s) {
			t.Errorf("got %q, which contains the password", text)
		}
	}
}

// Start runs the server called name from PATH until the test ends, with the arguments
// for a free port of 127.0.0.1, and returns its address once it accepts connections. If
// the server is not installed, the test is skipped, or fails where CI is set.
func Start(t testing.TB, name string, arguments func(port string) []string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("finding %s: %v", name, err)
	case err != nil:
		t.Skipf("%s is not installed", name)
	}
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	command := exec.CommandContext(t.Context(), path, arguments(port)...)
	command.Dir = t.TempDir()
	if err := command.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	await(t, name, address)
	return address
}

// await returns when address accepts connections.
func await(t testing.TB, name, address string) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waiting for %s: %v", name, err)
		}
	}
}

// Ping returns the text of the error of a probe of a URL; "": it succeeded.
func Ping(t *testing.T, ping probes.Pinger, raw string) string {
	t.Helper()
	if err := ping(t.Context(), must.URL(raw)); err != nil {
		CheckError(t, err)
		return err.Error()
	}
	return ""
}
