package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/internal/web"
)

// A Config is what a daemon is made of. Load, Prober and Notifier must be there.
type Config struct {
	Load     func() (*config.Config, error) // reads the configuration, at the start and at every reload
	Prober   *monitor.Prober
	Notifier func(config.Receiver, config.Alerting) (alerting.Notifier, error)

	WebConfigFile string // in the format of Prometheus's exporter-toolkit; "": plain HTTP without users
	AdminSocket   string // path of a Unix socket by which everything may be changed; "": the configuration's
	AdminGroup    string // name or id of a group that may open it besides its owner; "": none
	Build         metrics.Build
	Logger        *slog.Logger // nil: slog.Default; whatever takes part in watching logs, so that it must not wait
	LogDropped    func() int64 // lines that Logger dropped rather than wait; nil: it drops none
}

// A Daemon watches the clusters of a configuration.
type Daemon struct {
	config   Config
	logger   *slog.Logger
	began    time.Time
	listener net.Listener
	admin    *adminSocket // nil: none could be had

	history         *history.DB
	metrics         *metrics.Live
	page            *web.Live
	server          *web.Server
	schedule        *monitor.Schedule
	incidentStore   *incidentStore
	deliveryManager *deliveryManager
	reporter        *reporter

	reloading       sync.Mutex // one at a time, and none any more at the end; guards closed
	closed          bool
	active          atomic.Pointer[activeConfig]
	wasReady        atomic.Bool
	closingWatchers panics.Group // watchers that are being closed
}

// A activeConfig is a configuration and who watches its clusters, in its order.
type activeConfig struct {
	config   *config.Config
	watchers []*monitor.Watcher
}

// watcherOf returns the watcher of a cluster; nil: it is not watched.
func (w *activeConfig) watcherOf(cluster string) *monitor.Watcher {
	at := slices.IndexFunc(w.watchers, func(one *monitor.Watcher) bool { return one.Cluster().Name == cluster })
	if at < 0 {
		return nil
	}
	return w.watchers[at]
}

// Start makes a daemon that goes on where the history ends: it listens, and
// neither probes nor answers before Run. The error says what is wrong with the
// configuration, the address or the history.
func Start(ctx context.Context, c Config) (*Daemon, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	cfg, err := c.Load()
	if err != nil {
		return nil, err
	}
	c.Prober.Self = monitor.NewSelfCheck()
	d := &Daemon{config: c, logger: c.Logger, began: time.Now(), metrics: metrics.New(c.Build), page: web.NewLive()}
	if c.LogDropped != nil {
		d.metrics.LogDropped(c.LogDropped)
	}
	if err := d.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	return d, nil
}

// open gets hold of everything that outlives a reload.
func (d *Daemon) open(ctx context.Context, cfg *config.Config) (err error) {
	if d.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen); err != nil {
		return fmt.Errorf("listening at %q: %w", cfg.Listen, err)
	}
	d.history, err = history.Open(ctx, historyConfig(cfg.History, d.logger))
	if err != nil {
		return err
	}
	if err := d.openAdmin(ctx, cfg); err != nil {
		return err
	}
	d.metrics.Register(d.history.Collector())
	notifiers, err := d.notifiers(cfg)
	if err != nil {
		return err
	}
	left, err := restoreState(ctx, d.history)
	if err != nil {
		return err
	}
	d.incidentStore = newIncidentStore(d.history, d.metrics, d.onWritten, d.logger, rulesOf(cfg), left)
	d.deliveryManager = newDeliveryManager(memoryOutbox{d.history, d.incidentStore}, d.metrics, d.logger)
	if notifiers, err = d.deliveryManager.withRemovedReceivers(ctx, notifiers); err != nil {
		return err
	}
	d.deliveryManager.replaceReceivers(notifiers)
	d.reporter = &reporter{history: d.history, metrics: d.metrics, page: d.page, incidentStore: d.incidentStore, logger: d.logger}
	d.schedule, err = monitor.NewSchedule(d.logger, monitor.ScheduleObserver{Lag: d.metrics.Lag, Skipped: d.onSkipped})
	if err != nil {
		return err
	}
	d.startWatching(cfg, left)
	d.reportRecovery()
	d.server, err = web.New(d.webConfig(cfg))
	return err
}

// startWatching puts the first configuration in force.
func (d *Daemon) startWatching(cfg *config.Config, left restoredState) {
	w := &activeConfig{config: cfg}
	for _, c := range cfg.Clusters {
		w.watchers = append(w.watchers, d.newWatcher(cfg, c, left.ActiveFindings[c.Name]))
	}
	d.active.Store(w)
	d.metrics.Restore(left.Counters, names(cfg))
	for _, c := range cfg.Clusters {
		d.metrics.Retain(c.Name, nodeIDs(c))
	}
	d.incidentStore.setClusters(names(cfg))
	d.metrics.Receivers(receiverNames(cfg))
	d.metrics.Reloaded(time.Now(), nil)
}

// onWritten takes what has become of incidents to those who wait for it.
func (d *Daemon) onWritten(step alerting.Step) {
	if len(step.Notifications) > 0 {
		d.deliveryManager.wake()
	}
	for _, i := range step.Incidents {
		for _, cluster := range i.Clusters {
			d.page.Publish(cluster)
		}
	}
}

// Address is where the daemon listens.
func (d *Daemon) Address() net.Addr { return d.listener.Addr() }

// Run watches and answers until ctx ends, then lets what is under way come to
// its end and writes what there is to write. An error of its own accord is that
// it cannot answer any more.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := d.schedule.Set(d.jobs(d.active.Load().config)); err != nil {
		return errors.Join(err, d.close(ctx))
	}
	var workers panics.Group
	workers.Go(func() { panics.Keep(ctx, panics.Incidents, func() { d.incidentStore.run(ctx) }) })
	workers.Go(func() { panics.Keep(ctx, panics.Delivery, func() { d.deliveryManager.run(ctx) }) })
	workers.Go(func() { runPeriodically(ctx, d.periodicTasks()) })
	workers.Go(func() { panics.Keep(ctx, panics.Daemon, func() { d.config.Prober.Self.Run(ctx, d.impaired) }) })
	served := make(chan error, 1)
	panics.Go(panics.Web, func() {
		defer stop() // a daemon that nobody can ask should be started anew by whoever started it
		err := errors.New("the server panicked")
		defer func() { served <- err }()
		err = d.server.Serve(ctx, d.adminListener(), d.listener)
	})
	<-ctx.Done()
	d.logger.Info("ending: waiting for what is under way")
	err := d.schedule.Close() // nothing is seen any more
	err = errors.Join(err, panics.Catch(panics.Daemon, workers.Wait))
	return errors.Join(err, <-served, d.close(ctx))
}

// shutdownTimeout bounds what is written at the end.
const shutdownTimeout = 10 * time.Second

// close gives everything back that open got hold of, as far as it came.
func (d *Daemon) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.closed = true
	var errs []error
	if d.schedule != nil {
		errs = append(errs, d.schedule.Close())
	}
	if w := d.active.Load(); w != nil {
		for _, one := range w.watchers {
			errs = append(errs, one.Close())
		}
	}
	errs = append(errs, panics.Catch(panics.Daemon, d.closingWatchers.Wait))
	if d.incidentStore != nil {
		errs = append(errs, d.incidentStore.flush(ctx))
	}
	if d.history != nil {
		if d.active.Load() != nil {
			errs = append(errs, d.history.SaveCounters(ctx, d.metrics.Counters()))
		}
		errs = append(errs, d.history.Close(ctx))
	}
	for _, l := range []net.Listener{d.listener, d.adminListener()} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
