package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
	"stickwatch/internal/notify"
	"stickwatch/internal/panics"
)

// stuckAfter is for how long the disk may take nothing before notices are
// delivered that are not on it. Until then none is told that could be forgotten.
const stuckAfter = 30 * time.Second

// A memoryOutbox is the outbox of the history and, while the disk takes nothing, what
// the registry owes to it: who is to know of an incident should not have to wait
// until somebody has made room. What becomes of such a loan goes to the disk with
// the notice. If the process ends before that, it may be told twice.
type memoryOutbox struct {
	notify.PendingOutbox
	incidentStore *incidentStore
}

// A pendingNotification is a notice that is delivered before it is known to be on the disk.
type pendingNotification struct {
	due         time.Time // when it may be lent again
	attempts    int
	deliveryRef *alerting.DeliveryRef // nil: it has not arrived
	refused     bool                  // it was given up
	reason      string                // why
}

// over reports whether nothing more is to be done with the notice.
func (o *pendingNotification) over() bool { return o != nil && (o.deliveryRef != nil || o.refused) }

// Claim implements alerting.Outbox.
func (l memoryOutbox) Claim(ctx context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notification, bool, error) {
	if l.incidentStore.diskStuck(now) {
		n, ok := l.incidentStore.claimPending(ctx, receiver, now, lease)
		return n, ok, nil
	}
	type claim struct {
		alerting.Notification
		ok bool
	}
	// What is claimed after all, later than anybody waits for, is free when its lease ends.
	c, err := unlessHung(ctx, func(ctx context.Context) (c claim, err error) {
		c.Notification, c.ok, err = l.PendingOutbox.Claim(ctx, receiver, now, lease)
		return c, err
	})
	return c.Notification, c.ok, err
}

// Delivered implements alerting.Outbox.
func (l memoryOutbox) Delivered(ctx context.Context, id string, r alerting.DeliveryRef) error {
	if l.incidentStore.updatePending(id, func(o *pendingNotification) { o.deliveryRef = &r }) {
		return nil
	}
	return l.conclude(ctx, func(ctx context.Context) error { return l.PendingOutbox.Delivered(ctx, id, r) },
		history.Step{Delivered: map[string]alerting.DeliveryRef{id: r}})
}

// Retry implements alerting.Outbox.
func (l memoryOutbox) Retry(ctx context.Context, id string, at time.Time, reason string) error {
	if l.incidentStore.updatePending(id, func(o *pendingNotification) { o.due = at }) {
		return nil
	}
	return l.conclude(ctx, func(ctx context.Context) error { return l.PendingOutbox.Retry(ctx, id, at, reason) }, history.Step{})
}

// DeadLetter implements alerting.Outbox.
func (l memoryOutbox) DeadLetter(ctx context.Context, id, reason string) error {
	if l.incidentStore.updatePending(id, func(o *pendingNotification) { o.refused, o.reason = true, reason }) {
		return nil
	}
	return l.conclude(ctx, func(ctx context.Context) error { return l.PendingOutbox.DeadLetter(ctx, id, reason) },
		history.Step{Buried: map[string]string{id: reason}})
}

// conclude writes down what became of a notice. While the disk hangs the registry
// remembers it, and the receiver is told of what comes next.
func (l memoryOutbox) conclude(ctx context.Context, write func(context.Context) error, outcome history.Step) error {
	_, err := unlessHung(ctx, func(ctx context.Context) (none struct{}, err error) { return none, write(ctx) })
	if errors.Is(err, errHung) {
		l.incidentStore.apply(func(time.Time) history.Step { return outcome })
		return nil
	}
	return err
}

// SkipToEnd implements alerting.Outbox. Loans are told one after the other.
func (l memoryOutbox) SkipToEnd(ctx context.Context, id string) (bool, error) {
	if l.incidentStore.updatePending(id, func(*pendingNotification) {}) {
		return false, nil
	}
	return unlessHung(ctx, func(ctx context.Context) (bool, error) { return l.PendingOutbox.SkipToEnd(ctx, id) })
}

// errHung says that the disk neither took something nor refused it.
var errHung = fmt.Errorf("the disk has not answered for %s", stuckAfter)

// unlessHung does something with the disk, and gives up when that hangs: no context
// ends a write that the system does not return from. Then it may still be done.
func unlessHung[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, stuckAfter)
	done := make(chan result, 1)
	panics.Go(panics.Delivery, func() {
		defer cancel()
		var value T
		var err error
		if failed := panics.Catch(panics.Delivery, func() { value, err = do(ctx) }); failed != nil {
			err = failed
		}
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", errHung, err) // it waited for another one that hangs
		}
		done <- result{value, err}
	})
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(stuckAfter + time.Second):
		var none T
		return none, errHung
	}
}

