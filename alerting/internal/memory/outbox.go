// Package memory keeps notices in memory, for the tests of receivers: what the
// history does on disk, without the disk.
package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
)

// An Outbox is an alerting.Outbox.
type Outbox struct {
	mu      sync.Mutex
	entries []*entry
	threads map[string]string // by incident and receiver
}

type entry struct {
	Entry
	due time.Time
}

// An Entry is a notice and what has become of it.
type Entry struct {
	Notice alerting.Notification
	State  State
	Reason string // of the last failure
}

// A State is how far a notice has come.
type State string

// The states.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Buried    State = "buried"
)

// New is an Outbox of these notices.
func New(notices ...alerting.Notification) *Outbox {
	o := &Outbox{threads: make(map[string]string)}
	for _, n := range notices {
		o.Put(n)
	}
	return o
}

// Put writes a notice.
func (o *Outbox) Put(n alerting.Notification) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries = append(o.entries, &entry{Entry: Entry{Notice: n, State: Waiting}})
}

// Entries are all there are, in the order in which they were put.
func (o *Outbox) Entries() []Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []Entry
	for _, e := range o.entries {
		all = append(all, e.Entry)
	}
	return all
}

// Waiting is how many notices are neither delivered nor buried.
func (o *Outbox) Waiting() int {
	waiting := 0
	for _, e := range o.Entries() {
		if e.State == Waiting {
			waiting++
		}
	}
	return waiting
}

// Claim lends the oldest notice that is due and has no predecessor.
func (o *Outbox) Claim(_ context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notification, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	blocked := make(map[string]bool) // by incident
	for _, e := range o.entries {
		n := &e.Notice
		if n.Receiver != receiver || e.State != Waiting {
			continue
		}
		if blocked[n.Incident.ID] || e.due.After(now) {
			blocked[n.Incident.ID] = true
			continue
		}
		e.due = now.Add(lease)
		n.Attempts++
		n.Thread = o.threads[keep(*n)]
		return *n, true, nil
	}
	return alerting.Notification{}, false, nil
}

// Delivered ends a notice that has arrived.
func (o *Outbox) Delivered(_ context.Context, id string, r alerting.DeliveryRef) error {
	return o.change(id, func(e *entry) {
		e.State = Delivered
		o.threads[keep(e.Notice)] = r.Thread
	})
}

// Retry gives a notice back until at.
func (o *Outbox) Retry(_ context.Context, id string, at time.Time, reason string) error {
	return o.change(id, func(e *entry) { e.due, e.Reason = at, reason })
}

// SkipToEnd leaves nothing out: tests of receivers are about what they are told.
func (o *Outbox) SkipToEnd(context.Context, string) (bool, error) { return false, nil }

// DeadLetter ends a notice that will not arrive.
func (o *Outbox) DeadLetter(_ context.Context, id, reason string) error {
	return o.change(id, func(e *entry) { e.State, e.Reason = Buried, reason })
}

func (o *Outbox) change(id string, change func(*entry)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := slices.IndexFunc(o.entries, func(e *entry) bool { return e.Notice.ID == id })
	if at < 0 {
		return fmt.Errorf("looking for the notice %q: there is none", id)
	}
	change(o.entries[at])
	return nil
}

// keep names what a receiver keeps in one place.
func keep(n alerting.Notification) string { return n.Incident.ID + "/" + n.Receiver }
