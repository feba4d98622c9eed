package notify

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/sleep"
)

// How long a notification is retried, counted from its creation. A Permanent error
// ends the retries at once. The first and the last notification of an incident are
// retried for longer, over a weekend: without them the reader does not know that
// something broke, or believes that it is still broken. Later notifications
// supersede the others. Each notification gets at least one attempt.
const (
	retryFor          = 24 * time.Hour
	retryFirstAndLast = 72 * time.Hour
)

// staleFired is the age from which a Fired notification is skipped if its incident
// is resolved. After a night in which a receiver was down, the Resolved notification
// alone has all the information.
const staleFired = time.Hour

// The bounds of the time until the next attempt.
const (
	firstBackoff       = time.Second
	maxBackoff         = 5 * time.Minute // for one notification
	maxReceiverBackoff = time.Minute     // for a receiver, so that delivery resumes soon after its recovery
)

// A retryDecision says what to do after a failed attempt.
type retryDecision struct {
	deadLetter    bool
	wait          time.Duration // until the next attempt
	receiverPause time.Duration // the pause that the receiver asked for; 0: none
	unavailable   bool          // the receiver is unreachable or faulty, so the next notification would fail, too
}

// decideRetry decides about a notification whose latest attempt failed.
func decideRetry(notification alerting.Notification, now time.Time, err error) retryDecision {
	if _, ok := errors.AsType[alerting.Permanent](err); ok {
		return retryDecision{deadLetter: true}
	}
	r, ok := errors.AsType[alerting.Retriable](err)
	asked := ok && r.After > 0
	longest := retryFor
	if notification.Kind == alerting.NotificationFired || notification.Kind == alerting.NotificationResolved {
		longest = retryFirstAndLast
	}
	if now.Sub(notification.At) >= longest {
		return retryDecision{deadLetter: true, unavailable: !asked}
	}
	if asked {
		after := min(r.After, alerting.MaxReceiverPause)
		return retryDecision{wait: after, receiverPause: after}
	}
	return retryDecision{wait: upTo(backoffBound(notification.Attempts, maxBackoff)), unavailable: true}
}

// upTo returns a random duration in (0, bound]. The jitter spreads notifications
// that failed at the same time.
func upTo(bound time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(bound))) + 1 }

// backoffBound returns firstBackoff after the first failure, twice as much after
// each further one, and at most limit.
func backoffBound(failures int, limit time.Duration) time.Duration {
	bound := firstBackoff
	for range failures - 1 {
		if bound *= 2; bound >= limit {
			return limit
		}
	}
	return bound
}

// A backoff is the circuit breaker of a receiver: nothing is sent while it is open,
// because the receiver asked for a pause or keeps failing. A dispatcher and its
// successor share it.
type backoff struct {
	mu       sync.Mutex
	until    time.Time
	failures int // consecutive
}

// fail counts a failure and extends the backoff: to between half of a bound that
// doubles with each consecutive failure, and the whole.
func (b *backoff) fail() {
	b.mu.Lock()
	b.failures++
	bound := backoffBound(b.failures, maxReceiverBackoff)
	b.mu.Unlock()
	b.extend(bound/2 + upTo(bound/2))
}

// reset sets the number of consecutive failures to zero.
func (b *backoff) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = 0
}

// extend makes the backoff last for at least d from now on.
func (b *backoff) extend(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := time.Now().Add(d); until.After(b.until) {
		b.until = until
	}
}

func (b *backoff) remaining() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.until)
}

// wait waits for the end of the backoff. It returns false if ctx ends first.
func (b *backoff) wait(ctx context.Context) bool {
	for d := b.remaining(); d > 0 && ctx.Err() == nil; d = b.remaining() {
		sleep.For(ctx, d)
	}
	return ctx.Err() == nil
}
