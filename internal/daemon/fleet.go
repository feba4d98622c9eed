package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/fleet"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// This file makes a daemon an instance of a fleet: it watches the clusters of its leases, and shows
// those that others watch.

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
	store, err := d.history.Join()
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
		Self: func() history.Member {
			now := d.activeConfig(cfg)
			return history.Member{Site: now.Fleet.Site, Version: d.config.Build.Version, Digest: now.Digest(), Able: !d.isImpaired.Load(), Ahead: d.clock.ahead()}
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

func (s clockedStore) Beat(ctx context.Context, self history.Member) (history.FleetState, error) {
	sent := time.Now()
	state, err := s.Fleet.Beat(ctx, self)
	if err == nil {
		s.clock.follow(state.Now, sent.Add(time.Since(sent)/2))
	}
	return state, err
}

// unitsOf returns the clusters that are watched together. With incidents by host, these are clusters
// with a host in common; those whose nodes come and go may get one. The views of sites are units of
// their own.
func unitsOf(cfg *config.Config) []fleet.Unit {
	var units []fleet.Unit
	at := make(map[string]int) // the unit of a host
	for _, c := range cfg.Clusters {
		var hosts []string
		if cfg.Alerting.GroupByHost {
			for _, n := range c.Nodes {
				hosts = append(hosts, n.Host)
			}
			if _, dynamic := cfg.NodesFrom(c.Name); dynamic {
				hosts = []string{"*"}
			}
		}
		mine := len(units)
		units = append(units, fleet.Unit{Key: c.Name, Clusters: []string{c.Name}})
		for _, host := range hosts {
			other, known := at[host]
			if host == "" || !known || other == mine {
				at[host] = mine
				continue
			}
			units[other].Clusters = append(units[other].Clusters, units[mine].Clusters...)
			units[mine].Clusters = nil
			for host, n := range at {
				if n == mine {
					at[host] = other
				}
			}
			mine = other
		}
	}
	units = slices.DeleteFunc(units, func(u fleet.Unit) bool { return len(u.Clusters) == 0 })
	for _, c := range cfg.Clusters {
		for _, site := range c.Sites {
			view := probes.ViewName(c.Name, site)
			units = append(units, fleet.Unit{Key: view, Clusters: []string{view}, Site: site})
		}
	}
	return units
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

// watches reports whether this daemon watches a cluster.
func (a *activeConfig) watches(cluster string) bool {
	return a.leaseEpochs == nil || a.leaseEpochs[cluster] > 0
}

// watchedNames returns the clusters of a configuration that this daemon watches.
func (a *activeConfig) watchedNames(cfg *config.Config) []string {
	return slices.DeleteFunc(names(cfg), func(cluster string) bool { return !a.watches(cluster) })
}

// applyLeases makes the clusters with leases those that are watched.
func (d *Daemon) applyLeases(ctx context.Context, leaseEpochs map[string]int64) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.closed {
		return nil
	}
	old := d.active.Load()
	changed := func(a, b map[string]int64) (list []string) {
		for cluster, epoch := range a {
			if b[cluster] != epoch {
				list = append(list, cluster)
			}
		}
		slices.Sort(list)
		return list
	}
	lost, gained := changed(old.leaseEpochs, leaseEpochs), changed(leaseEpochs, old.leaseEpochs)
	d.giveAway(ctx, old, lost)
	past, err := d.restoreClusters(ctx, leaseEpochs, gained)
	if err == nil {
		err = d.restoreViews(ctx, old.config, gained, past.ActiveFindings)
	}
	next := old.without(lost)
	if err != nil {
		return errors.Join(err, d.watch(old, next))
	}
	d.history.SetLeases(leaseEpochs)
	d.incidentService.adopt(leaseEpochs, past)
	next.leaseEpochs = maps.Clone(leaseEpochs)
	var begun []*monitor.Watcher
	nodes := make(map[string][]string)
	for _, c := range next.config.Watched() {
		if slices.Contains(gained, c.Name) {
			one := d.newWatcher(next.config, c, past.ActiveFindings[c.Name])
			next.watchers, begun = append(next.watchers, one), append(begun, one)
			nodes[c.Name] = nodeIDs(c)
		}
	}
	d.continueCanaries(ctx, next.config, leaseEpochs, begun)
	d.metrics.Retain(nodes)
	err = d.watch(old, next)
	d.fleet.firstTime.Do(func() { close(d.fleet.joined) })
	if len(gained)+len(lost) > 0 {
		d.logger.Info("clusters of this instance", "watched", len(next.watchers), "taken", len(begun), "given", lost)
		d.startRounds(ctx, begun)
	}
	return err
}

// watch replaces the watchers by those of the next configuration, and closes the others.
func (d *Daemon) watch(old, next *activeConfig) error {
	d.judging.Lock()
	d.activate(next)
	d.judging.Unlock()
	for _, one := range old.watchers {
		if next.watcherOf(one.Cluster().Name) != one {
			d.closeWatcher(one)
		}
	}
	return d.schedule.Set(d.jobs(next.config))
}

// without returns the configuration without the watchers of clusters.
func (a *activeConfig) without(clusters []string) *activeConfig {
	next := &activeConfig{config: a.config, leaseEpochs: maps.Clone(a.leaseEpochs)}
	for _, cluster := range clusters {
		delete(next.leaseEpochs, cluster)
	}
	for _, one := range a.watchers {
		if next.watches(one.Cluster().Name) {
			next.watchers = append(next.watchers, one)
		}
	}
	return next
}

// giveAway ends the watch of clusters and writes what was observed and decided about them. If another
// instance has taken them over, that is refused.
func (d *Daemon) giveAway(ctx context.Context, active *activeConfig, clusters []string) {
	if len(clusters) == 0 {
		return
	}
	var ending []*monitor.Watcher
	for _, one := range active.watchers {
		if slices.Contains(clusters, one.Cluster().Name) {
			ending = append(ending, one)
		}
	}
	d.handOver(ctx, active, ending)
	if err := errors.Join(d.flush(ctx), flushWithin(ctx, d.history.Flush)); err != nil && ctx.Err() == nil {
		d.logger.Warn("writing the history of clusters that are given away", "err", err)
	}
	d.incidentService.release(clusters)
	d.writeQueue.Forget(clusters)
}

// restoreClusters reads what earlier owners of clusters have written.
func (d *Daemon) restoreClusters(ctx context.Context, leaseEpochs map[string]int64, gained []string) (restoredState, error) {
	if len(gained) == 0 {
		return restoredState{}, nil
	}
	state, err := restoreState(ctx, d.history, d.clock.sharedNow())
	if err != nil {
		return state, err
	}
	isGained := func(cluster string) bool { return slices.Contains(gained, cluster) }
	state.Incidents = slices.DeleteFunc(state.Incidents, func(i alerting.Incident) bool {
		return !i.HandledBy(d.fleet.name, isGained) && (leaseEpochs[""] == 0 || !i.OfOther(d.fleet.Status().Live))
	})
	maps.DeleteFunc(state.ActiveFindings, func(cluster string, _ []checks.ActiveFinding) bool { return !isGained(cluster) })
	return state, nil
}

// startRounds takes the first rounds of clusters that were taken over, some at a time, instead of
// waiting for their turn in the schedule.
func (d *Daemon) startRounds(ctx context.Context, watchers []*monitor.Watcher) {
	const parallel = 16
	next := make(chan *monitor.Watcher, len(watchers))
	for _, one := range watchers {
		next <- one
	}
	close(next)
	for range min(parallel, len(watchers)) {
		d.fleet.ended.Go(func() {
			for one := range next {
				_ = panics.Catch(panics.Job, func() { _ = one.TakeRound(ctx) }) // its observations are reported as those of the schedule
			}
		})
	}
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

// announce tells the other instances what has changed.
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

// counterPrefix begins the names of the counters of an instance. Each has its own, because each
// counts what it has observed.
func (m *fleetMember) counterPrefix() string { return "instance " + m.name + " " }

// namedCounters returns counters under the names in the history.
func (m *fleetMember) namedCounters(counters map[string]float64) map[string]float64 {
	if m == nil {
		return counters
	}
	named := make(map[string]float64, len(counters))
	for name, value := range counters {
		named[m.counterPrefix()+name] = value
	}
	return named
}

// ownCounters returns the counters of this instance in the history.
func (m *fleetMember) ownCounters(saved map[string]float64) map[string]float64 {
	if m == nil {
		return saved
	}
	own := make(map[string]float64)
	for name, value := range saved {
		if counter, is := strings.CutPrefix(name, m.counterPrefix()); is {
			own[counter] = value
		}
	}
	return own
}

// observeFleet updates the metrics of the fleet, and logs when configurations differ.
func (d *Daemon) observeFleet(context.Context) {
	status := d.fleet.Status()
	if _, alone := d.fleet.Alone(); alone || status.Away == 0 {
		d.onDatabase(alone)
	}
	live := 0
	for _, m := range status.Members {
		if status.Live(m.Name) {
			live++
		}
	}
	own := slices.DeleteFunc(slices.Sorted(maps.Keys(d.active.Load().leaseEpochs)), func(cluster string) bool { return cluster == "" })
	skewed := strings.Join(status.Skewed(), ", ")
	d.metrics.Fleet(live, own, status.Takeovers, skewed != "")
	d.observeClock()
	switch {
	case skewed == d.fleet.skewed:
	case skewed != "":
		d.logger.Warn("instances of the fleet have another configuration of clusters or alerting", "instances", skewed)
	default:
		d.logger.Info("all instances of the fleet have the same configuration of clusters and alerting")
	}
	d.fleet.skewed = skewed
}

// observeClock tells when the clock of this machine is off, which all its logs suffer from.
func (d *Daemon) observeClock() {
	ahead := d.clock.ahead()
	d.metrics.ClockAhead(ahead)
	off := ahead.Abs() >= clockTolerance
	switch {
	case off == d.fleet.clockOff:
	case off:
		d.logger.Warn("the clock of this machine differs from that of the database, which times are corrected by: set it", "ahead", ahead.Round(100*time.Millisecond))
	default:
		d.logger.Info("the clock of this machine agrees with that of the database")
	}
	d.fleet.clockOff = off
}

// clocksOff returns by how much the clocks of instances that are alive are ahead of that of the database,
// if that is long.
func (m *fleetMember) clocksOff() map[string]time.Duration {
	if m == nil {
		return nil
	}
	off, status := make(map[string]time.Duration), m.Status()
	for _, one := range status.Members {
		if status.Live(one.Name) && one.Ahead.Abs() >= clockTolerance {
			off[one.Name] = one.Ahead
		}
	}
	return off
}
