package alerting

import (
	"context"
	"fmt"
	"time"
)

// A Notice is one thing to tell one receiver about an incident. It is written
// to the outbox together with the change of the incident that it tells, and
// leaves it when the receiver has it.
type Notification struct {
	ID       string // the same however often delivery is tried: incident, receiver and number
	Receiver string
	Kind     NotificationKind
	At       time.Time
	Incident Incident // as it was at At, without Told
	// Deployment is what a notice of NotificationDeployment tells; Incident then only names the
	// cluster, the time and the severity. Nil in all others.
	Deployment *Summary `json:",omitempty"`
	News       []Event  // of Developed, Reminder and Resolved: what developed since the receiver's last notice, oldest first; the newest MaxNews of it

	Attempts int    // deliveries tried so far, the one under way included
	Thread   string // where the receiver keeps this incident, as an earlier notice's Receipt told; "": nowhere yet
}

// A NotificationKind says what a notice tells.
type NotificationKind string

// The kinds of notice. Fired comes first, once, and Resolved last, if at all.
// Developed: a finding joined or left, or the severity rose. Reminder: it still
// goes on.
const (
	NotificationFired     NotificationKind = "fired"
	NotificationDeveloped NotificationKind = "developed"
	NotificationReminder  NotificationKind = "reminder"
	NotificationResolved  NotificationKind = "resolved"

	// NotificationDeployment sums a deployment up, once, when its grace has passed.
	NotificationDeployment NotificationKind = "deployment"
)

// NotificationID names the number-th notice, counted from 1, of an incident to a
// receiver.
func NotificationID(incident, receiver string, number int) string {
	return fmt.Sprintf("%s/%s/%d", incident, receiver, number)
}

// A DeliveryRef is what a receiver said to a notice that it took.
type DeliveryRef struct {
	Thread string // where to go on about this incident; "": receivers of this kind keep no threads
}

// A Notifier takes notices to one receiver. Its errors are Retriable or
// Permanent; see Discreet.
type Notifier interface {
	Notify(context.Context, Notification) (DeliveryRef, error)
}

// A Finder is a Notifier that can look whether its receiver has a notice. It is
// asked before a notice is sent again, since the process may have ended between
// sending it and writing down that it was sent.
type Finder interface {
	Find(context.Context, Notification) (deliveryRef DeliveryRef, found bool, err error)
}

// A Keeper is a Notifier whose receiver forgets what it is not told again, as
// Alertmanager does: Keep repeats the incidents that go on.
type Keeper interface {
	Keep(context.Context, []Incident) error
}

// A Retriable failure may pass: the notice is tried again. An error of a
// notifier that is neither Retriable nor Permanent is taken for one, because a
// message said twice is better than one that is lost.
type Retriable struct {
	After time.Duration // what the receiver asked for: nothing is sent to it for that long; 0: it did not say
	Err   error
}

func (e Retriable) Error() string { return e.Err.Error() }

func (e Retriable) Unwrap() error { return e.Err }

// A Permanent failure stays however often the notice is tried.
type Permanent struct{ Err error }

func (e Permanent) Error() string { return e.Err.Error() }

func (e Permanent) Unwrap() error { return e.Err }
