package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports are taken from below the ephemeral ranges of Linux (32768) and macOS
// (49152), so that neither an outgoing connection nor a listener on port 0 can
// take a port between its choice and the start of its server.
const (
	firstPort = 20000
	lastPort  = 32000
)

// FreeAddr returns a loopback "127.0.0.1:port" where nothing listens, reserved
// until the test ends. A server that is stopped can therefore be started again
// on the same port, and an address that is never used stays a dead one.
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

// reserve holds the UDP port of the same number, where none of our servers
// listens. Unlike a set in memory this also keeps the test binaries that `go
// test ./...` runs side by side apart; unlike a lock file it cannot be left
// behind.
//
// Whether the TCP port is taken is asked by dialing, not by listening: a process
// that another test forks meanwhile has the listening socket too until it
// becomes the program it shall be, and keeps the port from its server.
func reserve(addr string) (release func(), ok bool) {
	lock, err := net.ListenPacket("udp4", addr)
	if err != nil {
		return nil, false
	}
	conn, err := net.Dial("tcp4", addr)
	if err == nil {
		conn.Close()
		lock.Close()
		return nil, false
	}
	return func() { lock.Close() }, true
}
