package alerting

import (
	"errors"
	"math/rand/v2"
	"time"
)

// How long a notice is tried. A Permanent failure ends it at once; any other
// only when the notice is too old, and it has been tried at least once. What
// goes on between is superseded by what comes next. But whoever is not told that
// something broke, or believes that it still is, is misled: the first and the
// last notice of an incident are tried for longer, over a weekend.
const (
	patience         = 24 * time.Hour
	patienceForFrame = 72 * time.Hour
)

// The bounds of waiting for the next attempt.
const (
	firstBackoff = time.Second
	mostBackoff  = 5 * time.Minute
	mostAfter    = time.Hour // a receiver may ask for less
)

// A verdict is what to do about a failed attempt.
type verdict struct {
	bury  bool
	wait  time.Duration // until the next attempt
	pause time.Duration // in which nothing is sent to the receiver, because it asked for that
}

// judge decides about a notice whose latest attempt failed.
func judge(n Notice, now time.Time, err error) verdict {
	if _, ok := errors.AsType[Permanent](err); ok {
		return verdict{bury: true}
	}
	longest := patience
	if n.Kind == NoticeFired || n.Kind == NoticeResolved {
		longest = patienceForFrame
	}
	if now.Sub(n.At) >= longest {
		return verdict{bury: true}
	}
	if r, ok := errors.AsType[Retriable](err); ok && r.After > 0 {
		after := min(r.After, mostAfter)
		return verdict{wait: after, pause: after}
	}
	return verdict{wait: backoff(n.Attempts)}
}

// backoff is how long to wait after so many attempts: anything up to a bound that
// doubles, so that those who failed together do not come back together.
func backoff(attempts int) time.Duration {
	return time.Duration(rand.Int64N(int64(backoffBound(attempts)))) + 1
}

func backoffBound(attempts int) time.Duration {
	bound := firstBackoff
	for range attempts - 1 {
		if bound *= 2; bound >= mostBackoff {
			return mostBackoff
		}
	}
	return bound
}
