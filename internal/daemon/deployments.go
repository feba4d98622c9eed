package daemon

import (
	"context"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/history"
)

// sumUpDeployments sends the summaries of deployments whose grace period has ended.
// If the history cannot be read, the summary is retried later.
func (d *Daemon) sumUpDeployments(ctx context.Context) {
	for _, one := range d.incidentStore.due() {
		counts, err := d.history.CountsOf(ctx, d.measured(one.Cluster), checks.Span{From: one.From, To: time.Now()})
		if err != nil {
			if ctx.Err() == nil {
				d.logger.Error("creating the summary of a deployment", "cluster", one.Cluster, "deployment", one.Name, "err", err)
			}
			continue
		}
		d.incidentStore.apply(func(at time.Time) history.Step {
			return history.Step{Step: d.incidentStore.incidentManager.SumUp(at, one.ID, counts)}
		})
	}
}
