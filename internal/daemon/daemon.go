// Package daemon implements `stickwatch serve`: it runs watchers on a schedule and
// passes their results to history, metrics, receivers, and the status page.
//
//	schedule ─► watcher ─► reporter ─┬─► history (samples, moves, changes)
//	                                 ├─► metrics, page, log
//	                                 └─► incident service ─► write queue ─► history (incidents and notifications)
//	                                                                         └─► delivery manager ─► receivers
//
// No stage can block an earlier one: history and the write queue keep their input in
// memory and write it in their own time, and notifications are delivered from the
// disk.
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
	"stickwatch/internal/notify"
	"stickwatch/internal/panics"
	"stickwatch/internal/web"
)

// Config configures a daemon. Load, Prober, and Notifier are required.
type Config struct {
	Load     func() (*config.Config, error) // reads the configuration, at the start and for every reload
	Prober   *monitor.Prober
	Notifier func(config.Receiver, config.Alerting) (alerting.Notifier, error)

	WebConfigFile string // in the format of the exporter-toolkit of Prometheus; "": plain HTTP without users
	AdminSocket   string // path of a Unix socket that grants full access; "": from the configuration
	AdminGroup    string // name or ID of a group that may open it besides its owner; "": none
	Build         metrics.Build
	Logger        *slog.Logger // nil: slog.Default; it must not block, because all stages of watching log
	LogDropped    func() int64 // number of lines that Logger dropped; nil: it drops none

	Service Service // zero: none

	Announcement func(language string) string // of web.Config; Announce shows a change
	NewClients   time.Duration                // of monitor.Intervals
}

// A Daemon watches the clusters of a configuration.
type Daemon struct {
	config   Config
	logger   *slog.Logger
	began    time.Time
	clock    *steadyClock
	listener net.Listener
	admin    *adminSocket // nil: it could not be opened

	history         *history.DB
	metrics         *metrics.Live
	page            *web.Live
	server          *web.Server
	schedule        *monitor.Schedule
	incidentService *incidentService
	writeQueue      *notify.WriteQueue
	deliverer       *notify.Deliverer
	reporter        *reporter

	reloading       sync.Mutex // excludes concurrent reloads; guards closed
	closed          bool
	judging         sync.Mutex // held while clusters with sites are judged, and while active changes
	active          atomic.Pointer[activeConfig]
	wasReady        atomic.Bool
	isImpaired      atomic.Bool // stickwatch itself cannot probe
	outboxProgress  outboxProgress
	overloaded      bool         // the machine is too small; used by onStretch only
	notesMu         sync.Mutex   // held while a resolved incident is read and written with a note
	closingWatchers panics.Group // watchers that are being closed
	sources         nodeSources
	stored          webHistory
	fleet           *fleetMember // nil: this daemon is alone
}

// An activeConfig is a configuration and the watchers of its clusters, in their
// order.
type activeConfig struct {
	config      *config.Config
	watchers    []*monitor.Watcher
	leaseEpochs map[string]int64 // in a fleet: the epochs of the watched clusters; nil: all are watched
}

// watcherOf returns the watcher of a cluster; nil: it is not watched.
func (a *activeConfig) watcherOf(cluster string) *monitor.Watcher {
	at := slices.IndexFunc(a.watchers, func(watcher *monitor.Watcher) bool { return watcher.Cluster().Name == cluster })
	if at < 0 {
		return nil
	}
	return a.watchers[at]
}

// Start creates a daemon that continues from the history. It listens, but it does not
// probe or respond before Run. It returns an error if the configuration, the address,
// or the history cannot be used.
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
	cfg = d.discover(ctx, cfg)
	if err := d.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	return d, nil
}

// Announce shows a new announcement on open pages.
func (d *Daemon) Announce() { d.page.Publish("") }

