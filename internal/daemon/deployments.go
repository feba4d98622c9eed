package daemon

import (
	"context"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// announce puts announced deployments in force, in place of those before.
func (r *incidentStore) setDeployments(announced []alerting.Deployment) {
	r.apply(func(at time.Time) history.Step {
		r.incidentManager.NotifyNow(announced)
		return history.Step{Step: r.incidentManager.Tick(at)}
	})
}

// observeNodes notes what a judged round shows of nodes that are being worked on.
func (r *incidentStore) observeNodes(j monitor.RoundResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incidentManager.Watched(time.Now(), j.Cluster.Name, func(since time.Time) []string {
		return alerting.TouchedIn(j.Cluster, j.Report, since)
	})
}

// observeRequest notes what a client of ours met.
func (r *incidentStore) observeRequest(request checks.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incidentManager.Met(request)
}

// due are the deployments that wait to be summed up.
func (r *incidentStore) due() []alerting.Deployment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.incidentManager.Due(time.Now())
}

// sumUpDeployments notifies of what deployments did whose grace has passed. Those
// of which the history cannot be read wait for it: nothing else does.
func (d *Daemon) sumUpDeployments(ctx context.Context) {
	for _, one := range d.incidentStore.due() {
		counts, err := d.history.CountsOf(ctx, one.Cluster, checks.Span{From: one.From, To: time.Now()})
		if err != nil {
			if ctx.Err() == nil {
				d.logger.Error("summing a deployment up", "cluster", one.Cluster, "deployment", one.Name, "err", err)
			}
			continue
		}
		d.incidentStore.apply(func(at time.Time) history.Step {
			return history.Step{Step: d.incidentStore.incidentManager.SumUp(at, one.ID, counts)}
		})
	}
}

// graceOf is how long after its end a deployment of a cluster explains findings:
// until the balancer has readmitted the nodes that it ejected, and canaries have
// seen that.
func graceOf(cfg *config.Config, c *probes.Cluster) time.Duration {
	return max(cfg.Alerting.DeploymentGrace, c.Balancer.FailTimeout, 2*cfg.ClusterIntervals[c.Name].Canary)
}
