// Package sleep sleeps for a duration or until a time, unless a context ends first.
package sleep

import (
	"context"
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
