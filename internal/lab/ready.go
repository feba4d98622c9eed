package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// readyWithin is how long a server may take to start; MariaDB on a busy machine
	// with two cores needs a few seconds.
	readyWithin = 20 * time.Second
	pollEvery   = 10 * time.Millisecond
)

var errExited = errors.New("it exited before it was ready")

// poll calls ask until it returns nil, the process has exited or the time has passed.
// In the last case it returns the last error.
func poll(ctx context.Context, exited <-chan struct{}, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("never asked")
	for {
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("waiting %v: %w", readyWithin, last)
		case <-tick.C:
		}
		if last = ask(ctx); last == nil {
			return nil
		}
	}
}

func dial(ctx context.Context, addr string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// refuses returns nil when the address accepts no connections.
func refuses(ctx context.Context, addr string) error {
	if err := dial(ctx, addr); !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s does not refuse connections: dialing gives %v", addr, err)
	}
	return nil
}

// answers checks that a worker runs, because the kernel accepts connections without
// one.
func answers(ctx context.Context, addr string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
