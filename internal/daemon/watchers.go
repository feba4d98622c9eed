package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

func (d *Daemon) newWatcher(cfg *config.Config, c *probes.Cluster, activeFindings []checks.ActiveFinding) *monitor.Watcher {
	every := cfg.ClusterIntervals[c.Name]
	return monitor.NewWatcher(c, d.config.Prober, d.reporter, monitor.Intervals{
		Canary: every.Canary, Status: every.Status, NewClients: d.config.NewClients, Damping: cfg.Damping,
	}, d.clock.localFindings(activeFindings)...)
}

// jobs returns the scheduled jobs of each cluster. A job uses the watcher of the
// cluster at the time it runs.
func (d *Daemon) jobs(cfg *config.Config) []monitor.Job {
	var jobs []monitor.Job
	active := d.active.Load()
	for _, cluster := range cfg.Watched() {
		if !active.watches(cluster.Name) {
			continue
		}
		every := cfg.ClusterIntervals[cluster.Name]
		add := func(part monitor.JobKind, every time.Duration, run func(*monitor.Watcher, context.Context)) {
			jobs = append(jobs, monitor.Job{Key: jobKey(cluster, part), Group: cluster.Name, Every: every, Run: func(ctx context.Context) {
				if watcher := d.active.Load().watcherOf(cluster.Name); watcher != nil {
					run(watcher, ctx)
				}
			}})
		}
		refresh := func(part monitor.JobKind, every time.Duration) {
			add(part, every, func(watcher *monitor.Watcher, ctx context.Context) { watcher.Refresh(ctx, part) })
		}
		refresh(monitor.Status, every.Status)
		if cluster.Session != nil {
			add(monitor.Canaries, every.Canary, (*monitor.Watcher).FollowUp)
		}
		if len(cluster.Pages) > 0 && (cluster.Status != nil || cluster.Session != nil) { // otherwise the status job requests the pages
			refresh(monitor.Pages, every.Pages)
		}
		if len(cluster.Dependencies) > 0 {
			refresh(monitor.Dependencies, every.Dependencies)
		}
	}
	return jobs
}

// jobKey returns the key of a job. A part contains no slash; a cluster name may.
func jobKey(c *probes.Cluster, part monitor.JobKind) string { return string(part) + "/" + c.Name }

// ready returns an error until the first round of every cluster is complete.
func (d *Daemon) ready() error {
	if d.wasReady.Load() {
		return nil // a cluster that a reload adds does not make the daemon unready
	}
	if d.fleet != nil {
		select {
		case <-d.fleet.joined:
		default:
			return errors.New("the clusters of this instance of the fleet are not known yet")
		}
	}
	for _, watcher := range d.active.Load().watchers {
		if watcher.Snapshot().Report.Started.IsZero() {
			return fmt.Errorf("the first round of %q is not complete", watcher.Cluster().Name)
		}
	}
	d.wasReady.Store(true)
	return nil
}

// Snapshots returns the last snapshot of each cluster, followed by those of the views that sites have
// of it.
func (d *Daemon) Snapshots() []web.Snapshot {
	var list []web.Snapshot
	active := d.active.Load()
	for _, c := range active.config.WithViews() {
		s, own := d.ownSnapshot(active, c.Name)
		if !own && d.fleet != nil {
			s, own = d.otherSnapshot(active, c), true
		}
		if own {
			list = append(list, s)
		}
	}
	return list
}

// Probe runs a whole round of a cluster now.
func (d *Daemon) Probe(ctx context.Context, cluster string) error {
	_, err := d.probe(ctx, cluster)
	return err
}

// probe runs a whole round and returns the watcher that ran it. A reload may have
// replaced that watcher in the meantime.
func (d *Daemon) probe(ctx context.Context, cluster string) (*monitor.Watcher, error) {
	active := d.active.Load()
	if c := active.config.Cluster(cluster); c != nil && len(c.Sites) > 0 {
		cluster = viewFrom(active.config, c)
	}
	watcher := active.watcherOf(cluster)
	if watcher == nil && d.fleet != nil && active.config.Cluster(cluster) != nil {
		return nil, fmt.Errorf("cluster %q: %w", cluster, d.fleet.elsewhere(cluster))
	}
	if watcher == nil {
		return nil, fmt.Errorf("cluster %q: %w", cluster, web.ErrNotFound)
	}
	err := watcher.TakeRound(ctx)
	if errors.Is(err, monitor.ErrRetired) && d.fleet != nil && d.active.Load().config.Cluster(cluster) != nil {
		return nil, fmt.Errorf("cluster %q: %w: %w", cluster, d.fleet.elsewhere(cluster), err)
	}
	if errors.Is(err, monitor.ErrRetired) {
		return nil, fmt.Errorf("cluster %q: %w: %w", cluster, web.ErrNotFound, err)
	}
	return watcher, err
}

func names(cfg *config.Config) []string {
	var list []string
	for _, c := range cfg.WithViews() {
		list = append(list, c.Name)
	}
	return list
}
