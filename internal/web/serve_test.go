package web

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// running serves a world at a free port until the test, or the function that is
// returned, ends it.
func running(t *testing.T, w *world, change ...func(*Config)) (address string, end func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := w.server(t, change...)
	go func() { done <- s.Serve(ctx, l) }()
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
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	return r
}

// TestServeEndsStreams: somebody who listens does not hold up the end.
func TestServeEndsStreams(t *testing.T) {
	live := NewLive()
	address, end := running(t, newWorld(calm("shop", 2)), func(c *Config) { c.Live = live })
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

// TestServeAsksForPasswords as the web configuration says.
func TestServeAsksForPasswords(t *testing.T) {
	// The hash is of "opensesame", at the least cost.
	const content = "basic_auth_users: {ops: $2a$04$RUMwpsjF0jSCcRwdVFuzl.h9TMGYeRtncvunKQWDnCVyuZ6L1aMyi}\n"
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	address, _ := running(t, newWorld(calm("shop", 2)), func(c *Config) { c.WebConfigFile = file })
	for _, path := range []string{"/", "/metrics", "/api/v1/clusters", "/events"} {
		if got := get(t, address+path); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d without a password", path, got.StatusCode)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/", nil)
	r.SetBasicAuth("ops", "opensesame")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		t.Errorf("got %d with the password", got.StatusCode)
	}
}

func TestServeTellsWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := newWorld().server(t).Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), `serving at "127.0.0.1:`) {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{WebConfigFile: filepath.Join(t.TempDir(), "none.yml")}); err == nil || !strings.Contains(err.Error(), "reading the web configuration") {
		t.Errorf("got %v", err)
	}
}