// diskStuck reports whether the disk has taken nothing for too long: it refuses, or a
// write does not come to its end.
func (r *incidentStore) diskStuck(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := r.failingSince
	if since.IsZero() {
		since = r.writes
	}
	return !since.IsZero() && now.Sub(since) > stuckAfter
}

// claimPending lends a notice that is owed to the disk, unless an earlier one of its
// incident waits there.
func (r *incidentStore) claimPending(ctx context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notification, bool) {
	list := r.claimable(receiver, now)
	if len(list) == 0 {
		return alerting.Notification{}, false
	}
	incidents := make([]string, len(list))
	for i, n := range list {
		incidents[i] = n.Incident.ID
	}
	// A disk that cannot even be read knows of nothing that comes before.
	known, _ := unlessHung(ctx, func(ctx context.Context) (map[string]history.ThreadState, error) {
		return r.history.ThreadState(ctx, receiver, incidents)
	})
	for _, n := range list {
		before := known[n.Incident.ID]
		if before.Waits {
			continue
		}
		n.Thread = cmp.Or(n.Thread, before.Thread)
		if r.claim(&n, now, lease) {
			return n, true
		}
	}
	return alerting.Notification{}, false
}

// claimable are the owed notices for a receiver that are due, the first of each
// incident, with the thread that an earlier loan told.
func (r *incidentStore) claimable(receiver string, now time.Time) []alerting.Notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []alerting.Notification
	begun := make(map[string]bool)     // incidents of which a notice is still to be delivered
	threads := make(map[string]string) // by incident
	for n := range r.unwrittenNotifications() {
		incident, o := n.Incident.ID, r.pendingNotifications[n.ID]
		switch {
		case n.Receiver != receiver || begun[incident]:
		case o.over():
			if o.deliveryRef != nil {
				threads[incident] = o.deliveryRef.Thread
			}
		default:
			begun[incident] = true
			if o == nil || !now.Before(o.due) {
				n.Thread = threads[incident]
				list = append(list, n)
			}
		}
	}
	return list
}

// unwrittenNotifications are the notices that are being written, and those that are owed besides,
// in their order.
func (r *incidentStore) unwrittenNotifications() iter.Seq[alerting.Notification] {
	return func(yield func(alerting.Notification) bool) {
		for _, n := range r.writing.Notifications {
			if !yield(n) {
				return
			}
		}
		for _, n := range r.unwritten.Notifications {
			if !yield(n) {
				return
			}
		}
	}
}

// claim makes a notice a loan, if it still is owed and nobody was quicker.
func (r *incidentStore) claim(n *alerting.Notification, now time.Time, lease time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.pendingNotifications[n.ID]
	if o == nil {
		o = new(pendingNotification)
	}
	if now.Before(o.due) || !r.isUnwritten(n.ID) {
		return false
	}
	o.due = now.Add(lease)
	o.attempts++
	n.Attempts = o.attempts
	r.pendingNotifications[n.ID] = o
	return true
}

// isUnwritten reports whether a notice is not yet known to be on the disk.
func (r *incidentStore) isUnwritten(id string) bool {
	for n := range r.unwrittenNotifications() {
		if n.ID == id {
			return true
		}
	}
	return false
}

// updatePending notes what became of a loan, unless it has come to the disk meanwhile or
// never was one.
func (r *incidentStore) updatePending(id string, note func(*pendingNotification)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.pendingNotifications[id]
	if o == nil {
		return false
	}
	note(o)
	return true
}

// withDeliveries is a step that tells what became of its notices.
func (r *incidentStore) withDeliveries(s history.Step) history.Step {
	s = s.Then(history.Step{}) // a copy of what is changed here
	for at := range s.Notifications {
		n := &s.Notifications[at]
		if o := r.pendingNotifications[n.ID]; o != nil {
			n.Attempts = o.attempts
			conclude(s, n.ID, o)
		}
	}
	return s
}

// undelivered is how many notices wait for the disk and have not arrived.
func (r *incidentStore) undelivered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting := 0
	for n := range r.unwrittenNotifications() {
		if !r.pendingNotifications[n.ID].over() {
			waiting++
		}
	}
	return waiting
}

// conclude has a step tell what became of a loan, if it is over.
func conclude(s history.Step, id string, o *pendingNotification) {
	switch {
	case o.deliveryRef != nil:
		s.Delivered[id] = *o.deliveryRef
	case o.refused:
		s.Buried[id] = o.reason
	}
}