// open acquires the resources that are independent of reloads.
func (d *Daemon) open(ctx context.Context, cfg *config.Config) (err error) {
	if d.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen); err != nil {
		return fmt.Errorf("listening on %q: %w", cfg.Listen, err)
	}
	d.clock = newSteadyClock()
	stored := historyConfig(cfg, d.logger, d.clock.now)
	stored.Recreated = func() { panics.Go(panics.Incidents, func() { d.writeAgain(context.WithoutCancel(ctx)) }) }
	d.history, err = history.Open(ctx, stored)
	if err != nil {
		return err
	}
	cfg = d.restoreNodes(ctx, cfg)
	if err := d.joinFleet(ctx, cfg); err != nil {
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
	restored, err := restoreState(ctx, d.history, d.clock.sharedNow())
	if err != nil {
		return err
	}
	if d.fleet != nil {
		restored = restored.ofMonitor(d.fleet.name)
	}
	d.writeQueue = notify.NewWriteQueue(notify.QueueConfig{Store: d.history, Written: d.onWritten, Observe: d.countDelivery, Alone: d.fleet.mayNotifyAlone(), Now: d.clock.now, Logger: d.logger})
	d.incidentService = newIncidentService(d.writeQueue, d.metrics, d.logger, d.clock, rulesOf(cfg), restored)
	d.deliverer = notify.NewDeliverer(notify.DelivererConfig{
		Outbox: notify.NewFallbackOutbox(d.history, d.writeQueue), Observe: d.countDelivery, Logger: d.logger, Now: d.clock.now,
		MaySend: d.fleet.maySend(), RemovedAfter: d.fleet.removedAfter(),
	})
	if notifiers, err = d.deliverer.WithRemovedReceivers(ctx, notifiers); err != nil {
		return err
	}
	d.deliverer.SetReceivers(notifiers)
	d.reporter = &reporter{history: d.history, metrics: d.metrics, page: d.page, incidentService: d.incidentService, logger: d.logger, clock: d.clock, fleet: d.fleet}
	d.schedule, err = monitor.NewSchedule(d.logger, monitor.ScheduleObserver{Lag: d.metrics.Lag, Skipped: d.onSkipped, Stretch: d.onStretch})
	if err != nil {
		return err
	}
	d.stored = d.webHistory()
	d.startWatching(cfg, restored)
	d.reportRecovery()
	d.server, err = web.New(d.webConfig(cfg))
	return err
}

// startWatching activates the first configuration.
func (d *Daemon) startWatching(cfg *config.Config, restored restoredState) {
	w := &activeConfig{config: cfg}
	if d.fleet != nil {
		w.leaseEpochs = make(map[string]int64)
	}
	for _, c := range cfg.Watched() {
		if !w.watches(c.Name) {
			continue
		}
		w.watchers = append(w.watchers, d.newWatcher(cfg, c, restored.ActiveFindings[c.Name]))
	}
	d.active.Store(w)
	d.sources.use(cfg)
	d.metrics.Restore(d.fleet.ownCounters(restored.Counters), names(cfg))
	nodes := make(map[string][]string)
	for _, c := range cfg.WithViews() {
		nodes[c.Name] = nodeIDs(c)
	}
	d.metrics.Retain(nodes)
	if d.fleet == nil { // in a fleet, what was restored may be of clusters that others watch
		d.incidentService.setClusters(w.watchedNames(cfg))
	}
	d.metrics.Receivers(cfg.Alerting.ReceiverNames())
	d.metrics.Reloaded(time.Now(), nil)
}

// onWritten starts the delivery of written notifications and updates the page.
func (d *Daemon) onWritten(decision alerting.Decision) {
	if len(decision.Notifications) > 0 {
		d.deliverer.Wake()
	}
	for _, i := range decision.Incidents {
		for _, cluster := range i.Clusters {
			d.page.Publish(cluster)
		}
	}
}

