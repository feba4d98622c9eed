package notify

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/panics"
)

// A Dispatcher takes notices from the outbox to their receivers, each receiver
// by a worker of its own: who is slow or down holds up nobody else, and nothing
// of it reaches those who probe.
type Dispatcher struct {
	workers []*worker
	retired chan struct{} // closed by retire
	retire  func()
}

// DispatcherConfig says what a Dispatcher works with.
type DispatcherConfig struct {
	Outbox    Outbox
	Notifiers map[string]alerting.Notifier         // by receiver; those that are also a alerting.Finder are asked before a notice is sent again
	Logger    *slog.Logger                         // nil: silent
	Observe   func(receiver string, result Result) // counts what became of each attempt; nil: nobody does; called side by side
	Poll      time.Duration                        // how often to look without being woken; 0: 5 s
	Timeout   time.Duration                        // for one attempt; 0: 30 s
	Grace     time.Duration                        // for an attempt under way when Run is to end; 0: 5 s

	// Predecessor is the one whose place it takes: what receivers have asked of
	// that, or may still ask, holds on. Nil: there was none.
	Predecessor *Dispatcher
}

// A Result is what became of an attempt to deliver a notice.
type Result string

// The results.
const (
	Delivered Result = "delivered"
	Found     Result = "found"   // an earlier attempt had delivered it
	Retried   Result = "retried" // it is tried again later
	Dead      Result = "buried"  // it was given up: a dead letter
	skipped   Result = "skipped" // nothing was sent: no attempt, and not counted
)

// NewDispatcher makes a Dispatcher. Nothing happens before Run.
func NewDispatcher(c DispatcherConfig) *Dispatcher {
	const poll, timeout, grace = 5 * time.Second, 30 * time.Second, 5 * time.Second
	c.Poll, c.Timeout, c.Grace = cmp.Or(c.Poll, poll), cmp.Or(c.Timeout, timeout), cmp.Or(c.Grace, grace)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(string, Result) {}
	}
	backoffs := c.Predecessor.backoffs()
	c.Predecessor = nil // which had one, too
	d := &Dispatcher{retired: make(chan struct{})}
	d.retire = sync.OnceFunc(func() { close(d.retired) })
	for receiver, notifier := range c.Notifiers {
		d.workers = append(d.workers, &worker{
			config: c, receiver: receiver, notifier: notifier, backoff: cmp.Or(backoffs[receiver], new(backoff)),
			logger: c.Logger.With("receiver", receiver), wake: make(chan struct{}, 1),
		})
	}
	return d
}

// backoffs are those of its receivers, by name.
func (d *Dispatcher) backoffs() map[string]*backoff {
	if d == nil {
		return nil
	}
	all := make(map[string]*backoff)
	for _, c := range d.workers {
		all[c.receiver] = c.backoff
	}
	return all
}

// Run delivers until ctx ends or Retire is called, and returns when every worker
// is done. When ctx ends an attempt under way has Grace to come to an end; after
// Retire it has its time. Its outcome is written down.
func (d *Dispatcher) Run(ctx context.Context) {
	more, stop := context.WithCancel(ctx)
	defer stop()
	panics.Go(panics.Delivery, func() {
		select {
		case <-d.retired:
			stop()
		case <-more.Done():
		}
	})
	var workers panics.Group
	for _, c := range d.workers {
		workers.Go(func() { panics.Keep(more, panics.Delivery, func() { c.run(ctx, more) }) })
	}
	workers.Wait()
}

// Retire lets no new attempt begin. A successor may run meanwhile: the leases of
// the outbox keep notices under way from it. It does not wait.
func (d *Dispatcher) Retire() { d.retire() }

// Wake tells that there may be something new in the outbox. It never waits.
func (d *Dispatcher) Wake() {
	for _, c := range d.workers {
		c.signal()
	}
}
