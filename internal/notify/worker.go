package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/loglimit"
	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// A worker delivers notifications to one receiver, one at a time.
type worker struct {
	config     DispatcherConfig
	receiver   string
	notifier   alerting.Notifier
	backoff    *backoff
	logger     *slog.Logger
	wake       chan struct{}
	failureLog loglimit.Limiter // of attempts
	readingLog loglimit.Limiter // of the outbox
}

// run claims and delivers due notifications until claiming ends. A delivery in progress
// uses ctx, which ends at the same time or later.
func (w *worker) run(ctx, claiming context.Context) {
	var failures int // of the outbox, consecutive
	for w.backoff.wait(claiming) {
		n, ok, err := w.config.Outbox.Claim(ctx, w.receiver, w.config.Now(), w.lease())
		switch {
		case ctx.Err() != nil && !ok:
			return
		case err != nil:
			failures++
			// A signal may mean that the outbox serves notifications from memory now.
			pause := min(backoffBound(failures, maxBackoff), maxReadingPause)
			if suppressed, ok := w.readingLog.Allow(); ok {
				w.logger.Error("reading the outbox", "err", err, "retry_in", pause, "suppressed", suppressed)
			}
			w.waitForSignal(claiming, pause)
		case ok:
			failures = 0
			w.backoff.extend(w.deliver(ctx, n))
		default:
			failures = 0
			w.waitForSignal(claiming, w.config.Poll)
		}
	}
}

// maxReadingPause bounds the pause after the outbox could not be read.
const maxReadingPause = 15 * time.Second

// lease returns how long a claimed notification is reserved, so that no other worker, not
// even the successor of a retired dispatcher, sends it: one search, one attempt and one
// record, each with its time-out. A delivery that cannot be recorded for longer may be sent
// again, unless the receiver can be searched. A lease ends early when the outcome is
// recorded, or when the outbox is reopened after a crash.
func (w *worker) lease() time.Duration {
	return 3 * w.config.Timeout
}

// deliver makes one attempt and records the outcome. It returns the pause that the
// receiver asked for.
func (w *worker) deliver(ctx context.Context, notification alerting.Notification) (pause time.Duration) {
	var deliveryRef alerting.DeliveryRef
	var result Result
	var err error
	if caught := panics.Catch(panics.Delivery, func() { deliveryRef, result, err = w.attempt(ctx, notification) }); caught != nil {
		err = caught
	}
	if result == skipped {
		w.logger.Info("notification skipped: its incident is resolved", "notification", notification.ID)
		return 0
	}
	if err == nil {
		w.backoff.reset()
		w.record(ctx, func(ctx context.Context) error { return w.config.Outbox.Delivered(ctx, notification.ID, deliveryRef) })
		w.config.Observe(w.receiver, result)
		w.logger.Debug("notification delivered", "notification", notification.ID, "kind", notification.Kind, "attempt", notification.Attempts, "result", result)
		return 0
	}
	decision := decideRetry(notification, w.config.Now(), err)
	if ctx.Err() != nil && !decision.deadLetter {
		decision = retryDecision{} // the shutdown interrupted the attempt: the next process retries at once
	}
	if decision.unavailable {
		w.backoff.fail()
	} else if ctx.Err() == nil {
		w.backoff.reset()
	}
	reason := err.Error()
	if decision.deadLetter {
		w.record(ctx, func(ctx context.Context) error { return w.config.Outbox.DeadLetter(ctx, notification.ID, reason) })
		w.config.Observe(w.receiver, Dead)
		w.logger.Error("notification is a dead letter", "notification", notification.ID, "kind", notification.Kind, "attempts", notification.Attempts, "err", err)
		return 0
	}
	at := w.config.Now().Add(decision.wait)
	w.record(ctx, func(ctx context.Context) error { return w.config.Outbox.Retry(ctx, notification.ID, at, reason) })
	w.config.Observe(w.receiver, Retried)
	if suppressed, ok := w.failureLog.Allow(); ok {
		w.logger.Warn("notification not delivered", "notification", notification.ID, "kind", notification.Kind, "attempt", notification.Attempts, "retry_in", decision.wait, "suppressed", suppressed, "err", err)
	}
	panics.AfterFunc(decision.wait, panics.Delivery, w.signal)
	return decision.receiverPause
}

