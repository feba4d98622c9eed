package checks

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/probes"
)

// This file finds ejections that began and ended between two rounds. No client
// of ours met them; nginx's error log tells of them, and is read from where the
// round before left it.

// newsOfEjection is for how long such an ejection is told.
const newsOfEjection = newsOfRestart

// An ejectionLog is what nginx's error log says of one node's ejections.
type ejectionLog struct {
	source   string
	detail   string
	episodes []probes.Episode // oldest first
	out      bool             // the newest of them goes on
}

// ejectionsOf reads the error log for n, of which it says nothing while n is
// well. It is not ok where none could be read, or its times are not to be
// believed.
func (v *view) ejectionsOf(n probes.Node) (l ejectionLog, ok bool) {
	for _, o := range v.Evidence {
		if o.Kind != probes.EvidenceNginxErrorLog || o.Error != "" {
			continue
		}
		l.source, ok = o.Source, true
		for _, s := range o.Servers {
			if v.isServer(n, s) && len(s.Episodes) > 0 {
				return ejectionLog{o.Source, s.Detail, s.Episodes, s.State == probes.ServerDown}, s.State != probes.ServerUnknown
			}
		}
	}
	return l, ok
}

// hear takes in what nginx's error log says of n. What is in it when it is first
// read is the past's; and what a round has found by itself, be it the ejection
// or that the node fails, is told already.
func (v *view) hear(n probes.Node, m Memory) Memory {
	m.Ejections = slices.DeleteFunc(slices.Clone(m.Ejections), func(s Span) bool { return v.Started.Sub(s.To) > newsOfEjection })
	l, ok := v.ejectionsOf(n)
	if !ok {
		return m
	}
	over := l.episodes
	if l.out {
		over = over[:len(over)-1]
	}
	told := !v.well(n.ID) || n.Down || v.places[n.ID].Sure
	if m.Listened && !told {
		for _, e := range over {
			if e.First.After(m.Heard) {
				m.Ejections = append(m.Ejections, Span{e.First, e.Last.Add(v.Cluster.Balancer.FailTimeout)})
			}
		}
	}
	known := over
	if told {
		known = l.episodes
	}
	if len(known) > 0 {
		m.Heard = known[len(known)-1].First
	}
	m.Listened = true
	return m
}

// wasEjected finds that n was ejected, and is back.
func (v *view) wasEjected(n probes.Node) (Finding, bool) {
	past := v.memories[n.ID].Ejections
	if len(past) == 0 || !v.well(n.ID) || v.places[n.ID].Sure {
		return Finding{}, false
	}
	last := past[len(past)-1]
	f := about(NodeEjected, Warning, n.ID)
	f.over = true
	f.Summary = fmt.Sprintf("the balancer ejected %s from %s until about %s; it is over", n.ID, second(last.From), second(last.To))
	l, _ := v.ejectionsOf(n)
	for _, s := range slices.Backward(past) {
		f.Evidence = append(f.Evidence, byBalancer.says(fmt.Sprintf("%s: %s was out from %s until about %s, %s after its last failed try: %s",
			orElse(l.source, "nginx error log"), n.ServerName(), second(s.From), second(s.To), v.Cluster.Balancer.FailTimeout, l.detail)))
	}
	f.Evidence = append(firstFew(f.Evidence), "asked directly: "+describe(v.direct[n.ID].Primary))
	f.Remedy = fmt.Sprintf("The balancer needs nothing: it has taken %s back by itself. Look what kept it from answering at that moment; with max_fails=%d it takes %s within %s to eject a node.",
		n.ID, v.Cluster.Balancer.MaxFails, plural(v.Cluster.Balancer.MaxFails, "failure", "failures"), v.Cluster.Balancer.FailTimeout)
	return f, true
}

// second is a time of day to the second, which is all that nginx logs.
func second(t time.Time) string { return t.UTC().Format(time.TimeOnly) }
