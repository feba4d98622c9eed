package watch

import (
	"context"
	"time"
)

// How soon a client that was not served comes back: often enough to know when
// the outage ends, and after a while less often, for then a tenth of a second is
// no matter. The budget of the cluster may hold it back longer: at 20 requests a
// second, three clients that retry at one node come every 150 ms each.
const (
	retryFast    = 25 * time.Millisecond
	retrySlow    = 100 * time.Millisecond
	retryFastFor = 30 * time.Second
)

// loop makes visits until ctx is done: the first after phase, each next one an
// interval after the start of the one before, or at once when that took longer.
// After one that was not good it does not wait for the interval.
func loop(ctx context.Context, interval, phase time.Duration, sample func() (good bool)) {
	var bad time.Time // since when visits were not good; zero: the last one was
	next := time.Now().Add(phase)
	for sleepUntil(ctx, next) {
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

// sleepUntil waits for a moment, and reports whether ctx let it.
func sleepUntil(ctx context.Context, moment time.Time) bool {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
