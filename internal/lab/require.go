package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// binaryDirs are searched after PATH: Debian installs servers outside the PATH of
// normal users, and PostgreSQL in a folder per version.
var binaryDirs = []string{
	"/usr/sbin",
	"/usr/local/sbin",
	"/usr/lib/postgresql/*/bin",
	"/usr/lib/apache2",
}

// Require skips the test when one of the named programs ("nginx", "postgres") is not
// installed. Where the environment variable CI is not empty it fails the test, because
// a skipped test would go unnoticed there. The constructors of this package call
// Require.
func Require(tb testing.TB, names ...string) {
	tb.Helper()
	for _, name := range names {
		if _, ok := find(name); !ok {
			missing(tb, name)
		}
	}
}

// missing skips the test, or fails it in CI.
func missing(tb testing.TB, name string) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatalf("the lab needs %q, which is not installed", name)
	}
	tb.Skipf("the lab needs %q, which is not installed", name)
}

// program returns the path of an installed program, or skips or fails the test as
// [Require] does.
func program(tb testing.TB, name string) string {
	tb.Helper()
	Require(tb, name)
	path, _ := find(name)
	return path
}

// Promtool runs Prometheus's promtool, which must succeed.
func Promtool(tb testing.TB, args ...string) {
	tb.Helper()
	if out, err := exec.CommandContext(tb.Context(), program(tb, "promtool"), args...).CombinedOutput(); err != nil {
		tb.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func find(name string) (path string, ok bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	for _, dir := range binaryDirs {
		// Matches are sorted: the last one is the newest version.
		matches, _ := filepath.Glob(filepath.Join(dir, name))
		for _, match := range slices.Backward(matches) {
			if path, err := exec.LookPath(match); err == nil {
				return path, true
			}
		}
	}
	return "", false
}

// Ports are taken from below the ephemeral ranges of Linux (32768) and macOS (49152),
// so that neither an outgoing connection nor a listener on port 0 can take a port
// between its choice and the start of its server.
const (
	firstPort = 20000
	lastPort  = 32000
)

// FreeAddr returns a loopback "127.0.0.1:port" where nothing listens, reserved until
// the test ends. A stopped server can therefore start again on the same port, and an
// unused address stays unused.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		if release, ok := reserve(addr); ok {
			tb.Cleanup(release)
			return addr
		}
	}
	tb.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return ""
}

// reserve binds the UDP port of the same number, on which no server of the lab listens.
// This also works between the test binaries that `go test ./...` runs concurrently, and
// leaves nothing behind when a process is killed.
//
// The TCP port is checked by dialing, not by listening: a process that another test
// forks inherits the listening socket until it executes its own program, and would
// block the port.
func reserve(addr string) (release func(), ok bool) {
	lock, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp4", addr)
	if err != nil {
		return nil, false
	}
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp4", addr)
	if err == nil {
		conn.Close()
		lock.Close()
		return nil, false
	}
	return func() { lock.Close() }, true
}
