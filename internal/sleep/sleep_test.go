package sleep

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	for _, tt := range []struct {
		name           string
		sleep, timeout time.Duration
		want           bool
		wantTook       time.Duration
	}{
		{"in the future", time.Second, time.Minute, true, time.Second},
		{"in the past", -time.Second, time.Minute, true, 0},
		{"after the context", time.Minute, time.Second, false, time.Second},
		{"in the past of an ended context", -time.Second, -time.Second, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				start := time.Now()
				if got := Until(ctx, start.Add(tt.sleep)); got != tt.want || time.Since(start) != tt.wantTook {
					t.Errorf("got %t after %v, want %t after %v", got, time.Since(start), tt.want, tt.wantTook)
				}
			})
		})
	}
}
