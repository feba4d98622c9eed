package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/expect"
	"stickwatch/internal/history"
)

// TestFullQueue: while the disk accepts nothing, progress is superseded, and a full
// queue drops the oldest notifications.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	q := newQueue(nil)
	dead := 0
	q.config.Observe = func(receiver string, result Result) {
		if receiver == "ops" && result == Dead {
			dead++
		}
	}
	of := func(incident string, number int, kind alerting.NotificationKind) alerting.Notification {
		return alerting.Notification{
			ID: alerting.NotificationID(incident, "ops", number), Receiver: "ops", Kind: kind,
			Incident: alerting.Incident{ID: incident}, News: []alerting.Event{{Text: fmt.Sprint(number)}},
		}
	}
	put := func(n alerting.Notification) { q.Add(writeSetWith(n)) }
	put(of("a", 1, alerting.NotificationFired))
	for n := range 3 {
		put(of("a", n+2, alerting.NotificationDeveloped))
	}
	put(of("b", 1, alerting.NotificationDeveloped))
	put(of("a", 5, alerting.NotificationResolved))
	var got []string
	for _, n := range q.unwritten.Notifications {
		got = append(got, n.ID)
	}
	expect.Equal(t, "unwritten", []string{"a/ops/1", "b/ops/1", "a/ops/5"}, got)
	if news := q.unwritten.Notifications[2].News; len(news) != 4 {
		t.Errorf("got news %v, want that of all", news)
	}
	var more []alerting.Notification
	for n := range maxUnwritten {
		more = append(more, of(fmt.Sprint("more", n), 1, alerting.NotificationFired))
	}
	q.Add(writeSetWith(more...))
	if got := len(q.unwritten.Notifications); got != maxUnwritten || q.unwritten.Notifications[0].ID != "more0/ops/1" {
		t.Errorf("got %d notifications from %q on", got, q.unwritten.Notifications[0].ID)
	}
	expect.Equal(t, "notifications counted as dead", 3, dead)
}

func writeSetWith(notifications ...alerting.Notification) history.WriteSet {
	return history.WriteSet{Decision: alerting.Decision{Notifications: notifications}}
}

// A fullDisk refuses every write set until it is repaired. It counts the attempts.
type fullDisk struct {
	Store
	repaired atomic.Bool
	attempts atomic.Int64
}

func (f *fullDisk) Commit(context.Context, history.WriteSet) error {
	f.attempts.Add(1)
	if f.repaired.Load() {
		return nil
	}
	return errors.New("no space left on device")
}

// TestRun: a new write set is written at once, and a failed one again every second; the
// log has a line a minute while the disk refuses write sets, and one after its recovery.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		disk := new(fullDisk)
		q := newQueue(disk)
		q.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { q.Run(ctx) })
		time.Sleep(500 * time.Millisecond)
		wantAttempts := func(when string, want int64) {
			t.Helper()
			synctest.Wait()
			if got := disk.attempts.Load(); got != want {
				t.Errorf("%s: got %d attempts, want %d", when, got, want)
			}
		}
		q.Add(history.WriteSet{})
		wantAttempts("after an empty write set", 0)
		q.Add(writeSetWith(alerting.Notification{ID: "1/ops/1"}))
		wantAttempts("after a set", 1)
		time.Sleep(10 * time.Second)
		wantAttempts("ten seconds later", 11)
		time.Sleep(80 * time.Second)
		disk.repaired.Store(true)
		time.Sleep(time.Minute)
		wantAttempts("at the end", 92)
		cancel()
		running.Wait()
		if got := strings.Count(log.String(), "incidents are written again"); got != 1 || strings.Count(log.String(), "kept in memory") != 2 {
			t.Errorf("got %d lines about the recovery, want 1, and 2 about the failure:\n%s", got, log.String())
		}
	})
}
