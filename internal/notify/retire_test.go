package notify

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
)

// TestRetire: who takes over a receiver says nothing that is being said, and
// heeds what the receiver has asked for, or asks for while the last word of the
// predecessor is under way.
func TestRetire(t *testing.T) {
	limited := alerting.Retriable{After: time.Minute, Err: errors.New("429")}
	slowly := func(err error) func(context.Context, alerting.Notification) error {
		return func(ctx context.Context, _ alerting.Notification) error {
			select {
			case <-time.After(20 * time.Second):
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	for name, tt := range map[string]struct {
		answer func(context.Context, alerting.Notification) error
		before []post // the predecessor's
		want   []post // the successor's; of two incidents, the second written at 40 s
	}{
		"slow":            {slowly(nil), []post{{"1/ops/1", 20 * time.Second}}, []post{{"2/ops/1", 0}}},
		"pausing":         {saying(limited), nil, []post{{"2/ops/1", 20 * time.Second}, {"1/ops/1", 60 * time.Second}}},
		"pausing, slowly": {slowly(limited), nil, []post{{"2/ops/1", 40 * time.Second}, {"1/ops/1", 80 * time.Second}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox := new(memory)
				outbox.put(entryOf(alerting.NotificationFired, "ops", "1", 1))
				old := open(t, outbox, &channel{answer: tt.answer}, nil)
				time.Sleep(time.Second)
				next := new(channel)
				heir := NewDispatcher(DispatcherConfig{
					Outbox: outbox, Notifiers: map[string]alerting.Notifier{"ops": next}, Predecessor: old.Dispatcher,
				})
				old.Retire()
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); heir.Run(ctx) }()
				time.Sleep(39 * time.Second)
				outbox.put(entryOf(alerting.NotificationFired, "ops", "2", 1))
				heir.Wake()
				time.Sleep(5 * time.Minute)
				cancel()
				<-done
				if diff := cmp.Diff(tt.before, old.ops.posts(), cmp.AllowUnexported(post{})); diff != "" {
					t.Errorf("posted by the predecessor (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.want, next.posts(), cmp.AllowUnexported(post{})); diff != "" {
					t.Errorf("posted by the successor (-want +got):\n%s", diff)
				}
			})
		})
	}
}
