package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
)

// A courier takes notices from the history's outbox to receivers. A reload gives
// it others.
type courier struct {
	history *history.DB
	metrics *metrics.Live
	logger  *slog.Logger

	mu         sync.Mutex // guards what follows
	receivers  map[string]alerting.Notifier
	dispatcher *alerting.Dispatcher
	leave      context.CancelFunc // ends the dispatcher; nil: it does not run
}

func newCourier(db *history.DB, live *metrics.Live, logger *slog.Logger) *courier {
	return &courier{history: db, metrics: live, logger: logger}
}

// exchange serves other receivers from now on. An attempt under way comes to its
// end first. What waits for receivers that are no more becomes dead letters, or
// it would wait forever.
func (c *courier) exchange(ctx context.Context, receivers map[string]alerting.Notifier) error {
	pending, err := c.history.Pending(ctx)
	if err != nil {
		return err
	}
	receivers = maps.Clone(receivers)
	for name := range pending {
		if receivers[name] == nil {
			receivers[name] = alerting.Gone{}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receivers = receivers
	c.dispatcher = alerting.NewDispatcher(alerting.DispatcherConfig{
		Outbox: c.history, Notifiers: receivers, Logger: c.logger, Observe: c.observe,
	})
	if c.leave != nil {
		c.leave()
	}
	return nil
}

// wake tells that there may be something to deliver.
func (c *courier) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dispatcher.Wake()
}

// run delivers until ctx ends.
func (c *courier) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.serve(ctx)
	}
}

// serve delivers to the receivers there are, until there are others.
func (c *courier) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	d := c.dispatcher
	c.leave = cancel
	c.mu.Unlock()
	d.Run(ctx)
	<-ctx.Done() // without receivers there is nothing to run
}

func (c *courier) observe(receiver string, result alerting.Result) {
	d := metrics.Delivered
	switch result {
	case alerting.Retried:
		d = metrics.Retried
	case alerting.Buried:
		d = metrics.Buried
	}
	c.metrics.Notified(receiver, d)
}

// A keeper is a notifier whose receiver forgets what it is not told again, as
// Alertmanager does.
type keeper interface {
	Keep(context.Context, []alerting.Incident) error
}

// keep tells keepers of the incidents that they know of and that go on.
func (c *courier) keep(ctx context.Context, open []alerting.Incident) {
	c.mu.Lock()
	receivers := c.receivers
	c.mu.Unlock()
	var workers sync.WaitGroup
	for name, notifier := range receivers {
		k, ok := notifier.(keeper)
		if !ok {
			continue
		}
		known := slices.DeleteFunc(slices.Clone(open), func(i alerting.Incident) bool {
			return i.State != alerting.Firing ||
				!slices.ContainsFunc(i.Told, func(t alerting.Told) bool { return t.Receiver == name })
		})
		workers.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			if err := k.Keep(ctx, known); err != nil && ctx.Err() == nil {
				c.logger.Warn("telling again what goes on", "receiver", name, "err", err)
			}
		})
	}
	workers.Wait()
}
