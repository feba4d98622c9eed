package main

import (
	"context"
	"fmt"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/internal/gate/vigil"
)

// tellEvery is how often a watch is looked at for news.
const tellEvery = 500 * time.Millisecond

// tell says what happens while the watch goes on: on a terminal in a line that
// is written anew, else, and beside a command that writes there itself, in a
// line for each thing worth it.
func (d *deployment) tell(ctx context.Context, beside bool) {
	line := d.line
	if beside && line.live {
		line.clear()
		line = &statusLine{out: line.out}
	}
	news := make([]newsOf, len(d.vigils))
	for i, v := range d.vigils {
		line.say(holding(d.report(v, i)))
	}
	for pause(ctx, tellEvery) {
		for i, v := range d.vigils {
			r := d.report(v, i)
			if line.live {
				line.say(fmt.Sprintf("watching for %s: %s", time.Since(d.began).Round(time.Second), tally(r)))
				continue
			}
			for _, text := range news[i].of(r) {
				line.say(text)
			}
		}
	}
}

// report is the watch of a cluster by now.
func (d *deployment) report(v *vigil.Vigil, i int) gate.Report {
	return gate.Judge(v.Record(), d.options.terms(d.clusters[i]), time.Now())
}

// holding says what is being watched.
func holding(r gate.Report) string {
	on := make(map[string]bool)
	var nodes []string
	sessions := 0
	for _, s := range r.Lanes {
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

// tally is a watch in numbers.
func tally(r gate.Report) string {
	return fmt.Sprintf("%s, %d failed, %s moved, %d lost",
		count(r.Requests, "request", "requests"), r.Failed, count(r.Moved, "session", "sessions"), r.Lost)
}

// A newsOf remembers what has been told of a cluster.
type newsOf struct {
	moves   int
	waiting bool // an outage was told to have begun
}

func (n *newsOf) of(r gate.Report) []string {
	var list []string
	for ; n.moves < len(r.Moves); n.moves++ {
		list = append(list, r.Moves[n.moves].What())
	}
	o := r.Session
	if r.Newcomer.Ongoing && !o.Ongoing {
		o = r.Newcomer
	}
	switch {
	case o.Ongoing && !n.waiting:
		list = append(list, o.String())
	case !o.Ongoing && n.waiting:
		list = append(list, name(r.Cluster)+" answers again: "+tally(r))
	}
	n.waiting = o.Ongoing
	return list
}
