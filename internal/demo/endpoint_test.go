package demo

import (
	"context"
	"net"
	"os/exec"
	"sync"
	"testing"

	"stickwatch/internal/must"
)

// TestEndpointAmidForks stops and starts an endpoint while processes are started, each
// of which holds a copy of every listener for a moment.
func TestEndpointAmidForks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var forks sync.WaitGroup
	defer forks.Wait()
	defer cancel()
	for range 4 {
		forks.Go(func() {
			for ctx.Err() == nil {
				exec.CommandContext(ctx, "true").Run() // the result is irrelevant
			}
		})
	}
	e := newEndpoint("", leave)
	defer e.close()
	for range 500 {
		must.Succeed(t, e.start())
		e.stop()
	}
}

// TestEndpointTaken checks that an address in use is an error.
func TestEndpointTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	defer ln.Close()
	e := newEndpoint(ln.Addr().String(), leave)
	if err := e.start(); err == nil {
		e.close()
		t.Fatal("took an address that is taken")
	}
}

// leave serves no connection until ctx is done.
func leave(ctx context.Context, ln net.Listener) {
	<-ctx.Done()
	ln.Close()
}
