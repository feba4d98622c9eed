package watch

import (
	"context"
	"time"

	"stickwatch/internal/sleep"
)

// Intervals of retries after a failure: short enough to know when the outage ends, and
// longer after a while, when a tenth of a second no longer matters. The budget of the
// cluster may delay retries further: at 20 requests a second, three clients that retry
// at one node get one request each per 150 ms.
const (
	retryFast    = 25 * time.Millisecond
	retrySlow    = 100 * time.Millisecond
	retryFastFor = 30 * time.Second
)

// loop calls sample until ctx is done: the first time after phase, then one interval
// after the start of the previous call, or at once when that took longer. After a
// failure it retries earlier.
func loop(ctx context.Context, interval, phase time.Duration, sample func() (good bool)) {
	var bad time.Time // start of the failures; zero: the last sample was good
	next := time.Now().Add(phase)
	for sleep.Until(ctx, next) {
		start := time.Now()
		good := sample()
		switch {
		case good:
			bad = time.Time{}
			next = start.Add(interval)
		case bad.IsZero():
			bad = start
			next = start.Add(min(retryFast, interval))
		case start.Sub(bad) < retryFastFor:
			next = start.Add(min(retryFast, interval))
		default:
			next = start.Add(min(retrySlow, interval))
		}
	}
}

// A schedule distinguishes a client's quick retries from the requests that a user at
// the interval would have sent.
type schedule struct {
	interval time.Duration
	due      time.Time // time of the user's next request
	failing  bool      // the previous sample failed
}

// retry reports whether a sample that starts now is a quick retry: the previous one
// failed, and a user would still wait.
func (s *schedule) retry(now time.Time) bool {
	switch {
	case !s.failing:
		s.due = now.Add(s.interval)
	case now.Before(s.due):
		return true
	default:
		s.due = s.due.Add(s.interval * (1 + now.Sub(s.due)/s.interval))
	}
	return false
}
