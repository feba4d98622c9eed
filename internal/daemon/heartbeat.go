package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"stickwatch/internal/config"
	"stickwatch/probes"
)

// A Service is the service manager that runs the daemon.
type Service struct {
	// Notify sends a state of sd_notify(3), such as READY=1; nil: nobody is notified. The
	// daemon sends WATCHDOG=1 only while rounds are taken.
	Notify   func(state string)
	Watchdog time.Duration // how often WATCHDOG=1 is sent; 0: never
}

func (s Service) notify(state string) {
	if s.Notify != nil {
		s.Notify(state)
	}
}

// feedWatchdog keeps the service manager from restarting the daemon while rounds are taken.
// It ignores impairments and receivers that do not answer, which a restart does not repair.
func (d *Daemon) feedWatchdog() {
	if key, stalled := d.schedule.Stalled(); stalled {
		d.logger.Error("a job has not ended for long: the service manager is to restart stickwatch", "job", key)
		return
	}
	d.config.Service.notify("WATCHDOG=1")
}

// health returns why nobody should rely on the daemon: rounds are not taken, or their
// result is not notified.
func (d *Daemon) health() error {
	if err := d.ready(); err != nil {
		return err
	}
	if key, stalled := d.schedule.Stalled(); stalled {
		return fmt.Errorf("the job %q has not ended for long", key)
	}
	if d.isImpaired.Load() {
		return errors.New("stickwatch itself cannot probe")
	}
	return d.outboxProgress.stuck()
}

// A heartbeat sends the configured request while the daemon is healthy. Another service
// notices when it is missing.
type heartbeat struct {
	daemon      *Daemon
	send        func(context.Context, config.Heartbeat) error
	missingFrom time.Time // when the first one is missing; zero before the first call
	next        time.Time // when the next one is due
	failed      string    // why the last one was not sent or accepted; "": it was
}

// heartbeatTimeout bounds a request; the interval is at least as long.
const heartbeatTimeout = 10 * time.Second

// sendWhenDue sends a heartbeat if one is due, and logs when its result changes. One that
// is withheld is sent as soon as the daemon is healthy. The first one is missing only after
// an interval, because no daemon is ready when it starts.
func (h *heartbeat) sendWhenDue(ctx context.Context) {
	daemon, c := h.daemon, h.daemon.active.Load().config.Heartbeat
	if c.URL.IsZero() {
		daemon.metrics.NoHeartbeat()
		return
	}
	if h.missingFrom.IsZero() {
		h.missingFrom = time.Now().Add(c.Interval)
	}
	if time.Until(h.next) > 0 {
		return
	}
	err := daemon.health()
	starting := err != nil && time.Until(h.missingFrom) > 0
	if err != nil {
		err = fmt.Errorf("withheld: %w", err)
	} else {
		h.next = time.Now().Add(c.Interval)
		err = h.send(ctx, c)
	}
	if ctx.Err() != nil {
		return
	}
	daemon.metrics.Heartbeat(err == nil)
	failed := ""
	if err != nil {
		failed = err.Error()
	}
	switch {
	case failed == h.failed || starting:
		return
	case err != nil:
		daemon.logger.Warn("the heartbeat is missing", "err", failed)
	default:
		daemon.logger.Info("heartbeats are sent again")
	}
	h.failed = failed
}

// sendHeartbeat sends one heartbeat. Its error contains no part of the address.
func sendHeartbeat(ctx context.Context, c config.Heartbeat) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL.Reveal(), http.NoBody)
	if err != nil {
		return errors.New("the address is invalid")
	}
	req.Header.Set("User-Agent", "stickwatch")
	req.Header.Set("Accept-Encoding", "identity") // net/http would decompress endless empty gzip members
	res, err := heartbeatClient.Do(req)
	if err != nil {
		return errors.New(probes.Clean(probes.Conceal(probes.WithoutURL(err).Error(), c.Secrets()...), probes.MaxError))
	}
	defer res.Body.Close()
	const maxAnswer = 64 << 10
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode >= 300 {
		return fmt.Errorf("got status %d, want 2xx", res.StatusCode)
	}
	return nil
}

// heartbeatClient follows a few redirects on the same host, for example to https. Another host
// would get the address, which is a secret, as the referer.
var heartbeatClient = &http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
	const most = 3
	if len(via) > most || next.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	return nil
}}

// An outboxProgress records since when notifications wait at receivers that accept
// nothing.
type outboxProgress struct {
	mu    sync.Mutex
	since map[string]time.Time // by receiver; "": in memory, or the history cannot be read
}

// outboxStuckAfter is how long notifications may wait without a delivery.
const outboxStuckAfter = 5 * time.Minute

// observe records the numbers of pending notifications by receiver, and whether others may
// wait elsewhere. pending is nil while the history cannot be read: then no wait has ended.
func (p *outboxProgress) observe(pending map[string]int, elsewhere bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := make(map[string]time.Time)
	if pending == nil {
		maps.Copy(waiting, p.since)
	}
	wait := func(receiver string) {
		if waiting[receiver] = p.since[receiver]; waiting[receiver].IsZero() {
			waiting[receiver] = time.Now()
		}
	}
	for receiver, n := range pending {
		if n > 0 {
			wait(receiver)
		}
	}
	if elsewhere {
		wait("")
	}
	p.since = waiting
}

// leftOutbox records that a notification was delivered or given up, from the history or from
// memory.
func (p *outboxProgress) leftOutbox(receiver string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.since, receiver)
	delete(p.since, "")
}

// stuck returns an error if notifications wait at a receiver for too long.
func (p *outboxProgress) stuck() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for receiver, since := range p.since {
		switch {
		case time.Since(since) < outboxStuckAfter:
		case receiver == "":
			return errors.New("notifications cannot be written or delivered")
		default:
			return fmt.Errorf("notifications to %q wait", receiver)
		}
	}
	return nil
}
