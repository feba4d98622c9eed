package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/fleet"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

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
			watcher := d.newWatcher(next.config, c, past.ActiveFindings[c.Name])
			next.watchers, begun = append(next.watchers, watcher), append(begun, watcher)
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
	for _, watcher := range old.watchers {
		if next.watcherOf(watcher.Cluster().Name) != watcher {
			d.closeWatcher(watcher)
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
	for _, watcher := range a.watchers {
		if next.watches(watcher.Cluster().Name) {
			next.watchers = append(next.watchers, watcher)
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
	for _, watcher := range active.watchers {
		if slices.Contains(clusters, watcher.Cluster().Name) {
			ending = append(ending, watcher)
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
	for _, watcher := range watchers {
		next <- watcher
	}
	close(next)
	for range min(parallel, len(watchers)) {
		d.fleet.ended.Go(func() {
			for watcher := range next {
				_ = panics.Catch(panics.Job, func() { _ = watcher.TakeRound(ctx) }) // its observations are reported as those of the schedule
			}
		})
	}
}
