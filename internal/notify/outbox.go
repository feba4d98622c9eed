package notify

import (
	"context"
	"time"

	"stickwatch/alerting"
)

// An Outbox keeps notifications until they are delivered, across restarts.
type Outbox interface {
	// Claim leases a notification to the caller until now+lease: of those for the
	// receiver that are due, the one that has been due for longest. A notification is
	// not due while an earlier one of the same incident is undelivered. Claim counts
	// an attempt and sets the thread that an earlier delivery returned. ok is false if
	// nothing is due.
	Claim(ctx context.Context, receiver string, now time.Time, lease time.Duration) (n alerting.Notification, ok bool, err error)
	// Delivered marks a notification as delivered.
	Delivered(ctx context.Context, id string, r alerting.DeliveryRef) error
	// Retry ends the lease of a notification and makes it due at a later time.
	Retry(ctx context.Context, id string, at time.Time, reason string) error
	// SkipToResolved marks a notification, and all that follow it except the last, as
	// skipped if the last is the Resolved notification of their incident. Otherwise it
	// changes nothing.
	SkipToResolved(ctx context.Context, id string) (skipped bool, err error)
	// DeadLetter marks a notification as undeliverable. It stays visible as a dead
	// letter.
	DeadLetter(ctx context.Context, id string, reason string) error
}

// A PendingOutbox is an Outbox that counts its undelivered notifications.
type PendingOutbox interface {
	Outbox
	// Pending returns the number of undelivered notifications by receiver.
	Pending(context.Context) (map[string]int, error)
}
