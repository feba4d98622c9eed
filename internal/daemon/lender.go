package daemon

import (
	"context"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
)

// stuckAfter is for how long the disk may take nothing before notices are
// delivered that are not on it. Until then none is told that could be forgotten.
const stuckAfter = 30 * time.Second

// A lender is the outbox of the history and, while the disk takes nothing, what
// the registry owes to it: who is to know of an incident should not have to wait
// until somebody has made room. What becomes of such a loan goes to the disk with
// the notice. If the process ends before that, it may be told twice.
type lender struct {
	outbox
	registry *registry
}

// A loan is a notice that is delivered before it is on the disk.
type loan struct {
	due      time.Time // when it may be lent again
	attempts int
	receipt  *alerting.Receipt // nil: it has not arrived
	refused  bool              // and will be buried when it is on the disk
}

// Claim implements alerting.Outbox.
func (l lender) Claim(ctx context.Context, receiver string, now time.Time, lease time.Duration) (n alerting.Notice, ok bool, err error) {
	if l.registry.stuck(now) {
		n, ok = l.registry.lend(ctx, receiver, now, lease)
		return n, ok, nil
	}
	return l.outbox.Claim(ctx, receiver, now, lease)
}

// Delivered implements alerting.Outbox.
func (l lender) Delivered(ctx context.Context, id string, r alerting.Receipt) error {
	if l.registry.repay(id, func(o *loan) { o.receipt = &r }) {
		return nil
	}
	return l.outbox.Delivered(ctx, id, r)
}

// Retry implements alerting.Outbox.
func (l lender) Retry(ctx context.Context, id string, at time.Time, reason string) error {
	if l.registry.repay(id, func(o *loan) { o.due = at }) {
		return nil
	}
	return l.outbox.Retry(ctx, id, at, reason)
}

// Bury implements alerting.Outbox.
func (l lender) Bury(ctx context.Context, id, reason string) error {
	if l.registry.repay(id, func(o *loan) { o.refused = true }) {
		return nil
	}
	return l.outbox.Bury(ctx, id, reason)
}

// SkipToEnd implements alerting.Outbox. Loans are told one after the other.
func (l lender) SkipToEnd(ctx context.Context, id string) (bool, error) {
	if l.registry.repay(id, func(*loan) {}) {
		return false, nil
	}
	return l.outbox.SkipToEnd(ctx, id)
}

// stuck reports whether the disk has taken nothing for too long.
func (r *registry) stuck(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.failing.IsZero() && now.Sub(r.failing) > stuckAfter
}

// lend lends a notice that is owed to the disk, unless an earlier one of its
// incident waits there.
func (r *registry) lend(ctx context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notice, bool) {
	for _, n := range r.lendable(receiver, now) {
		// A disk that cannot even be read knows of nothing that comes before.
		known, err := r.history.Correspondence(ctx, receiver, n.Incident.ID)
		if err == nil && known.Waits {
			continue
		}
		if n.Thread == "" {
			n.Thread = known.Thread
		}
		if r.book(&n, now, lease) {
			return n, true
		}
	}
	return alerting.Notice{}, false
}

// lendable are the owed notices for a receiver that are due, the first of each
// incident, with the thread that an earlier loan told.
func (r *registry) lendable(receiver string, now time.Time) []alerting.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []alerting.Notice
	begun := make(map[string]bool)     // incidents of which a notice is still to be delivered
	threads := make(map[string]string) // by incident
	for _, n := range r.owed.Notices {
		incident, o := n.Incident.ID, r.loans[n.ID]
		switch {
		case n.Receiver != receiver || begun[incident]:
		case o != nil && o.receipt != nil:
			threads[incident] = o.receipt.Thread
		default:
			begun[incident] = true
			if o == nil || !o.refused && !now.Before(o.due) {
				n.Thread = threads[incident]
				list = append(list, n)
			}
		}
	}
	return list
}

// book makes a notice a loan, if it still is owed and nobody was quicker.
func (r *registry) book(n *alerting.Notice, now time.Time, lease time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.loans[n.ID]
	if o == nil {
		o = new(loan)
	}
	if now.Before(o.due) || !r.owes(n.ID) {
		return false
	}
	o.due = now.Add(lease)
	o.attempts++
	n.Attempts = o.attempts
	r.loans[n.ID] = o
	return true
}

// owes reports whether a notice has yet to come to the disk.
func (r *registry) owes(id string) bool {
	for _, n := range r.owed.Notices {
		if n.ID == id {
			return true
		}
	}
	return false
}

// repay notes what became of a loan, unless it has come to the disk meanwhile or
// never was one.
func (r *registry) repay(id string, note func(*loan)) bool {
	r.mu.Lock()
	_, lent := r.loans[id]
	r.mu.Unlock()
	if !lent {
		return false
	}
	r.writing.Lock() // a step that is being written has left without it
	defer r.writing.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.loans[id]
	if o != nil {
		note(o)
	}
	return o != nil
}

// withLoans is a step that tells what became of its notices.
func (r *registry) withLoans(s history.Step) history.Step {
	s.Delivered = make(map[string]alerting.Receipt)
	for at := range s.Notices {
		n := &s.Notices[at]
		if o := r.loans[n.ID]; o != nil {
			n.Attempts = o.attempts
			if o.receipt != nil {
				s.Delivered[n.ID] = *o.receipt
			}
		}
	}
	return s
}

// undelivered is how many notices wait for the disk and have not arrived.
func (r *registry) undelivered() int {
	r.writing.Lock() // what is being written either is on the disk or is owed again
	defer r.writing.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting := 0
	for _, n := range r.owed.Notices {
		if o := r.loans[n.ID]; o == nil || o.receipt == nil {
			waiting++
		}
	}
	return waiting
}
