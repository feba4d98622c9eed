package web

import (
	"context"
	"errors"
	"testing"
	"time"

	"stickwatch/internal/expect"
)

func testCache(now *time.Time, limit int) *cache[string, int] {
	return newCache[string, int](Config{CacheFor: 10 * time.Second, clock: func() time.Time { return *now }}, limit)
}

// TestCacheKeepsValuesAndErrors: both are read once in a while, errors for the shorter one.
func TestCacheKeepsValuesAndErrors(t *testing.T) {
	now, failed := testTime, errors.New("the database is slow")
	for _, test := range []struct {
		name  string
		err   error
		after time.Duration
		want  int // reads
	}{
		{"value", nil, 59 * time.Second, 1},
		{"value that is over", nil, time.Minute, 2},
		{"error", failed, 9 * time.Second, 1},
		{"error that is over", failed, 10 * time.Second, 2},
	} {
		c, reads := testCache(&now, 0), 0
		load := func() {
			value, err := c.load(t.Context(), "a", time.Minute, func() (int, error) { reads++; return 7, test.err })
			if value != 7 || !errors.Is(err, test.err) {
				t.Errorf("%s: got %d, %v", test.name, value, err)
			}
		}
		load()
		now = now.Add(test.after)
		load()
		if reads != test.want {
			t.Errorf("%s: got %d reads, want %d", test.name, reads, test.want)
		}
	}
}

// TestCacheWaitsForItsKeyOnly: who waits for a slow read can leave, and other keys do not wait.
func TestCacheWaitsForItsKeyOnly(t *testing.T) {
	now := testTime
	c := testCache(&now, 0)
	reading, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.load(t.Context(), "slow", time.Minute, func() (int, error) { close(reading); <-end; return 1, nil })
	}()
	<-reading
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.load(left, "slow", time.Minute, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v for a client that has left", err)
	}
	if value, err := c.load(t.Context(), "other", time.Minute, func() (int, error) { return 2, nil }); value != 2 || err != nil {
		t.Errorf("got %d, %v of the other key", value, err)
	}
	close(end)
	<-done
	if value, err := c.load(t.Context(), "slow", time.Minute, nil); value != 1 || err != nil {
		t.Errorf("got %d, %v of the key that was read", value, err)
	}
}

// TestCacheIsBounded: values that are over are removed with the next request, and others to make room.
func TestCacheIsBounded(t *testing.T) {
	now := testTime
	c := testCache(&now, 3)
	load := func(key string, want int) {
		t.Helper()
		_, _ = c.load(t.Context(), key, time.Minute, func() (int, error) { return 1, nil })
		if len(c.entries) != want {
			t.Errorf("got %d entries after %q, want %d", len(c.entries), key, want)
		}
	}
	load("a", 1)
	load("b", 2)
	load("c", 3)
	load("c", 3)
	load("d", 1)
	now = now.Add(time.Hour)
	load("e", 1)
}

// TestHistoryIsReadWhenTheClockIsSetBack: the time of pages is that of a database, which may be set back.
func TestHistoryIsReadWhenTheClockIsSetBack(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	now, clock := testTime, testTime
	s := d.server(t, func(c *Config) {
		c.Now, c.clock, c.CacheFor = func() time.Time { return now }, func() time.Time { return clock }, 10*time.Second
	})
	getPage(s, "/")
	now, clock = now.Add(-time.Hour), clock.Add(9*time.Second)
	getPage(s, "/")
	expect.Equal(t, "reads in nine seconds", 1, d.latencyReads)
	clock = clock.Add(time.Second)
	getPage(s, "/")
	expect.Equal(t, "reads in ten seconds", 2, d.latencyReads)
}
