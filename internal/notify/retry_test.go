package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/expect"
	"stickwatch/internal/notify/outboxtest"
)

// TestUnavailableReceiver: it gets one or two requests a minute, however many
// notifications are pending, and the log gets a line a minute. After its recovery all
// notifications are delivered within a minute.
func TestUnavailableReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const notifications, night = 2000, 8 * time.Hour
		var well atomic.Bool
		var asked int
		ops := &channel{answer: func(context.Context, alerting.Notification) error {
			if well.Load() {
				return nil
			}
			asked++
			return alerting.Retriable{Err: errors.New("connection refused")}
		}}
		outbox := outboxtest.New()
		for n := range notifications {
			outbox.Put(newNotification(alerting.NotificationFired, "ops", fmt.Sprint(n), 1))
		}
		b := open(t, outbox, ops, nil)
		time.Sleep(night)
		synctest.Wait()
		const beginning = 12 // while the pause grows
		if most := beginning + int(night/(maxReceiverBackoff/2)); asked > most {
			t.Errorf("got %d attempts in %s, want %d at most", asked, night, most)
		}
		well.Store(true)
		time.Sleep(maxReceiverBackoff)
		synctest.Wait()
		if got := len(ops.ids()); got != notifications {
			t.Errorf("got %d notifications within %s of its recovery, want all %d", got, maxReceiverBackoff, notifications)
		}
		b.stop()
		lines := strings.Count(b.log.String(), "notification not delivered")
		if most := int(night/time.Minute) + 1; lines > most || lines < most/3 {
			t.Errorf("got %d lines in the log, want one a minute, %d at most", lines, most)
		}
		if !strings.Contains(b.log.String(), "suppressed=1") {
			t.Error("no line has the number of suppressed ones")
		}
	})
}

// TestBackoffReset: any response between failures, even a refusal, resets the
// backoff.
func TestBackoffReset(t *testing.T) {
	trouble := alerting.Retriable{Err: errors.New("503")}
	for name, answer := range map[string]error{
		"it takes a notification": nil, "it refuses one": alerting.Permanent{Err: errors.New("400")}, "it asks for time": alerting.Retriable{After: 1, Err: errors.New("429")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var times []time.Time
				answers := responses(trouble, trouble, trouble, trouble, answer, trouble, nil)
				ops := &channel{answer: func(ctx context.Context, n alerting.Notification) error {
					times = append(times, time.Now())
					return answers(ctx, n)
				}}
				outbox := outboxtest.New()
				for n := range 20 {
					outbox.Put(newNotification(alerting.NotificationFired, "ops", fmt.Sprint(n), 1))
				}
				open(t, outbox, ops, nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				if pause := times[4].Sub(times[3]); pause < 4*time.Second {
					t.Errorf("left alone for %s after four failures, want 4 s to 8 s", pause)
				}
				if pause := times[6].Sub(times[5]); pause > time.Second {
					t.Errorf("left alone for %s after one failure, want a second at most", pause)
				}
			})
		})
	}
}

// TestSkipToResolved: if a receiver was down for more than an hour, a resolved incident
// causes only the Resolved notification.
func TestSkipToResolved(t *testing.T) {
	for name, tt := range map[string]struct {
		down time.Duration
		over bool
		lost bool // the first attempt arrives, and nobody hears that it did
		want []string
	}{
		"a while":              {30 * time.Minute, true, false, []string{"1/ops/1", "1/ops/2", "1/ops/3"}},
		"long":                 {2 * time.Hour, true, false, []string{"1/ops/3"}},
		"long, and it goes on": {2 * time.Hour, false, false, []string{"1/ops/1", "1/ops/2"}},
		"it had arrived":       {2 * time.Hour, true, true, []string{"1/ops/1", "1/ops/2", "1/ops/3"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				down := alerting.Retriable{Err: errors.New("connection refused")}
				var well atomic.Bool
				first := tt.lost
				notWell := func() error {
					if well.Load() {
						return nil
					}
					return down
				}
				ops := &channel{answer: func(context.Context, alerting.Notification) error {
					if first {
						return nil
					}
					return notWell()
				}, lost: func(alerting.Notification) error { first = false; return notWell() }}
				outbox := outboxtest.New()
				outbox.Put(newNotification(alerting.NotificationFired, "ops", "1", 1), newNotification(alerting.NotificationDeveloped, "ops", "1", 2))
				if tt.over {
					outbox.Put(newNotification(alerting.NotificationResolved, "ops", "1", 3))
				}
				open(t, outbox, ops, map[string]alerting.Notifier{"ops": searchable{channel: ops, failing: func(alerting.Notification) error { return notWell() }}})
				time.Sleep(tt.down)
				well.Store(true)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				expect.Equal(t, "posted", tt.want, ops.ids())
			})
		})
	}
}
