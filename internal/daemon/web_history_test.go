package daemon

import (
	"context"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestHistoryIsBoundedAsConfigured, in time and in size.
func TestHistoryIsBoundedAsConfigured(t *testing.T) {
	t.Parallel()
	got := historyConfig(&config.Config{History: config.History{Path: "a.db", Retention: 30 * 24 * time.Hour, MaxSize: 2e9}}, nil, time.Now)
	if got.Path != "a.db" || got.Retention != 30*24*time.Hour || got.MaxSize != 2e9 {
		t.Errorf("got %+v, want what the file says", got)
	}
}

// TestRefresher: also when who wanted that has gone, and never an older
// list after a newer one: nobody else reads between reading and heeding.
func TestRefresher(t *testing.T) {
	t.Parallel()
	want := []alerting.Silence{{ID: "s1"}}
	var got []alerting.Silence
	s := &refresher[alerting.Silence]{now: time.Now}
	alone := func(what string) {
		if s.mu.TryLock() {
			s.mu.Unlock()
			t.Errorf("others may read while %s", what)
		}
	}
	s.read = func(ctx context.Context, _ time.Time) ([]alerting.Silence, error) {
		alone("the list is read")
		return want, ctx.Err()
	}
	s.apply = func(list []alerting.Silence) {
		alone("it is heeded")
		got = list
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must.Succeed(t, s.afterChange(ctx))
	expect.Equal(t, "applied", want, got)
}
