package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/fleet"
	"stickwatch/internal/history"
	"stickwatch/internal/panics"
)

// A daemon with a fleet watches the clusters of its leases (fleet_leases.go), and shows those that others
// watch.

// A fleetMember is the membership of this daemon in a fleet.
type fleetMember struct {
	*fleet.Keeper
	store   *history.Fleet
	name    string
	stop    context.CancelFunc // of the keeper
	hasLeft bool
	ended   panics.Group
	current func() *config.Config
	joined  chan struct{} // closed when leases were applied for the first time

	mu        sync.Mutex
	unsent    map[string]bool           // own clusters whose snapshot the others do not have
	reported  map[string]time.Time      // when own clusters reported last
	others    map[string]storedSnapshot // of clusters that others watch, and of all views of sites
	judges    map[string]*siteJudge     // of own clusters that several sites watch
	lost      []checks.Request          // of own views, the newest ones
	canaries  *canaryWriter             // of own clusters
	newest    time.Time                 // of the stored snapshots that were read
	messages  chan history.MessageKind
	reloads   chan struct{} // another instance has read its configuration again
	skewed    string        // the instances with another configuration, as logged last
	clockOff  bool          // as logged last
	away      bool          // the database has been away for long; used by onDatabase only
	firstTime sync.Once
}

// joinFleet makes the daemon an instance of the fleet of its history, if one is configured.
func (d *Daemon) joinFleet(ctx context.Context, cfg *config.Config) error {
	if cfg.Fleet.Instance == "" {
		return nil
	}
	store, err := d.history.NewFleet()
	if err != nil {
		return err
	}
	member := &fleetMember{
		store: store, name: cfg.Fleet.Instance, joined: make(chan struct{}), messages: make(chan history.MessageKind, 1),
		reloads: make(chan struct{}, 1),
		unsent:  make(map[string]bool), reported: make(map[string]time.Time), others: make(map[string]storedSnapshot), judges: make(map[string]*siteJudge),
		canaries: newCanaryWriter(d.logger, d.history.PutCanaries),
		stop:     func() {}, current: func() *config.Config { return d.activeConfig(cfg) },
	}
	member.Keeper = fleet.NewKeeper(fleet.Config{
		Name: member.name, Store: clockedStore{store, d.clock}, Logger: d.logger, Apply: d.applyLeases, Receive: member.receive,
		Self: func() history.Instance {
			now := d.activeConfig(cfg)
			return history.Instance{Site: now.Fleet.Site, Version: d.config.Build.Version, Digest: now.Digest(), CanProbe: !d.isImpaired.Load(), ClockAhead: d.clock.ahead()}
		},
		Units: func() []fleet.Unit { return unitsOf(d.activeConfig(cfg)) },
	})
	if err := member.Join(ctx); err != nil {
		return errors.Join(fmt.Errorf("joining the fleet: %w", err), store.Close())
	}
	d.fleet = member
	return nil
}

// activeConfig returns the active configuration, or at the start the first one.
func (d *Daemon) activeConfig(first *config.Config) *config.Config {
	if active := d.active.Load(); active != nil {
		return active.config
	}
	return first
}

// A clockedStore sets the clock of this daemon by that of the database, so that all instances agree
// on when a notification is due.
type clockedStore struct {
	*history.Fleet
	clock *steadyClock
}

func (s clockedStore) Beat(ctx context.Context, self history.Instance) (history.FleetState, error) {
	sent := time.Now()
	state, err := s.Fleet.Beat(ctx, self)
	if err == nil {
		s.clock.follow(state.Now, sent.Add(time.Since(sent)/2))
	}
	return state, err
}

// runFleet keeps the leases until leaveFleet.
func (d *Daemon) runFleet(ctx context.Context) {
	if d.fleet == nil {
		return
	}
	ctx, d.fleet.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, work := range []func(context.Context){d.fleet.Run, periodicTask{time.Second, d.exchangeSnapshots}.repeat, d.refreshAnnouncements, d.reloadWithOthers} {
		d.fleet.ended.Go(func() { panics.Keep(ctx, panics.Daemon, func() { work(ctx) }) })
	}
}

// leaveFleet writes what is decided and observed, and gives all clusters away. It does not wait for
// deliveries in progress or for canaries that log out, so that others take over at once.
func (d *Daemon) leaveFleet(ctx context.Context) error {
	if d.fleet == nil || d.fleet.hasLeft {
		return nil
	}
	d.fleet.hasLeft = true
	d.fleet.stop()
	err := panics.Catch(panics.Daemon, d.fleet.ended.Wait)
	ctx = context.WithoutCancel(ctx)
	if active := d.active.Load(); active != nil {
		d.handOver(ctx, active, active.watchers)
	}
	const wait = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if d.writeQueue != nil {
		err = errors.Join(err, d.writeQueue.Flush(ctx), d.history.Flush(ctx))
	}
	return errors.Join(err, d.fleet.Leave(ctx), d.fleet.store.Close())
}

// receive takes a message of another instance. Snapshots are read each second, and the keeper takes
// changed leases itself.
func (m *fleetMember) receive(kind history.MessageKind) {
	switch kind {
	case history.SnapshotsChanged, history.LeasesChanged:
		return
	case history.Reloaded:
		select {
		case m.reloads <- struct{}{}:
		default: // one is due
		}
		return
	}
	select {
	case m.messages <- kind:
	default: // everything is refreshed soon, too
	}
}

// refreshAnnouncements applies silences and deployments that were announced at other instances.
func (d *Daemon) refreshAnnouncements(ctx context.Context) {
	const every = 10 * time.Second // messages may be lost
	clock := time.NewTicker(every)
	defer clock.Stop()
	for {
		kind := history.LeasesChanged // all
		select {
		case <-ctx.Done():
			return
		case kind = <-d.fleet.messages:
		case <-clock.C:
		}
		var errs []error
		if kind != history.DeploymentsChanged {
			errs = append(errs, d.stored.silences.refresh(ctx))
		}
		if kind != history.SilencesChanged {
			errs = append(errs, d.stored.announced.refresh(ctx))
		}
		if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
			d.logger.Debug("reading silences and deployments", "err", err)
		}
	}
}

// reloadWithOthers reads the configuration again when another instance has done so.
func (d *Daemon) reloadWithOthers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.fleet.reloads:
		}
		if err := d.reloadOwn(ctx); err != nil && ctx.Err() == nil {
			d.logger.Error("reading the configuration again, as another instance did: the old one stays active", "err", err)
		}
	}
}

// announce notifies the other instances of what has changed.
func (m *fleetMember) announce(ctx context.Context, kind history.MessageKind) {
	if m != nil {
		_ = m.store.Send(ctx, history.Message{Kind: kind}) // they read the database now and then, too
	}
}

// mayNotifyAlone is notify.QueueConfig.Alone; nil: there is no fleet.
func (m *fleetMember) mayNotifyAlone() func() (string, bool) {
	if m == nil {
		return nil
	}
	return m.Alone
}

// maySend is notify.DelivererConfig.MaySend; nil: there is no fleet.
func (m *fleetMember) maySend() func(alerting.Notification) error {
	if m == nil {
		return nil
	}
	return m.MaySend
}

// removedAfter is notify.DelivererConfig.RemovedAfter: a change of the configuration takes an hour to
// reach all instances.
func (m *fleetMember) removedAfter() time.Duration {
	if m == nil {
		return 0
	}
	return time.Hour
}