// attempt sends a notification unless an earlier attempt has delivered it. When ctx
// ends, the attempt continues for Grace: after an interrupted request nobody knows
// whether the notification has arrived.
func (w *worker) attempt(ctx context.Context, notification alerting.Notification) (alerting.DeliveryRef, Result, error) {
	ctx, cancel := w.withGrace(ctx, 2*w.config.Timeout)
	defer cancel()
	if finder, ok := w.notifier.(alerting.Finder); ok && notification.Attempts > 1 {
		deliveryRef, found, err := w.find(ctx, finder, notification)
		if err != nil {
			return alerting.DeliveryRef{}, "", fmt.Errorf("looking for an earlier attempt: %w", err)
		}
		if found {
			return deliveryRef, Found, nil
		}
	}
	if notification.Kind == alerting.NotificationFired && w.config.Now().Sub(notification.At) > staleFired && w.skip(ctx, notification) {
		return alerting.DeliveryRef{}, skipped, nil
	}
	ctx, cancel = context.WithTimeout(ctx, w.config.Timeout)
	defer cancel()
	if err := w.config.MaySend(notification); err != nil {
		return alerting.DeliveryRef{}, "", err
	}
	deliveryRef, err := w.notifier.Notify(ctx, notification)
	return deliveryRef, Delivered, err
}

// skip reports whether the outbox skipped a notification, and those that follow it,
// in favor of the Resolved notification of the incident.
func (w *worker) skip(ctx context.Context, n alerting.Notification) bool {
	done, err := w.config.Outbox.SkipToResolved(ctx, n.ID)
	if err != nil {
		w.logger.Error("skipping a notification", "notification", n.ID, "err", err)
	}
	return done
}

// find reports whether an earlier attempt delivered the notification. A Permanent
// error means that this can never be known. The notification is then sent again,
// because only the failure of sending makes a dead letter.
func (w *worker) find(ctx context.Context, finder alerting.Finder, n alerting.Notification) (alerting.DeliveryRef, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.config.Timeout)
	defer cancel()
	deliveryRef, found, err := finder.Find(ctx, n)
	if _, ok := errors.AsType[alerting.Permanent](err); ok {
		w.logger.Warn("cannot search for an earlier attempt: the notification may be sent twice", "notification", n.ID, "err", err)
		return alerting.DeliveryRef{}, false, nil
	}
	return deliveryRef, found, err
}

// withGrace returns a context that ends after timeout, or Grace after its parent.
func (w *worker) withGrace(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	stop := panics.AfterContext(ctx, panics.Delivery, func() { panics.AfterFunc(w.config.Grace, panics.Delivery, cancel) })
	return late, func() { stop(); cancel() }
}

// record writes an outcome and retries until that succeeds. The worker does nothing
// else meanwhile: without a recorded outcome the notification would be sent again.
// When ctx ends, record makes one last attempt; if that fails, the next process
// relies on the Finder.
func (w *worker) record(ctx context.Context, write func(context.Context) error) {
	for failures := 1; ; failures++ {
		err := w.writeOnce(ctx, write)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.logger.Error("recording a delivery: given up", "err", err)
			return
		}
		pause := backoffBound(failures, maxBackoff)
		w.logger.Error("recording a delivery", "err", err, "retry_in", pause)
		sleep.For(ctx, pause)
	}
}

func (w *worker) writeOnce(ctx context.Context, write func(context.Context) error) (err error) {
	ctx, cancel := w.withGrace(ctx, w.config.Timeout)
	defer cancel()
	if caught := panics.Catch(panics.Delivery, func() { err = write(ctx) }); caught != nil {
		return caught
	}
	return err
}

// waitForSignal waits for a signal, but no longer than a pause.
func (w *worker) waitForSignal(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-time.After(pause):
	}
}

// signal ends the current call of waitForSignal, or the next one.
func (w *worker) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
