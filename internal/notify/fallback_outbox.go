package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
	"stickwatch/internal/panics"
)

// stuckAfter is how long the disk must accept nothing before notifications are
// delivered from memory. Before that, nothing is delivered that a crash could make
// stickwatch forget.
const stuckAfter = history.HangsAfter

// A fallbackOutbox is the outbox of the history. While the disk is stuck, it also
// serves the notifications in the write queue, so that a full disk delays no alert.
// The outcome is written together with the notification. If the process ends before
// that, the notification may be sent twice.
type fallbackOutbox struct {
	PendingOutbox // on the disk
	queue         *WriteQueue
}

// NewFallbackOutbox returns an outbox that serves notifications from disk and, while
// the disk is stuck, from queue.
func NewFallbackOutbox(disk PendingOutbox, queue *WriteQueue) PendingOutbox {
	return fallbackOutbox{disk, queue}
}

// Claim implements Outbox.
func (o fallbackOutbox) Claim(ctx context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notification, bool, error) {
	if o.queue.diskStuck(now) {
		n, ok := o.queue.claim(ctx, receiver, now, lease)
		return n, ok, nil
	}
	type claim struct {
		alerting.Notification
		ok bool
	}
	// If the disk completes a claim after unlessHung gave up, the lease frees it.
	c, err := unlessHung(ctx, func(ctx context.Context) (c claim, err error) {
		c.Notification, c.ok, err = o.PendingOutbox.Claim(ctx, receiver, now, lease)
		if due := o.queue.resume(&c.Notification, now); c.ok && now.Before(due) {
			c.ok, err = false, o.PendingOutbox.Retry(ctx, c.ID, due, "claimed from memory")
		}
		if !c.ok {
			c.Notification = alerting.Notification{}
		}
		return c, err
	})
	return c.Notification, c.ok, err
}

// Delivered implements Outbox.
func (o fallbackOutbox) Delivered(ctx context.Context, id string, r alerting.DeliveryRef) error {
	if o.queue.updateClaim(id, func(claim *memoryClaim) { claim.deliveryRef = &r }) {
		return nil
	}
	return o.record(ctx, func(ctx context.Context) error { return o.PendingOutbox.Delivered(ctx, id, r) },
		history.WriteSet{Delivered: map[string]alerting.DeliveryRef{id: r}})
}

// Retry implements Outbox.
func (o fallbackOutbox) Retry(ctx context.Context, id string, at time.Time, reason string) error {
	if o.queue.updateClaim(id, func(claim *memoryClaim) { claim.due = at }) {
		return nil
	}
	return o.record(ctx, func(ctx context.Context) error { return o.PendingOutbox.Retry(ctx, id, at, reason) }, history.WriteSet{})
}

// DeadLetter implements Outbox.
func (o fallbackOutbox) DeadLetter(ctx context.Context, id, reason string) error {
	if o.queue.updateClaim(id, func(claim *memoryClaim) { claim.dead, claim.reason = true, reason }) {
		return nil
	}
	return o.record(ctx, func(ctx context.Context) error { return o.PendingOutbox.DeadLetter(ctx, id, reason) },
		history.WriteSet{DeadLetters: map[string]string{id: reason}})
}

// SkipToResolved implements Outbox. Notifications in the queue are not skipped.
func (o fallbackOutbox) SkipToResolved(ctx context.Context, id string) (bool, error) {
	if o.queue.isClaimed(id) {
		return false, nil
	}
	return unlessHung(ctx, func(ctx context.Context) (bool, error) { return o.PendingOutbox.SkipToResolved(ctx, id) })
}

// record writes an outcome to the disk. If the disk hangs, or the database is away, it adds
// the outcome to the queue, so that the worker can go on.
func (o fallbackOutbox) record(ctx context.Context, write func(context.Context) error, outcome history.WriteSet) error {
	_, err := unlessHung(ctx, func(ctx context.Context) (none struct{}, err error) { return none, write(ctx) })
	if errors.Is(err, history.ErrHangs) || isAway(err) && ctx.Err() == nil {
		o.queue.Add(outcome)
		return nil
	}
	return err
}

// isFull reports whether an error says that the database has no space.
func isFull(err error) bool {
	full, ok := errors.AsType[interface {
		error
		Full() bool
	}](err)
	return ok && full.Full()
}

// isAway reports whether an error says that the database does not answer.
func isAway(err error) bool {
	away, ok := errors.AsType[interface {
		error
		Unavailable() bool
	}](err)
	return ok && away.Unavailable()
}

// unlessHung runs a disk operation and returns history.ErrHangs if it takes longer than
// stuckAfter. No context can end a system call that does not return, so the operation
// may still complete later.
func unlessHung[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, stuckAfter)
	done := make(chan result, 1)
	panics.Go(panics.Delivery, func() {
		defer cancel()
		var value T
		var err error
		if failed := panics.Catch(panics.Delivery, func() { value, err = do(ctx) }); failed != nil {
			err = failed
		}
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", history.ErrHangs, err) // it waited for another operation that hangs
		}
		done <- result{value, err}
	})
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(stuckAfter + time.Second):
		var none T
		return none, history.ErrHangs
	}
}
