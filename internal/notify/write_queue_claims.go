package notify

import (
	"cmp"
	"context"
	"iter"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
)

// A memoryClaim is the delivery state of a notification that was claimed
// from the queue.
type memoryClaim struct {
	due         time.Time             // when it may be claimed again
	attempts    int                   // that the disk does not know of
	written     bool                  // the notification is on the disk, but not when it is due, nor these attempts
	deliveryRef *alerting.DeliveryRef // nil: not delivered
	dead        bool                  // it is a dead letter
	reason      string                // why it is one
}

// done reports whether the notification needs no more attempts.
func (claim *memoryClaim) done() bool {
	return claim != nil && (claim.deliveryRef != nil || claim.dead)
}

// addOutcome adds the outcome of the notification to a write set, if it is done.
func (claim *memoryClaim) addOutcome(s history.WriteSet, id string) {
	switch {
	case claim.deliveryRef != nil:
		s.Delivered[id] = *claim.deliveryRef
	case claim.dead:
		s.DeadLetters[id] = claim.reason
	}
}

// diskStuck reports whether the disk has accepted nothing for longer than
// stuckAfter: writes fail, or one does not return.
func (q *WriteQueue) diskStuck(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	since := q.failingSince
	if since.IsZero() {
		since = q.writingSince
	}
	return !since.IsZero() && now.Sub(since) > stuckAfter
}

// isFull reports whether the database has refused a write just now for lack of space. Before it did, it has
// found that this instance has the leases: others neither know nor notify.
func (q *WriteQueue) isFull(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.fullAt.IsZero() && now.Sub(q.fullAt) < history.LeaseTime
}

// claim leases a notification in the queue, unless an earlier one of the same
// incident is still undelivered on the disk.
func (q *WriteQueue) claim(ctx context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notification, bool) {
	sender, allowed := q.sender(now)
	if !allowed {
		return alerting.Notification{}, false
	}
	list := q.claimable(receiver, now)
	if len(list) == 0 {
		return alerting.Notification{}, false
	}
	incidents := make([]string, len(list))
	for i, n := range list {
		incidents[i] = n.Incident.ID
	}
	// If the disk cannot even be read, assume that nothing earlier is undelivered there.
	known, _ := unlessHung(ctx, func(ctx context.Context) (map[string]history.ThreadState, error) {
		return q.config.Store.ThreadState(ctx, receiver, incidents)
	})
	for _, n := range list {
		before := known[n.Incident.ID]
		if before.Waits {
			continue
		}
		n.Thread, n.Alone = cmp.Or(n.Thread, before.Thread), sender
		if q.claimFor(&n, now, lease) {
			return n, true
		}
	}
	return alerting.Notification{}, false
}

// sender returns which instance of a fleet notifies by itself; "": none has to. It reports whether
// notifications may be sent from memory.
func (q *WriteQueue) sender(now time.Time) (name string, allowed bool) {
	if q.config.Alone == nil {
		return "", true // there is no fleet
	}
	if name, allowed = q.config.Alone(); allowed {
		return name, true
	}
	return "", q.isFull(now) // otherwise the process was paused, or the history answers others
}

// claimable returns the due notifications in the queue for a receiver, the first of
// each incident. Thread is set if an earlier one was delivered from the queue.
func (q *WriteQueue) claimable(receiver string, now time.Time) []alerting.Notification {
	q.mu.Lock()
	defer q.mu.Unlock()
	var list []alerting.Notification
	begun := make(map[string]bool)     // incidents with an undelivered notification
	threads := make(map[string]string) // by incident
	for n := range q.notifications() {
		incident, claim := n.Incident.ID, q.claims[n.ID]
		switch {
		case n.Receiver != receiver || begun[incident]:
		case claim.done():
			if claim.deliveryRef != nil {
				threads[incident] = claim.deliveryRef.Thread
			}
		default:
			begun[incident] = true
			if claim == nil || !now.Before(claim.due) {
				n.Thread = threads[incident]
				list = append(list, n)
			}
		}
	}
	return list
}

// notifications returns the notifications that are being written, then the unwritten
// ones, in their order.
func (q *WriteQueue) notifications() iter.Seq[alerting.Notification] {
	return func(yield func(alerting.Notification) bool) {
		for _, list := range [][]alerting.Notification{q.writing.Notifications, q.unwritten.Notifications} {
			for _, n := range list {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// claimFor leases a notification if it is still in the queue and nobody else has
// claimed it. It counts an attempt.
func (q *WriteQueue) claimFor(n *alerting.Notification, now time.Time, lease time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	claim := q.claims[n.ID]
	if claim == nil {
		claim = new(memoryClaim)
	}
	if now.Before(claim.due) || !q.contains(n.ID) {
		return false
	}
	claim.due = now.Add(lease)
	claim.attempts++
	n.Attempts = claim.attempts
	q.claims[n.ID] = claim
	return true
}

// contains reports whether a notification is in the queue.
func (q *WriteQueue) contains(id string) bool {
	for n := range q.notifications() {
		if n.ID == id {
			return true
		}
	}
	return false
}

// isClaimed reports whether a notification was claimed from the queue and has not been written since.
func (q *WriteQueue) isClaimed(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	claim := q.claims[id]
	return claim != nil && !claim.written
}

// updateClaim changes the state of a notification that was claimed from the queue.
// It returns false if the notification was not, or has been written since.
func (q *WriteQueue) updateClaim(id string, update func(*memoryClaim)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	claim := q.claims[id]
	if claim == nil {
		return false
	}
	update(claim)
	if claim.written {
		claim.due = time.Time{} // from now on the disk knows
		if claim.done() {
			delete(q.claims, id)
		}
	}
	return !claim.written
}

// resume adds the attempts that were made from memory, while the disk hung, to a notification
// that was claimed from the disk. due is when it may be claimed at the earliest.
func (q *WriteQueue) resume(n *alerting.Notification, now time.Time) (due time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	claim := q.claims[n.ID]
	if claim == nil {
		return time.Time{}
	}
	n.Attempts += claim.attempts
	if !claim.due.After(now) {
		delete(q.claims, n.ID) // the disk counts the further attempts
	}
	return claim.due
}

// withOutcomes returns a copy of a write set with the attempts and outcomes of its
// notifications.
func (q *WriteQueue) withOutcomes(s history.WriteSet) history.WriteSet {
	s = s.Clone()
	for at := range s.Notifications {
		n := &s.Notifications[at]
		if claim := q.claims[n.ID]; claim != nil {
			n.Attempts = claim.attempts
			claim.addOutcome(s, n.ID)
		}
	}
	return s
}

// Undelivered returns the number of notifications in the queue that need more
// attempts.
func (q *WriteQueue) Undelivered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	count := 0
	for n := range q.notifications() {
		if !q.claims[n.ID].done() {
			count++
		}
	}
	return count
}
