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
	// readyWithin is what a server may take until it accepts; MariaDB on a busy
	// two-core machine needs a few seconds of it.
	readyWithin = 20 * time.Second
	pollEvery   = 10 * time.Millisecond
)

var errExited = errors.New("it exited before it was ready")

// poll asks until the answer is nil, the process has exited or the time is up.
// It returns the last answer in the last case.
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

// refuses returns nil when nothing accepts at the address.
func refuses(ctx context.Context, addr string) error {
	if err := dial(ctx, addr); !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s does not refuse connections: dialing gives %v", addr, err)
	}
	return nil
}

// answers makes sure that a worker runs: the kernel accepts without one.
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
