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

// Wake makes idle workers read the outbox now. It never blocks.
func (d *Dispatcher) Wake() {
	for _, w := range d.workers {
		w.signal()
	}
}
