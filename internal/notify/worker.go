package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/panics"
)

// A worker takes notices to one receiver, one at a time.
type worker struct {
	config         DispatcherConfig
	receiver       string
	notifier       alerting.Notifier
	backoff        *backoff
	logger         *slog.Logger
	wake           chan struct{}
	rateLimitedLog rateLimitedLog
}

// run delivers what is due, until more ends. ctx, which ends then or later, is
// for what is under way.
func (c *worker) run(ctx, more context.Context) {
	var failures int // of the outbox, in a row
	for c.backoff.wait(more) {
		n, ok, err := c.config.Outbox.Claim(ctx, c.receiver, time.Now(), c.lease())
		switch {
		case ctx.Err() != nil && !ok:
			return
		case err != nil:
			failures++
			pause := backoffBound(failures, maxBackoff)
			c.logger.Error("looking into the outbox", "err", err, "again_in", pause)
			sleep(more, pause)
		case ok:
			failures = 0
			c.backoff.extend(c.deliver(ctx, n))
		default:
			failures = 0
			c.rest(more)
		}
	}
}

// lease outlives all that may be done with a notice, so that nobody else touches
// it meanwhile: not the successor of a dispatcher that was retired. What ends it
// early is that its holder writes down an outcome, or that the outbox is opened
// anew after a crash.
func (c *worker) lease() time.Duration {
	const recording = 10 * time.Second
	return 2*c.config.Timeout + c.config.Grace + recording
}

// deliver makes one attempt and writes down what became of it. The pause is what
// the receiver asked for.
func (c *worker) deliver(ctx context.Context, n alerting.Notification) (pause time.Duration) {
	var deliveryRef alerting.DeliveryRef
	var result Result
	var err error
	if caught := panics.Catch(panics.Delivery, func() { deliveryRef, result, err = c.attempt(ctx, n) }); caught != nil {
		err = caught
	}
	if result == skipped {
		c.logger.Info("notice is not sent: the end of its incident is told in its place", "notice", n.ID)
		return 0
	}
	if err == nil {
		c.backoff.answered()
		c.record(ctx, func(ctx context.Context) error { return c.config.Outbox.Delivered(ctx, n.ID, deliveryRef) })
		c.config.Observe(c.receiver, result)
		c.logger.Debug("notice delivered", "notice", n.ID, "kind", n.Kind, "attempt", n.Attempts, "result", result)
		return 0
	}
	v := judge(n, time.Now(), err)
	if ctx.Err() != nil && !v.deadLetter {
		v = verdict{} // it was cut off: the next to run tries again at once
	}
	if v.failing {
		c.backoff.failed()
	} else if ctx.Err() == nil {
		c.backoff.answered()
	}
	reason := err.Error()
	if v.deadLetter {
		c.record(ctx, func(ctx context.Context) error { return c.config.Outbox.DeadLetter(ctx, n.ID, reason) })
		c.config.Observe(c.receiver, Dead)
		c.logger.Error("notice given up", "notice", n.ID, "kind", n.Kind, "attempts", n.Attempts, "err", err)
		return 0
	}
	at := time.Now().Add(v.wait)
	c.record(ctx, func(ctx context.Context) error { return c.config.Outbox.Retry(ctx, n.ID, at, reason) })
	c.config.Observe(c.receiver, Retried)
	if unsaid, ok := c.rateLimitedLog.may(time.Now()); ok {
		c.logger.Warn("notice not delivered", "notice", n.ID, "kind", n.Kind, "attempt", n.Attempts, "again_in", v.wait, "unsaid", unsaid, "err", err)
	}
	panics.AfterFunc(v.wait, panics.Delivery, c.signal)
	return v.backoff
}

// attempt sends a notice, if no earlier attempt has. It goes on for Grace when
// ctx ends: to be cut off would leave open whether the notice has arrived.
func (c *worker) attempt(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, Result, error) {
	ctx, cancel := c.withGrace(ctx, 2*c.config.Timeout)
	defer cancel()
	if finder, ok := c.notifier.(alerting.Finder); ok && n.Attempts > 1 {
		deliveryRef, found, err := c.find(ctx, finder, n)
		if err != nil {
			return alerting.DeliveryRef{}, "", fmt.Errorf("looking for an earlier attempt: %w", err)
		}
		if found {
			return deliveryRef, Found, nil
		}
	}
	if n.Kind == alerting.NotificationFired && time.Since(n.At) > staleFired && c.skip(ctx, n) {
		return alerting.DeliveryRef{}, skipped, nil
	}
	ctx, cancel = context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	deliveryRef, err := c.notifier.Notify(ctx, n)
	return deliveryRef, Delivered, err
}

// skip reports whether a notice, and what waits for it, gave way to the end of its
// incident.
func (c *worker) skip(ctx context.Context, n alerting.Notification) bool {
	skipped, err := c.config.Outbox.SkipToEnd(ctx, n.ID)
	if err != nil {
		c.logger.Error("looking for the end of an incident", "notice", n.ID, "err", err)
	}
	return skipped
}

// find asks whether an earlier attempt arrived. That it cannot be told is no
// reason to give the notice up, whatever the receiver says: only sending may be.
func (c *worker) find(ctx context.Context, finder alerting.Finder, n alerting.Notification) (alerting.DeliveryRef, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	deliveryRef, found, err := finder.Find(ctx, n)
	if _, ok := errors.AsType[alerting.Permanent](err); ok {
		c.logger.Warn("an earlier attempt cannot be looked for: the notice may be sent twice", "notice", n.ID, "err", err)
		return alerting.DeliveryRef{}, false, nil
	}
	return deliveryRef, found, err
}

// withGrace is a context that ends after a time, or Grace after its parent.
func (c *worker) withGrace(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	stop := panics.AfterContext(ctx, panics.Delivery, func() { panics.AfterFunc(c.config.Grace, panics.Delivery, cancel) })
	return late, func() { stop(); cancel() }
}

// record writes down an outcome, and does nothing else until that is done: a
// notice that is delivered, and not known to be, would be sent again. When ctx
// ends it is tried once more; the next to run asks its Finder.
func (c *worker) record(ctx context.Context, write func(context.Context) error) {
	for failures := 1; ; failures++ {
		err := c.once(ctx, write)
		if err == nil {
			return
		}
		pause := backoffBound(failures, maxBackoff)
		c.logger.Error("writing down a delivery", "err", err, "again_in", pause)
		if ctx.Err() != nil {
			return
		}
		sleep(ctx, pause)
	}
}

func (c *worker) once(ctx context.Context, write func(context.Context) error) (err error) {
	ctx, cancel := c.withGrace(ctx, c.config.Timeout)
	defer cancel()
	if caught := panics.Catch(panics.Delivery, func() { err = write(ctx) }); caught != nil {
		return caught
	}
	return err
}

// rest waits until there may be something to do.
func (c *worker) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-time.After(c.config.Poll):
	}
}

// signal ends a rest, or the next one.
func (c *worker) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
