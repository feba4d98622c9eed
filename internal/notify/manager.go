package notify

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

// A Manager has notices taken from the outbox to receivers. A reload gives it
// others.
type Manager struct {
	outbox  PendingOutbox
	metrics *metrics.Live
	logger  *slog.Logger

	replaced chan *Dispatcher // holds the one that is to run next

	mu         sync.Mutex // guards what follows
	receivers  map[string]alerting.Notifier
	dispatcher *Dispatcher
}

// A PendingOutbox tells besides how many notices wait, by receiver.
type PendingOutbox interface {
	Outbox
	Pending(context.Context) (map[string]int, error)
}

func NewManager(o PendingOutbox, live *metrics.Live, logger *slog.Logger) *Manager {
	return &Manager{outbox: o, metrics: live, logger: logger, replaced: make(chan *Dispatcher, 1)}
}

// WithRemovedReceivers adds the receivers that are no more to those there are. What waits for
// them, or is written for them until the desk knows, becomes dead letters, or it
// would wait forever.
func (p *Manager) WithRemovedReceivers(ctx context.Context, receivers map[string]alerting.Notifier) (map[string]alerting.Notifier, error) {
	pending, err := p.outbox.Pending(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]alerting.Notifier)
	for name := range pending {
		all[name] = RemovedReceiver{}
	}
	for name := range p.receivers {
		all[name] = RemovedReceiver{}
	}
	maps.Copy(all, receivers)
	return all, nil
}

// SetReceivers serves other receivers from now on. What is being said to those of
// before is said to its end.
func (p *Manager) SetReceivers(receivers map[string]alerting.Notifier) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.dispatcher
	p.receivers = receivers
	p.dispatcher = NewDispatcher(DispatcherConfig{
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

// Wake tells that there may be something to deliver.
func (p *Manager) Wake() { p.Current().Wake() }

// Current is the dispatcher that runs.
func (p *Manager) Current() *Dispatcher {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dispatcher
}

// Run delivers until ctx ends. Dispatchers that were retired end beside the one
// that is current.
func (p *Manager) Run(ctx context.Context) {
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

func (p *Manager) observe(receiver string, result Result) {
	d := metrics.Delivered
	switch result {
	case Retried:
		d = metrics.Retried
	case Dead:
		d = metrics.Dead
	}
	p.metrics.Notified(receiver, d)
}

// Resend tells keepers of the incidents that they know of and that go on.
func (p *Manager) Resend(ctx context.Context, open []alerting.Incident) {
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
