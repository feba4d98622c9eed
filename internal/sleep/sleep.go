// Package sleep sleeps for a duration, until a time, or again and again, unless a context ends first.
package sleep

import (
	"context"
	"iter"
	"time"
)

// For sleeps for d. It returns false when ctx ends first, or has ended.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Until sleeps until a time. It returns false when ctx ends first, or has ended.
func Until(ctx context.Context, t time.Time) bool { return For(ctx, time.Until(t)) }

// Every yields once in each interval until ctx ends, for the first time after one interval. If the
// body of the loop takes longer, the times that passed meanwhile are left out.
func Every(ctx context.Context, interval time.Duration) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				if !yield(now) {
					return
				}
			}
		}
	}
}
