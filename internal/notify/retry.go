package notify

import (
	"errors"
	"math/rand/v2"
	"time"

	"stickwatch/alerting"
)

// How long a notice is tried. A Permanent failure ends it at once; any other
// only when the notice is too old, and it has been tried at least once. What
// goes on between is superseded by what comes next. But whoever is not told that
// something broke, or believes that it still is, is misled: the first and the
// last notice of an incident are tried for longer, over a weekend.
const (
	retryFor         = 24 * time.Hour
	patienceForFrame = 72 * time.Hour
)

// staleFired is from when on a Fired notice is not sent any more if the incident is
// over meanwhile: after a night in which a receiver was down, the end alone tells
// it all, in half as many messages.
const staleFired = time.Hour

// The bounds of waiting for the next attempt.
const (
	firstBackoff = time.Second
	maxBackoff   = 5 * time.Minute // of a notice
	maxFailing   = time.Minute     // of a receiver: who is well again should not be kept waiting
	maxAfter     = time.Hour       // a receiver may ask for less
)

// A verdict is what to do about a failed attempt.
type verdict struct {
	deadLetter bool
	wait       time.Duration // until the next attempt
	backoff    time.Duration // in which nothing is sent to the receiver, because it asked for that
	failing    bool          // the receiver cannot be reached, or is in trouble: the next notice would fare no better
}

// judge decides about a notice whose latest attempt failed.
func judge(n alerting.Notification, now time.Time, err error) verdict {
	if _, ok := errors.AsType[alerting.Permanent](err); ok {
		return verdict{deadLetter: true}
	}
	r, ok := errors.AsType[alerting.Retriable](err)
	asked := ok && r.After > 0
	longest := retryFor
	if n.Kind == alerting.NotificationFired || n.Kind == alerting.NotificationResolved {
		longest = patienceForFrame
	}
	if now.Sub(n.At) >= longest {
		return verdict{deadLetter: true, failing: !asked}
	}
	if asked {
		after := min(r.After, maxAfter)
		return verdict{wait: after, backoff: after}
	}
	return verdict{wait: backoffDelay(n.Attempts), failing: true}
}

// backoffDelay is how long to wait after so many attempts: anything up to a bound that
// doubles, so that those who failed together do not come back together.
func backoffDelay(attempts int) time.Duration {
	return upTo(backoffBound(attempts, maxBackoff))
}

// failureReason is how long to leave a receiver alone after so many failures in a row:
// half of a bound that doubles, and anything up to the whole.
func failureReason(failures int) time.Duration {
	bound := backoffBound(failures, maxFailing)
	return bound/2 + upTo(bound/2)
}

func upTo(bound time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(bound))) + 1 }

// backoffBound doubles from one attempt to the next.
func backoffBound(attempts int, most time.Duration) time.Duration {
	bound := firstBackoff
	for range attempts - 1 {
		if bound *= 2; bound >= most {
			return most
		}
	}
	return bound
}
