package notify

import (
	"context"
	"errors"
	"time"

	"stickwatch/alerting"
)

// An Outbox keeps notices until they are delivered, over restarts.
type Outbox interface {
	// Claim lends the notice of a receiver that has been due at now for the longest,
	// and whose predecessors of the same incident are done, until now+lease. It
	// counts an attempt, and fills in the thread that an earlier receipt told.
	Claim(ctx context.Context, receiver string, now time.Time, lease time.Duration) (n alerting.Notification, ok bool, err error)
	// Delivered ends a notice that has arrived.
	Delivered(ctx context.Context, id string, r alerting.DeliveryRef) error
	// Retry gives a notice back until at.
	Retry(ctx context.Context, id string, at time.Time, reason string) error
	// SkipToEnd ends a notice, and those that wait for it, but for the last, if that
	// is the Resolved one of their incident; else it changes nothing.
	SkipToEnd(ctx context.Context, id string) (skipped bool, err error)
	// Bury ends a notice that will not arrive: a dead letter, kept to be seen.
	DeadLetter(ctx context.Context, id string, reason string) error
}

// RemovedReceiver is the Notifier of a receiver that is not in the configuration any more:
// what still waits for it is given up, and can be seen among the dead letters.
type RemovedReceiver struct{}

var errGone = errors.New("no receiver of this name is configured any more")

// Notify takes nothing.
func (RemovedReceiver) Notify(context.Context, alerting.Notification) (alerting.DeliveryRef, error) {
	return alerting.DeliveryRef{}, alerting.Permanent{Err: errGone}
}
