// Package notify delivers notifications: it covers the way from a decision of
// the incident manager to a message at a receiver.
//
//	alerting.Manager ─► WriteQueue ─► history (incidents and outbox, one transaction)
//	                        │            │
//	                        └─► fallback outbox ─► Dispatcher ─► a worker for each receiver
//
// To find out why somebody was not paged, follow a notification through these
// stages:
//
//  1. The [WriteQueue] writes incidents and their notifications to the history, in
//     the order of the decisions. It retries what the disk refuses.
//  2. The fallback outbox ([NewFallbackOutbox]) serves notifications from the history.
//     If the disk accepts nothing for half a minute, it serves them from the queue.
//  3. A [Dispatcher] runs one worker for each receiver. The worker claims a
//     notification, sends it, and records the outcome. Retry policy and circuit
//     breaker are in retry.go.
//  4. The [Deliverer] replaces the dispatcher when a reload changes the receivers.
//
// Delivery is at least once. The process may end after a message was sent and
// before the outcome was recorded. In that case an [alerting.Finder] is asked
// whether the message arrived; any other receiver may get it twice.
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

// A Dispatcher delivers the notifications of an outbox. Each receiver has a worker
// of its own, so that a slow receiver delays no other and never delays probing.
type Dispatcher struct {
	workers []*worker
	retired chan struct{} // closed by retire
	retire  func()
}

// DispatcherConfig configures a Dispatcher.
type DispatcherConfig struct {
	Outbox    Outbox
	Notifiers map[string]alerting.Notifier         // by receiver; an alerting.Finder is asked before a notification is sent again
	Logger    *slog.Logger                         // nil: no log
	Observe   func(receiver string, result Result) // called after each attempt, concurrently; nil: not called
	Poll      time.Duration                        // how often an idle worker reads the outbox; 0: 5 s
	Timeout   time.Duration                        // for one attempt; 0: 30 s
	Now       func() time.Time                     // when notifications are due; nil: time.Now
	MaySend   func(alerting.Notification) error    // asked right before each attempt, whose error it is; nil: always
	Grace     time.Duration                        // for an attempt in progress when the context of Run ends; 0: 5 s

	// Predecessor is the dispatcher that this one replaces. Both share the backoff of
	// each receiver. Nil: there was none.
	Predecessor *Dispatcher
}

// A Result is the outcome of an attempt to deliver a notification.
type Result string

// The results.
const (
	Delivered Result = "delivered"
	Found     Result = "found"   // an earlier attempt had delivered it
	Retried   Result = "retried" // it failed and is tried again later
	Dead      Result = "buried"  // it is a dead letter
	skipped   Result = "skipped" // nothing was sent; not observed
)

// NewDispatcher returns a Dispatcher. It does nothing before Run.
func NewDispatcher(config DispatcherConfig) *Dispatcher {
	const poll, timeout, grace = 5 * time.Second, 30 * time.Second, 5 * time.Second
	config.Poll, config.Timeout, config.Grace = cmp.Or(config.Poll, poll), cmp.Or(config.Timeout, timeout), cmp.Or(config.Grace, grace)
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Observe == nil {
		config.Observe = func(string, Result) {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.MaySend == nil {
		config.MaySend = func(alerting.Notification) error { return nil }
	}
	backoffs := config.Predecessor.backoffs()
	config.Predecessor = nil // or a chain of predecessors would stay in memory
	d := &Dispatcher{retired: make(chan struct{})}
	d.retire = sync.OnceFunc(func() { close(d.retired) })
	for receiver, notifier := range config.Notifiers {
		d.workers = append(d.workers, &worker{
			config: config, receiver: receiver, notifier: notifier, backoff: cmp.Or(backoffs[receiver], new(backoff)),
			logger: config.Logger.With("receiver", receiver), wake: make(chan struct{}, 1),
		})
	}
	return d
}

// backoffs returns the backoff of each receiver by name.
func (d *Dispatcher) backoffs() map[string]*backoff {
	if d == nil {
		return nil
	}
	all := make(map[string]*backoff)
	for _, w := range d.workers {
		all[w.receiver] = w.backoff
	}
	return all
}

// Run delivers notifications until ctx ends or Retire is called, and returns when
// all workers have ended. If ctx ends, an attempt in progress has Grace to finish;
// after Retire it has its full timeout. Its outcome is recorded either way.
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
	for _, w := range d.workers {
		workers.Go(func() { panics.Keep(more, panics.Delivery, func() { w.run(ctx, more) }) })
	}
	workers.Wait()
}

// Retire prevents new attempts and does not wait for those in progress. A successor
// may run at the same time: the leases of the outbox keep it from claiming
// notifications that this dispatcher is sending.
func (d *Dispatcher) Retire() { d.retire() }

// wake makes idle workers read the outbox now. It never blocks.
func (d *Dispatcher) wake() {
	for _, w := range d.workers {
		w.signal()
	}
}

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
