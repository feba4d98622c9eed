package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// A periodicTask is a task that runs at an interval.
type periodicTask struct {
	every time.Duration
	do    func(context.Context)
}

func (d *Daemon) periodicTasks() []periodicTask {
	tasks := []periodicTask{
		{5 * time.Second, d.countNotifications},
		{5 * time.Second, d.countDeployments},
		{time.Second, d.sumUpDeployments},
		{time.Minute, d.saveCounters},
		{10 * time.Second, d.saveNodeLists},
		{time.Minute, d.retractRecovery},
		{time.Minute, func(context.Context) { d.forgetLeftNodes(time.Now()) }},
		{time.Minute, func(ctx context.Context) { d.deliverer.Resend(ctx, d.incidentService.open()) }},
		{time.Second, (&heartbeat{daemon: d, send: sendHeartbeat}).sendWhenDue},
	}
	if d.fleet != nil {
		tasks = append(tasks, periodicTask{time.Second, d.observeFleet}, periodicTask{time.Minute, d.endOrphans})
	}
	if every := d.config.Service.Watchdog; every > 0 {
		tasks = append(tasks, periodicTask{every, func(context.Context) { d.feedWatchdog() }})
	}
	return tasks
}

// runPeriodically runs each task in a goroutine of its own until ctx ends, because
// some tasks may hang.
func runPeriodically(ctx context.Context, periodicTasks []periodicTask) {
	var workers panics.Group
	for _, c := range periodicTasks {
		workers.Go(func() { c.repeat(ctx) })
	}
	workers.Wait()
}

func (p periodicTask) repeat(ctx context.Context) {
	for range sleep.Every(ctx, p.every) {
		_ = panics.Catch(panics.Daemon, func() { p.do(ctx) })
	}
}

func (d *Daemon) saveCounters(ctx context.Context) {
	if err := d.history.SaveCounters(ctx, d.fleet.namedCounters(d.metrics.Counters())); err != nil && ctx.Err() == nil {
		d.logger.Error("saving counters", "err", err)
	}
}

func (d *Daemon) countNotifications(ctx context.Context) {
	pending, err := d.history.Pending(ctx)
	inMemory := d.writeQueue.Undelivered()
	d.outboxProgress.observe(pending, inMemory > 0 || err != nil)
	if err != nil {
		if ctx.Err() == nil {
			d.logger.Error("counting pending notifications", "err", err)
		}
		return
	}
	total := inMemory
	for _, n := range pending {
		total += n
	}
	d.metrics.Queued(total)
}

// countDeployments updates the metric of ongoing deployments.
func (d *Daemon) countDeployments(ctx context.Context) {
	now := d.clock.sharedNow()
	all, err := d.history.Deployments(ctx, "", checks.Span{From: now.Add(-alerting.LongestDeployment), To: now})
	if err != nil {
		if ctx.Err() == nil {
			d.logger.Error("reading deployments", "err", err)
		}
		return
	}
	d.metrics.Deployments(slices.DeleteFunc(all, func(one checks.Deployment) bool { return now.Sub(one.From) >= alerting.LongestDeployment }))
}

// onSkipped counts a scheduled job that did not run.
func (d *Daemon) onSkipped(key string) {
	part, cluster, _ := strings.Cut(key, "/")
	d.metrics.Skipped(cluster, part)
}
