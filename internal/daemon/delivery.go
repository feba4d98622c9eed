package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/metrics"
	"stickwatch/internal/panics"
)

// A deliveryManager has notices taken from the outbox to receivers. A reload gives it
// others.
type deliveryManager struct {
	outbox  outbox
	metrics *metrics.Live
	logger  *slog.Logger

	replaced chan *alerting.Dispatcher // holds the one that is to run next

	mu         sync.Mutex // guards what follows
	receivers  map[string]alerting.Notifier
	dispatcher *alerting.Dispatcher
}

// An outbox tells besides how many notices wait, by receiver.
type outbox interface {
	alerting.Outbox
	Pending(context.Context) (map[string]int, error)
}

func newDeliveryManager(o outbox, live *metrics.Live, logger *slog.Logger) *deliveryManager {
	return &deliveryManager{outbox: o, metrics: live, logger: logger, replaced: make(chan *alerting.Dispatcher, 1)}
}

// withRemovedReceivers adds the receivers that are no more to those there are. What waits for
// them, or is written for them until the desk knows, becomes dead letters, or it
// would wait forever.
func (p *deliveryManager) withRemovedReceivers(ctx context.Context, receivers map[string]alerting.Notifier) (map[string]alerting.Notifier, error) {
	pending, err := p.outbox.Pending(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]alerting.Notifier)
	for name := range pending {
		all[name] = alerting.RemovedReceiver{}
	}
	for name := range p.receivers {
		all[name] = alerting.RemovedReceiver{}
	}
	maps.Copy(all, receivers)
	return all, nil
}

// replaceReceivers serves other receivers from now on. What is being said to those of
// before is said to its end.
func (p *deliveryManager) replaceReceivers(receivers map[string]alerting.Notifier) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.dispatcher
	p.receivers = receivers
	p.dispatcher = alerting.NewDispatcher(alerting.DispatcherConfig{
		Outbox: p.outbox, Notifiers: receivers, Logger: p.logger, Observe: p.observe, Predecessor: old,
	})
	if old != nil {
		old.Retire()
	}
	select {
	case <-p.replaced: // it was retired before it ran
	default:
	}
	p.replaced <- p.dispatcher // never waits: nobody else sends
}

// wake tells that there may be something to deliver.
func (p *deliveryManager) wake() { p.current().Wake() }

func (p *deliveryManager) current() *alerting.Dispatcher {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dispatcher
}

// run delivers until ctx ends. Dispatchers that were retired end beside the one
// that is current.
func (p *deliveryManager) run(ctx context.Context) {
	var working panics.Group
	defer working.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-p.replaced:
			working.Go(func() { d.Run(ctx) })
		}
	}
}

func (p *deliveryManager) observe(receiver string, result alerting.Result) {
	d := metrics.Delivered
	switch result {
	case alerting.Retried:
		d = metrics.Retried
	case alerting.Dead:
		d = metrics.Dead
	}
	p.metrics.Notified(receiver, d)
}

// resend tells keepers of the incidents that they know of and that go on.
func (p *deliveryManager) resend(ctx context.Context, open []alerting.Incident) {
	p.mu.Lock()
	receivers := p.receivers
	p.mu.Unlock()
	var workers panics.Group
	for name, notifier := range receivers {
		k, ok := notifier.(alerting.Keeper)
		if !ok {
			continue
		}
		known := slices.DeleteFunc(slices.Clone(open), func(i alerting.Incident) bool {
			return i.State != alerting.Firing ||
				!slices.ContainsFunc(i.Notified, func(t alerting.Notified) bool { return t.Receiver == name })
		})
		workers.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			var err error
			if caught := panics.Catch(panics.Delivery, func() { err = k.Keep(ctx, known) }); caught != nil {
				err = caught
			}
			if err != nil && ctx.Err() == nil {
				p.logger.Warn("telling again what goes on", "receiver", name, "err", err)
			}
		})
	}
	workers.Wait()
}
