package web

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// running serves a daemon at a free port until the test ends or end is called.
func running(t *testing.T, d *fakeDaemon, change ...func(*Config)) (address string, end func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := d.server(t, change...)
	go func() { done <- s.Serve(ctx, nil, l) }()
	ended := false
	end = func() error {
		cancel()
		if ended {
			return nil
		}
		ended = true
		return <-done
	}
	t.Cleanup(func() { _ = end() })
	return "http://" + l.Addr().String(), end
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	r, err := http.Get(url)
	must.Succeed(t, err)
	t.Cleanup(func() { r.Body.Close() })
	return r
}

// TestServeEndsStreams: open streams do not delay the shutdown.
func TestServeEndsStreams(t *testing.T) {
	live := NewLive()
	address, end := running(t, newFakeDaemon(healthyCluster("shop", 2)), func(c *Config) { c.Live = live })
	lines := bufio.NewScanner(get(t, address+"/events").Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
	}
	live.Publish("shop")
	for lines.Scan() && lines.Text() != `data: ["shop"]` {
	}
	if err := end(); err != nil {
		t.Errorf("ending: %v", err)
	}
	for lines.Scan() {
	}
	if _, err := http.Get(address + "/-/healthy"); err == nil {
		t.Error("it still answers after its end")
	}
}

// TestServeEndsRounds: hanging nodes do not delay the shutdown.
func TestServeEndsRounds(t *testing.T) {
	e := &slowExporter{began: make(chan struct{})}
	address, end := running(t, newFakeDaemon(healthyCluster("shop", 2)), func(c *Config) { c.Exporter = e })
	status := make(chan int, 1)
	go func() {
		r, err := http.Get(address + "/probe?cluster=shop")
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		r.Body.Close()
		status <- r.StatusCode
	}()
	<-e.began
	if err := end(); err != nil {
		t.Errorf("ending: %v", err)
	}
	if got := <-status; got != http.StatusServiceUnavailable {
		t.Errorf("got status %d, want 503", got)
	}
}

// TestServeCutsOff: requests that exceed the timeout are closed without an error.
func TestServeCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, given := make(chan struct{}), make(chan struct{})
		var log bytes.Buffer
		s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.Metrics = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(began)
				<-r.Context().Done()
				close(given)
			})
		})
		here, there := net.Pipe()
		defer here.Close()
		l := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conns <- there
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, nil, l) }()
		if _, err := io.WriteString(here, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-began
		end()
		if err := <-done; err != nil {
			t.Errorf("got %v", err)
		}
		<-given
		if !strings.Contains(log.String(), "closing requests that exceed the shutdown timeout") {
			t.Errorf("got log %q", log.String())
		}
	})
}

// A pipeListener has connections in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// TestServeAsksForPasswords: the web configuration is applied.
func TestServeAsksForPasswords(t *testing.T) {
	// The hash of "opensesame" at the lowest cost.
	const content = "basic_auth_users: {ops: $2a$04$RUMwpsjF0jSCcRwdVFuzl.h9TMGYeRtncvunKQWDnCVyuZ6L1aMyi}\n"
	file := filepath.Join(t.TempDir(), "web.yml")
	must.Succeed(t, os.WriteFile(file, []byte(content), 0o600))
	address, _ := running(t, newFakeDaemon(healthyCluster("shop", 2)), func(c *Config) { c.WebConfigFile = file })
	for _, path := range []string{"/", "/metrics", "/api/v1/clusters", "/events"} {
		if got := get(t, address+path); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d without a password", path, got.StatusCode)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/", nil)
	r.SetBasicAuth("ops", "opensesame")
	got, err := http.DefaultClient.Do(r)
	must.Succeed(t, err)
	defer got.Body.Close()
	expect.Equal(t, "status with the password", http.StatusOK, got.StatusCode)
}

func TestServeErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	l.Close()
	if err := newFakeDaemon().server(t).Serve(t.Context(), nil, l); err == nil || !strings.Contains(err.Error(), `serving at "127.0.0.1:`) {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{WebConfigFile: filepath.Join(t.TempDir(), "none.yml")}); err == nil || !strings.Contains(err.Error(), "reading the web configuration") {
		t.Errorf("got %v", err)
	}
}
