// Package tcptest serves TCP connections in tests.
package tcptest

import (
	"net"
	"sync"
	"testing"
	"time"

	"stickwatch/internal/must"
)

// closesWithin is the time in which clients must have closed their connections.
const closesWithin = 30 * time.Second

// Serve runs handle for every connection until the test ends, closes those that handle
// leaves open, and returns the address. A client that does not close its connections
// fails the test.
func Serve(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		closed := make(chan struct{})
		go func() {
			wg.Wait()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(closesWithin):
			t.Error("the client left a connection open")
		}
	})
	return listener.Addr().String()
}
