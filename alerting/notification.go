package alerting

import (
	"context"
	"fmt"
	"time"
)

// A Notification is one message about an incident for one receiver. It is written to
// the outbox in one transaction with the change of the incident, and removed when the
// receiver has it.
type Notification struct {
	ID       string // the same for every delivery attempt: incident, receiver, and number
	Receiver string
	Kind     NotificationKind
	At       time.Time
	Incident Incident // its state at At, without Notified
	// Deployment is set if Kind is NotificationDeployment; Incident then has only the
	// cluster, the time, and the severity.
	Deployment *Summary `json:",omitempty"`
	News       []Event  // events since the previous notification for the receiver, oldest first, the latest MaxNews

	// Alone is the instance of a fleet that sends it although it cannot reach the history, so that
	// others may send it too; "": it is sent once.
	Alone string `json:",omitempty"`

	Attempts int    // delivery attempts so far, including the current one
	Thread   string // from the DeliveryRef of an earlier notification about the incident; "": none
}

// A NotificationKind is the kind of a notification.
type NotificationKind string

// The kinds of notification. Fired is the first of an incident and is sent once;
// Resolved is the last. Developed: a finding was added or ended, or the severity rose.
// Reminder: the incident is still firing.
const (
	NotificationFired     NotificationKind = "fired"
	NotificationDeveloped NotificationKind = "developed"
	NotificationReminder  NotificationKind = "reminder"
	NotificationResolved  NotificationKind = "resolved"

	// NotificationDeployment is the summary of a deployment, sent once after its
	// grace period.
	NotificationDeployment NotificationKind = "deployment"
)

// NotificationID returns the ID of the number-th notification, counted from 1, of an
// incident for a receiver.
func NotificationID(incident, receiver string, number int) string {
	return fmt.Sprintf("%s/%s/%d", incident, receiver, number)
}

// A DeliveryRef is the delivery reference that a receiver returned for a
// notification.
type DeliveryRef struct {
	Thread string // where later notifications about the incident go; "": the receiver has no threads
}

// A Notifier sends notifications to one receiver. Its errors are Retriable or
// Permanent. See RedactErrors for errors that contain secrets.
type Notifier interface {
	Notify(context.Context, Notification) (DeliveryRef, error)
}

// A Finder is a Notifier that can search its receiver for a notification. It is asked
// before a retry, because the process may have ended after a message was sent and
// before the delivery was recorded.
type Finder interface {
	Find(context.Context, Notification) (deliveryRef DeliveryRef, found bool, err error)
}

// A Refresher is a Notifier whose receiver forgets incidents that are not repeated, such
// as Alertmanager. Refresh repeats the open incidents.
type Refresher interface {
	Refresh(context.Context, []Incident) error
}

// MaxReceiverPause bounds the pause that a receiver may ask for, so that a wrong value does not
// silence it for long.
const MaxReceiverPause = time.Hour

// A Retriable error may be temporary: the notification is sent again. An error that
// is neither Retriable nor Permanent counts as Retriable, because a duplicate is
// better than a lost notification.
type Retriable struct { //nolint:errname // named for what it says about its cause
	After time.Duration // the pause that the receiver asked for, in which nothing is sent to it; 0: none
	Err   error
}

func (r Retriable) Error() string { return r.Err.Error() }

func (r Retriable) Unwrap() error { return r.Err }

// A Permanent error is the same for every attempt to send the notification.
type Permanent struct{ Err error } //nolint:errname // named for what it says about its cause

func (p Permanent) Error() string { return p.Err.Error() }

func (p Permanent) Unwrap() error { return p.Err }
