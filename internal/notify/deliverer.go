package notify

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/panics"
)

// A Deliverer runs the dispatcher of the current receivers and replaces it when a
// reload changes them.
type Deliverer struct {
	config DelivererConfig
	next   chan *Dispatcher // the dispatcher that Run starts next

	mu         sync.Mutex // guards what follows
	receivers  map[string]alerting.Notifier
	dispatcher *Dispatcher
}

// DelivererConfig configures a Deliverer.
type DelivererConfig struct {
	Outbox  PendingOutbox
	Observe func(receiver string, result Result) // called after each attempt, concurrently
	Logger  *slog.Logger
	Now     func() time.Time                  // nil: time.Now
	MaySend func(alerting.Notification) error // see DispatcherConfig
	// RemovedAfter is how old a notification becomes before it is a dead letter because the
	// configuration lacks its receiver: another instance of a fleet may know it. 0: nobody else does.
	RemovedAfter time.Duration
}

// NewDeliverer returns a Deliverer without receivers.
func NewDeliverer(c DelivererConfig) *Deliverer {
	return &Deliverer{config: c, next: make(chan *Dispatcher, 1)}
}

// WithRemovedReceivers adds RemovedReceiver for each receiver that was removed from
// the configuration. Its pending notifications become dead letters, as do those that
// are written before the incident manager knows the new configuration. Otherwise
// they would stay pending forever.
func (d *Deliverer) WithRemovedReceivers(ctx context.Context, receivers map[string]alerting.Notifier) (map[string]alerting.Notifier, error) {
	pending, err := d.config.Outbox.Pending(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make(map[string]alerting.Notifier)
	removed := RemovedReceiver{after: d.config.RemovedAfter, now: d.config.Now}
	if removed.now == nil {
		removed.now = time.Now
	}
	for name := range pending {
		all[name] = removed
	}
	for name := range d.receivers {
		all[name] = removed
	}
	maps.Copy(all, receivers)
	return all, nil
}

// SetReceivers replaces the receivers. Deliveries in progress to the previous ones
// are completed.
func (d *Deliverer) SetReceivers(receivers map[string]alerting.Notifier) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.dispatcher
	d.receivers = receivers
	d.dispatcher = NewDispatcher(DispatcherConfig{
		Outbox: d.config.Outbox, Notifiers: receivers, Logger: d.config.Logger, Observe: d.config.Observe, Now: d.config.Now,
		MaySend: d.config.MaySend, Predecessor: old,
	})
	if old != nil {
		old.Retire()
	}
	select {
	case <-d.next: // it was replaced before it ran
	default:
	}
	d.next <- d.dispatcher // never blocks: mu excludes other senders
}

// Wake makes the current dispatcher read the outbox now.
func (d *Deliverer) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dispatcher.wake()
}

// Run delivers notifications until ctx ends. Retired dispatchers finish their
// deliveries beside the current one.
func (d *Deliverer) Run(ctx context.Context) {
	var running panics.Group
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-d.next:
			running.Go(func() { next.Run(ctx) })
		}
	}
}

// Resend sends the firing incidents of open to each receiver that is an
// alerting.Refresher and was notified of them. It waits for all receivers, for 30 s at
// most.
func (d *Deliverer) Resend(ctx context.Context, open []alerting.Incident) {
	d.mu.Lock()
	receivers := d.receivers
	d.mu.Unlock()
	var workers panics.Group
	for name, notifier := range receivers {
		r, ok := notifier.(alerting.Refresher)
		if !ok {
			continue
		}
		known := slices.DeleteFunc(slices.Clone(open), func(i alerting.Incident) bool {
			return i.State != alerting.Firing ||
				!slices.ContainsFunc(i.Notified, func(n alerting.Notified) bool { return n.Receiver == name })
		})
		workers.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			var err error
			if caught := panics.Catch(panics.Delivery, func() { err = r.Refresh(ctx, known) }); caught != nil {
				err = caught
			}
			if err != nil && ctx.Err() == nil {
				d.config.Logger.Warn("resending open incidents", "receiver", name, "err", err)
			}
		})
	}
	workers.Wait()
}

// RemovedReceiver is the Notifier of a receiver that was removed from the
// configuration. It makes every notification a dead letter, in a fleet once it is old. The zero value
// is for a process that is alone.
type RemovedReceiver struct {
	after time.Duration // see DelivererConfig.RemovedAfter
	now   func() time.Time
}

var (
	errRemoved = errors.New("the receiver was removed from the configuration")
	errUnknown = errors.New("the receiver is not in the configuration of this instance: another one may have it")
)

// Notify returns a Retriable or a Permanent error.
func (r RemovedReceiver) Notify(_ context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	if r.after > 0 && r.now().Sub(n.At) < r.after {
		return alerting.DeliveryRef{}, alerting.Retriable{After: time.Minute, Err: errUnknown}
	}
	return alerting.DeliveryRef{}, alerting.Permanent{Err: errRemoved}
}
