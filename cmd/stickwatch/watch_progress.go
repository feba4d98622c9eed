package main

import (
	"context"
	"fmt"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/internal/gate/watch"
	"stickwatch/internal/render"
)

// progressInterval is how often a watch is looked at for news.
const progressInterval = 500 * time.Millisecond

// reportProgress says what happens while the watch goes on: on a terminal in a line that
// is written anew, else, and beside a command that writes there itself, in a
// line for each thing worth it.
func (d *deployment) reportProgress(ctx context.Context, beside bool) {
	line := d.line
	if beside && line.live {
		line.clear()
		line = &statusLine{out: line.out}
	}
	news := make([]render.Progress, len(d.watches))
	for i, v := range d.watches {
		line.log(render.WatchSummary(d.report(v, i)))
	}
	for pause(ctx, progressInterval) {
		for i, v := range d.watches {
			r := d.report(v, i)
			if line.live {
				line.log(fmt.Sprintf("watching for %s: %s", time.Since(d.began).Round(time.Second), render.WatchCounts(r)))
				continue
			}
			for _, text := range news[i].Update(r) {
				line.log(text)
			}
		}
	}
}

// report is the watch of a cluster by now.
func (d *deployment) report(v *watch.Watch, i int) gate.Report {
	return gate.Judge(v.Record(), d.options.limits(d.clusters[i]), time.Now())
}
