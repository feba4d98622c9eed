package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/sleep"
)

func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name           string
		wait, interval time.Duration
		doneAt         time.Duration // when the first try succeeds
		took           time.Duration // duration of a try
		want           []time.Duration
	}{
		{"one round", 0, time.Second, time.Hour, 0, []time.Duration{0}},
		{"good at once", time.Minute, time.Second, 0, 0, []time.Duration{0}},
		{"good later", time.Minute, 2 * time.Second, 3 * time.Second, 0, []time.Duration{0, 2 * time.Second, 4 * time.Second}},
		{
			"a last try at the end", 5 * time.Second, 2 * time.Second, time.Hour, 0,
			[]time.Duration{0, 2 * time.Second, 4 * time.Second, 5 * time.Second},
		},
		{"an interval beyond the end", time.Second, time.Hour, time.Hour, 0, []time.Duration{0, time.Second}},
		{"slow tries", 5 * time.Second, time.Second, time.Hour, 3 * time.Second, []time.Duration{0, 4 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var got []time.Duration
				waits := 0
				retry(t.Context(), tt.wait, tt.interval, func() bool {
					at := time.Since(start)
					got = append(got, at)
					sleep.For(t.Context(), tt.took)
					return at >= tt.doneAt
				}, func() { waits++ })
				expect.Equal(t, "tries", tt.want, got)
				if want := len(tt.want) - 1; waits != want {
					t.Errorf("waiting was called %d times, want %d", waits, want)
				}
			})
		})
	}
}

func TestRetryInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		tries := 0
		retry(ctx, time.Hour, time.Minute, func() bool { tries++; return false }, func() {})
		expect.Equal(t, "tries in 90 s", 2, tries)
	})
}