// countDelivery counts the result of an attempt to deliver a notification.
func (d *Daemon) countDelivery(receiver string, result notify.Result) {
	counted := metrics.Delivered
	switch result {
	case notify.Retried:
		counted = metrics.Retried
	case notify.Dead:
		counted = metrics.Dead
	}
	d.metrics.Notified(receiver, counted)
	if result != notify.Retried {
		d.outboxProgress.leftOutbox(receiver)
	}
}

// Address returns the address on which the daemon listens.
func (d *Daemon) Address() net.Addr { return d.listener.Addr() }

// Run watches and serves until ctx ends. Then it waits for operations in progress and
// writes the remaining data. It returns early with an error if the server fails.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := d.startJobs(); err != nil {
		return errors.Join(err, d.close(ctx))
	}
	d.sources.start(d.onNodes)
	d.runFleet(ctx)
	d.config.Service.notify("READY=1")
	var workers panics.Group
	workers.Go(func() { panics.Keep(ctx, panics.Incidents, func() { d.incidentService.run(ctx) }) })
	workers.Go(func() { panics.Keep(ctx, panics.Incidents, func() { d.writeQueue.Run(ctx) }) })
	workers.Go(func() { panics.Keep(ctx, panics.Delivery, func() { d.deliverer.Run(ctx) }) })
	workers.Go(func() { runPeriodically(ctx, d.periodicTasks()) })
	workers.Go(func() { panics.Keep(ctx, panics.Daemon, func() { d.config.Prober.Self.Run(ctx, d.impaired) }) })
	served := make(chan error, 1)
	panics.Go(panics.Web, func() {
		defer stop() // without its server the daemon is useless: let the service manager restart it
		err := errors.New("the server panicked")
		defer func() { served <- err }()
		err = d.server.Serve(ctx, d.adminListener(), d.listener)
	})
	<-ctx.Done()
	d.config.Service.notify("STOPPING=1")
	d.logger.Info("shutting down: waiting for operations in progress")
	err := errors.Join(d.schedule.Close(), d.leaveFleet(ctx)) // no more probes
	err = errors.Join(err, panics.Catch(panics.Daemon, workers.Wait))
	return errors.Join(err, <-served, d.close(ctx))
}

// startJobs schedules the jobs of the active configuration. A reload at the same moment
// must not leave those of the previous one.
func (d *Daemon) startJobs() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	return d.schedule.Set(d.jobs(d.active.Load().config))
}

// closeAll closes watchers side by side, because each may have canaries to log out.
func closeAll(watchers []*monitor.Watcher) error {
	errs := make([]error, len(watchers)+1)
	var closing panics.Group
	for i, watcher := range watchers {
		closing.Go(func() { errs[i] = watcher.Close() })
	}
	errs[len(watchers)] = panics.Catch(panics.Daemon, closing.Wait)
	return errors.Join(errs...)
}

// shutdownTimeout bounds the writes during shutdown.
const shutdownTimeout = 10 * time.Second

// close releases everything that open has acquired so far.
func (d *Daemon) close(ctx context.Context) error {
	leaveErr := d.leaveFleet(ctx)
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.closed = true
	d.sources.stopAll()
	errs := []error{leaveErr}
	if d.schedule != nil {
		errs = append(errs, d.schedule.Close())
	}
	if w := d.active.Load(); w != nil {
		errs = append(errs, closeAll(w.watchers))
	}
	errs = append(errs, panics.Catch(panics.Daemon, d.closingWatchers.Wait))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout) // from here on: canaries log out before
	defer cancel()
	if d.writeQueue != nil {
		errs = append(errs, d.writeQueue.Flush(ctx))
	}
	if d.history != nil {
		if d.active.Load() != nil {
			d.history.Record(history.Batch{Placements: d.reporter.placements.unsaved()})
			d.saveNodeLists(ctx)
			errs = append(errs, d.history.SaveCounters(ctx, d.fleet.namedCounters(d.metrics.Counters())))
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
