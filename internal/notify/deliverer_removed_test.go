package notify

import (
	"errors"
	"testing"
	"time"

	"stickwatch/alerting"
)

// TestRemovedReceiverInFleet: a receiver that only another instance may know is tried for an hour.
func TestRemovedReceiverInFleet(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := RemovedReceiver{after: time.Hour, now: func() time.Time { return now }}
	for age, want := range map[time.Duration]bool{time.Minute: true, 2 * time.Hour: false} {
		_, err := r.Notify(t.Context(), alerting.Notification{At: now.Add(-age)})
		if _, retried := errors.AsType[alerting.Retriable](err); retried != want {
			t.Errorf("after %s: got %v, want retried %v", age, err, want)
		}
	}
}
