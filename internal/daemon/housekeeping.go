package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/history"
)

// What is done now and then.
const (
	countEvery = 5 * time.Second // notices that wait, deployments that go on
	saveEvery  = time.Minute     // counters
	keepEvery  = time.Minute     // telling keepers again
)

// keepHouse does what is done now and then, until ctx ends.
func (d *Daemon) keepHouse(ctx context.Context) {
	count, save, keep := time.NewTicker(countEvery), time.NewTicker(saveEvery), time.NewTicker(keepEvery)
	defer count.Stop()
	defer save.Stop()
	defer keep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-count.C:
			d.countNotices(ctx)
			d.countDeployments(ctx)
		case <-save.C:
			if err := d.history.SaveCounters(ctx, d.metrics.Counters()); err != nil && ctx.Err() == nil {
				d.logger.Error("keeping counters for the next start", "err", err)
			}
		case <-keep.C:
			d.courier.keep(ctx, d.registry.open())
		}
	}
}

func (d *Daemon) countNotices(ctx context.Context) {
	pending, err := d.history.Pending(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.logger.Error("counting notices that wait", "err", err)
		}
		return
	}
	total := 0
	for _, n := range pending {
		total += n
	}
	d.metrics.Queued(total)
}

// countDeployments tells which deployments go on.
func (d *Daemon) countDeployments(ctx context.Context) {
	now := time.Now()
	all, err := d.history.Deployments(ctx, "", checks.Span{From: now.Add(-history.LongestDeployment), To: now})
	if err != nil {
		if ctx.Err() == nil {
			d.logger.Error("looking for deployments", "err", err)
		}
		return
	}
	d.metrics.Deployments(slices.DeleteFunc(all, func(one checks.Deployment) bool { return now.Sub(one.From) >= history.LongestDeployment }))
}

// skipped is told the key of a job that did not run.
func (d *Daemon) skipped(key string) {
	part, cluster, _ := strings.Cut(key, "/")
	d.metrics.Skipped(cluster, part)
}
