// Package outboxtest has an outbox in memory for tests of delivery and of receivers. It
// behaves as the outbox of the history.
package outboxtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
)

// An Outbox implements notify.Outbox.
type Outbox struct {
	Fail func() error // called before every operation, which fails with its error; nil: none fails

	mu      sync.Mutex
	entries []*Entry
}

// An Entry is a notification and its delivery state.
type Entry struct {
	alerting.Notification
	State    State
	Due      time.Time // the next attempt; zero: at once
	Leased   time.Time // the end of its lease
	Attempts int
	Reason   string // of the last failure; "": none
	Ref      alerting.DeliveryRef
}

// A State is the state of a notification.
type State string

// The states.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Skipped   State = "skipped"
	Dead      State = "dead"
)

// New returns an Outbox with notifications.
func New(notifications ...alerting.Notification) *Outbox {
	o := new(Outbox)
	o.Put(notifications...)
	return o
}

// Put adds notifications. It ignores those that are in the outbox already.
func (o *Outbox) Put(notifications ...alerting.Notification) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range notifications {
		if o.find(n.ID) == nil {
			o.entries = append(o.entries, &Entry{Notification: n, State: Waiting})
		}
	}
}

func (o *Outbox) find(id string) *Entry {
	at := slices.IndexFunc(o.entries, func(e *Entry) bool { return e.ID == id })
	if at < 0 {
		return nil
	}
	return o.entries[at]
}

// Entries returns all entries in the order in which they were added.
func (o *Outbox) Entries() []Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []Entry
	for _, e := range o.entries {
		all = append(all, *e)
	}
	return all
}

// Entry returns the entry with an ID, which must exist.
func (o *Outbox) Entry(id string) Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return *o.find(id)
}

// Waiting returns the number of undelivered notifications.
func (o *Outbox) Waiting() int {
	waiting := 0
	for _, e := range o.Entries() {
		if e.State == Waiting {
			waiting++
		}
	}
	return waiting
}

// Claim implements notify.Outbox.
func (o *Outbox) Claim(_ context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notification, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fail(); err != nil {
		return alerting.Notification{}, false, err
	}
	begun := make(map[string]bool) // incidents with an earlier undelivered notification
	var first *Entry
	for _, e := range o.entries {
		if e.Receiver != receiver || e.State != Waiting || begun[e.Incident.ID] {
			continue
		}
		begun[e.Incident.ID] = true
		if !now.Before(e.Due) && !now.Before(e.Leased) && (first == nil || e.Due.Before(first.Due)) {
			first = e
		}
	}
	if first == nil {
		return alerting.Notification{}, false, nil
	}
	first.Attempts++
	first.Leased = now.Add(lease)
	n := first.Notification
	n.Attempts, n.Thread = first.Attempts, o.thread(n)
	return n, true, nil
}

// thread returns the thread of an earlier notification of the incident.
func (o *Outbox) thread(n alerting.Notification) (thread string) {
	for _, e := range o.entries {
		if e.Receiver == n.Receiver && e.Incident.ID == n.Incident.ID && e.Ref.Thread != "" {
			thread = e.Ref.Thread
		}
	}
	return thread
}

// Delivered implements notify.Outbox.
func (o *Outbox) Delivered(_ context.Context, id string, r alerting.DeliveryRef) error {
	return o.change(id, func(e *Entry) { e.State, e.Ref = Delivered, r })
}

// Retry implements notify.Outbox.
func (o *Outbox) Retry(_ context.Context, id string, at time.Time, reason string) error {
	return o.change(id, func(e *Entry) { e.Due, e.Leased, e.Reason = at, time.Time{}, reason })
}

// DeadLetter implements notify.Outbox.
func (o *Outbox) DeadLetter(_ context.Context, id, reason string) error {
	return o.change(id, func(e *Entry) { e.State, e.Reason = Dead, reason })
}

// SkipToResolved implements notify.Outbox.
func (o *Outbox) SkipToResolved(_ context.Context, id string) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fail(); err != nil {
		return false, err
	}
	of := o.find(id)
	waits := func(e *Entry) bool {
		return e.State == Waiting && e.Receiver == of.Receiver && e.Incident.ID == of.Incident.ID
	}
	end := slices.IndexFunc(o.entries, func(e *Entry) bool { return waits(e) && e.Kind == alerting.NotificationResolved })
	for _, e := range o.entries[:max(end, 0)] {
		if waits(e) {
			e.State = Skipped
		}
	}
	return end >= 0, nil
}

func (o *Outbox) change(id string, change func(*Entry)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fail(); err != nil {
		return err
	}
	e := o.find(id)
	if e == nil || e.State != Waiting {
		return fmt.Errorf("no notification %q is waiting", id)
	}
	change(e)
	return nil
}

func (o *Outbox) fail() error {
	if o.Fail == nil {
		return nil
	}
	return o.Fail()
}
