package daemon

import (
	"context"
	"strings"
	"time"
)

// What is done now and then.
const (
	countEvery = 5 * time.Second // notices that wait
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

// skipped is told the key of a job that did not run.
func (d *Daemon) skipped(key string) {
	part, cluster, _ := strings.Cut(key, "/")
	d.metrics.Skipped(cluster, part)
}
