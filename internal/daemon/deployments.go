package daemon

import (
	"context"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/history"
)

// countsOf returns the effects on the clients of a cluster in a span. Each site has clients of its own.
func (d *Daemon) countsOf(ctx context.Context, cluster string, span checks.Span) (all alerting.Counts, err error) {
	for _, view := range d.views(cluster) {
		c, err := d.history.CountsOf(ctx, view, span)
		if err != nil {
			return all, err
		}
		all.Moved, all.Lost, all.Longest = all.Moved+c.Moved, all.Lost+c.Lost, max(all.Longest, c.Longest)
	}
	return all, nil
}

// sumUpDeployments sends the summaries of deployments whose grace period has ended.
// If the history cannot be read, the summary is retried later.
func (d *Daemon) sumUpDeployments(ctx context.Context) {
	for _, one := range d.incidentService.due() {
		counts, err := d.countsOf(ctx, one.Cluster, checks.Span{From: one.From, To: d.clock.sharedNow()})
		if err != nil {
			if ctx.Err() == nil {
				d.logger.Error("creating the summary of a deployment", "cluster", one.Cluster, "deployment", one.Name, "err", err)
			}
			continue
		}
		d.incidentService.apply(func(at time.Time) history.WriteSet {
			return history.WriteSet{Decision: d.incidentService.incidentManager.SumUp(at, one.ID, counts)}
		})
	}
}
