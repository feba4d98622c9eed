package daemon

import (
	"context"
	"fmt"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

func (d *Daemon) newWatcher(cfg *config.Config, c *probes.Cluster, standing []checks.Standing) *monitor.Watcher {
	every := cfg.ClusterIntervals[c.Name]
	return monitor.NewWatcher(c, d.config.Prober, d.reporter, monitor.Pace{
		Canary: every.Canary, Status: every.Status, Damping: cfg.Damping,
	}, standing...)
}

// jobs are what is to be done again and again, a job for each cluster and what
// is asked of it.
func (d *Daemon) jobs(w *watch) []monitor.Job {
	var jobs []monitor.Job
	for _, one := range w.watchers {
		c := one.Cluster()
		every := w.config.ClusterIntervals[c.Name]
		refresh := func(part monitor.Part) func(context.Context) {
			return func(ctx context.Context) { one.Refresh(ctx, part) }
		}
		jobs = append(jobs, monitor.Job{Key: jobKey(c, monitor.Status), Every: every.Status, Run: refresh(monitor.Status)})
		if c.Session != nil {
			jobs = append(jobs, monitor.Job{Key: jobKey(c, monitor.Canaries), Every: every.Canary, Run: one.Visit})
		}
		if len(c.Pages) > 0 && (c.Status != nil || c.Session != nil) { // else the pages are what tells a node's status
			jobs = append(jobs, monitor.Job{Key: jobKey(c, monitor.Pages), Every: every.Pages, Run: refresh(monitor.Pages)})
		}
		if len(c.Dependencies) > 0 {
			jobs = append(jobs, monitor.Job{Key: jobKey(c, monitor.Dependencies), Every: every.Dependencies, Run: refresh(monitor.Dependencies)})
		}
	}
	return jobs
}

// jobKey names a job. Parts have no slash, so that clusters may.
func jobKey(c *probes.Cluster, part monitor.Part) string { return string(part) + "/" + c.Name }

// ready tells why there is no whole picture yet.
func (d *Daemon) ready() error {
	for _, one := range d.watch.Load().watchers {
		if one.Picture().Report.Started.IsZero() {
			return fmt.Errorf("the first round of %q is not done", one.Cluster().Name)
		}
	}
	return nil
}

// Pictures tells what is known of each cluster.
func (d *Daemon) Pictures() []web.Picture {
	var list []web.Picture
	for _, one := range d.watch.Load().watchers {
		list = append(list, web.Picture(one.Picture()))
	}
	return list
}

// Probe takes a whole round of a cluster now.
func (d *Daemon) Probe(ctx context.Context, cluster string) error {
	one := d.watch.Load().of(cluster)
	if one == nil {
		return fmt.Errorf("cluster %q: %w", cluster, web.ErrNotFound)
	}
	one.Probe(ctx)
	return ctx.Err()
}

func names(cfg *config.Config) []string {
	var list []string
	for _, c := range cfg.Clusters {
		list = append(list, c.Name)
	}
	return list
}
