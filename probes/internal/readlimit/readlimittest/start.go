package readlimittest

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Start runs the server called name from PATH until the test ends, with the
// arguments for a free port of 127.0.0.1, and returns its address once it
// accepts connections. Without such a server the test is skipped, except where
// the environment has CI.
func Start(t testing.TB, name string, arguments func(port string) []string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("finding %s: %v", name, err)
	case err != nil:
		t.Skipf("%s is not installed", name)
	}
	address := closed(t)
	_, port, _ := net.SplitHostPort(address)
	command := exec.CommandContext(t.Context(), path, arguments(port)...)
	command.Dir = t.TempDir()
	if err := command.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	t.Cleanup(func() {
		command.Process.Kill()
		<-exited
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
		conn, err := net.Dial("tcp", address)
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
