package main

import (
	"context"
	"fmt"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/internal/gate/watch"
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
	news := make([]progressState, len(d.watches))
	for i, v := range d.watches {
		line.log(watchedSummary(d.report(v, i)))
	}
	for pause(ctx, progressInterval) {
		for i, v := range d.watches {
			r := d.report(v, i)
			if line.live {
				line.log(fmt.Sprintf("watching for %s: %s", time.Since(d.began).Round(time.Second), watchCounts(r)))
				continue
			}
			for _, text := range news[i].update(r) {
				line.log(text)
			}
		}
	}
}

// report is the watch of a cluster by now.
func (d *deployment) report(v *watch.Watch, i int) gate.Report {
	return gate.Judge(v.Record(), d.options.limits(d.clusters[i]), time.Now())
}

// watchedSummary says what is being watched.
func watchedSummary(r gate.Report) string {
	on := make(map[string]bool)
	var nodes []string
	sessions := 0
	for _, s := range r.Clients {
		if s.Kind != gate.KindSession {
			continue
		}
		sessions++
		if s.Node != "" && !on[s.Node] {
			on[s.Node] = true
			nodes = append(nodes, s.Node)
		}
	}
	text := "watching " + name(r.Cluster) + ": "
	switch {
	case sessions == 0:
		return text + "newcomers, and no sessions"
	case len(nodes) == 0:
		return text + count(sessions, "session", "sessions") + " and newcomers"
	default:
		return text + count(sessions, "session", "sessions") + " on " + names(nodes) + ", and newcomers"
	}
}

// watchCounts is a watch in numbers.
func watchCounts(r gate.Report) string {
	return fmt.Sprintf("%s, %d failed, %s moved, %d lost",
		count(r.Requests, "request", "requests"), r.Failed, count(r.Moved, "session", "sessions"), r.Lost)
}

// A progressState remembers what has been told of a cluster.
type progressState struct {
	moves   int
	waiting bool // an outage was told to have begun
}

func (n *progressState) update(r gate.Report) []string {
	var list []string
	for ; n.moves < len(r.Moves); n.moves++ {
		list = append(list, r.Moves[n.moves].Describe())
	}
	o := r.Session
	if r.NewClient.Ongoing && !o.Ongoing {
		o = r.NewClient
	}
	switch {
	case o.Ongoing && !n.waiting:
		list = append(list, o.String())
	case !o.Ongoing && n.waiting:
		list = append(list, name(r.Cluster)+" answers again: "+watchCounts(r))
	}
	n.waiting = o.Ongoing
	return list
}
