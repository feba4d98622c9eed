package demo

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// A HealthCheck configures HAProxy's health checks of servers.
type HealthCheck struct {
	Inter time.Duration // interval of checks, and the limit of each; 0: no checks
	Path  string        // path requested by GET, successful with status 2xx or 3xx; "": connecting is enough
	Rise  int           // successful checks in a row until a server is up; 0: 2
	Fall  int           // failed checks in a row until it is down; 0: 3
}

func (c HealthCheck) withDefaults() HealthCheck {
	c.Rise, c.Fall = cmp.Or(c.Rise, 2), cmp.Or(c.Fall, 3)
	return c
}

// A health is HAProxy's counter of checks of a server. Initially the server is up and
// one failure away from down.
type health struct {
	rise, fall int
	value      int // below rise: down
}

func newHealth(c HealthCheck) health { return health{rise: c.Rise, fall: c.Fall, value: c.Rise} }

func (h *health) up() bool { return h.value >= h.rise }

func (h *health) add(passed bool) {
	switch {
	case passed:
		if h.value++; h.value >= h.rise {
			h.value = h.rise + h.fall - 1
		}
	case h.value > h.rise:
		h.value--
	default:
		h.value = 0
	}
}

// startChecks checks the servers of h until stop is called, which waits for the checks
// to end. The first checks are spread over one interval, as in HAProxy.
func (b *Balancer) startChecks(h *haproxy) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg panics.Group
	inter := h.config.Check.Inter
	for i := range h.servers {
		offset := inter * time.Duration(i) / time.Duration(len(h.servers))
		wg.Go(func() { b.checkServer(ctx, h, i, offset) })
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// checkServer checks one server, first after offset and then every interval.
func (b *Balancer) checkServer(ctx context.Context, h *haproxy, server int, offset time.Duration) {
	if !sleep.For(ctx, offset) {
		return
	}
	tick := time.NewTicker(h.config.Check.Inter)
	defer tick.Stop()
	for {
		if !h.isDisabled(server) {
			err := b.check(ctx, h.config.Check, h.servers[server].Name)
			if ctx.Err() == nil && !h.isDisabled(server) {
				h.checked(server, err == nil)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// check sends one check on its own connection. It does not use http.Transport, whose
// dialing goroutine may outlive the check.
func (b *Balancer) check(ctx context.Context, c HealthCheck, server string) error {
	ctx, cancel := context.WithTimeout(ctx, c.Inter)
	defer cancel()
	conn, err := b.transport.DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	defer conn.Close()
	if c.Path == "" {
		return nil
	}
	defer panics.AfterContext(ctx, panics.Daemon, func() { conn.Close() })()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server+c.Path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("checking server %q: got status %d, want 200 to 399", server, resp.StatusCode)
	}
	return nil
}
