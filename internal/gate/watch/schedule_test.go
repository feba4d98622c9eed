package watch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSchedule checks that only the requests of a user at the interval count, however
// often a client retries.
func TestSchedule(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name          string
		interval      time.Duration
		lasts         time.Duration
		bad           func(since time.Duration) bool
		count, failed int
	}{
		{"all is well", 250 * ms, 2 * time.Second, func(time.Duration) bool { return false }, 8, 0},
		{"a moment", 250 * ms, 2 * time.Second, func(at time.Duration) bool { return at >= 500*ms && at < 600*ms }, 8, 1},
		{"a second", 250 * ms, 4 * time.Second, func(at time.Duration) bool { return at >= time.Second && at < 2*time.Second }, 16, 4},
		{"a minute, also when retries come less often", 250 * ms, time.Minute, func(time.Duration) bool { return true }, 240, 240},
		{"retries are no quicker than the interval", 20 * ms, time.Second, func(time.Duration) bool { return true }, 50, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), tt.lasts-ms)
				defer cancel()
				s := schedule{interval: tt.interval}
				count, failed := 0, 0
				loop(ctx, tt.interval, 0, func() bool {
					now := time.Now()
					bad := tt.bad(now.Sub(began))
					if !s.retry(now) {
						count++
						if bad {
							failed++
						}
					}
					s.failing = bad
					return !bad
				})
				if diff := cmp.Diff([2]int{tt.count, tt.failed}, [2]int{count, failed}); diff != "" {
					t.Errorf("requests and failures (-want +got):\n%s", diff)
				}
			})
		})
	}
}
