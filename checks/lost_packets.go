package checks

import (
	"cmp"
	"slices"
	"time"

	"stickwatch/probes"
)

// This file finds that packets are lost. When the first packet of a connection is lost,
// TCP sends it again after a second, then after two more (RFC 6298), so that connecting
// takes a second or more although the answer is quick. A balancer whose connections
// suffer likewise tries other nodes and leaves nodes out that are ready: clients move, and
// their sessions are lost.

// lostPacketsTarget is the target of the finding.
const lostPacketsTarget = "lost packets"

const (
	// retransmitted is the shortest duration of a connect whose first packet was lost.
	retransmitted = time.Second
	// lossRemembered is how long such a connect counts.
	lossRemembered = time.Minute
	// severalLosses is the number of such connects in lossRemembered from which chance is
	// excluded, and frequentLosses the number that deserves a warning: some 3 percent of
	// the connections that stickwatch opens in that time.
	severalLosses, frequentLosses = 2, 3
	// oneMoment is the longest time between the ends of connects that one stall has delayed;
	// maxOfOneMoment of them are too few for a warning.
	oneMoment      = 200 * time.Millisecond
	maxOfOneMoment = 2
)

// A slowConnect is an attempt to connect that took as long as if its first packet was lost, or
// failed after that time.
type slowConnect struct {
	At             time.Time
	Target         string // id of the node that was asked directly, or name of the balancer's address
	Took           time.Duration
	OthersAnswered bool // other requests were answered meanwhile
}

func (c slowConnect) end() time.Time { return c.At.Add(c.Took) }

// losesPackets reports whether more connects were slow recently than chance explains.
func (oc *outcomes) losesPackets() bool { return countSlowConnects(oc.slowConnects) >= severalLosses }

// countSlowConnects counts slow connects. Of those that end together, at most maxOfOneMoment count, because
// the machine of stickwatch may have stalled; one during which another request was answered always
// counts.
func countSlowConnects(list []slowConnect) (n int) {
	var first time.Time // end of the first one of a group
	together := 0
	for _, c := range slices.SortedFunc(slices.Values(list), func(a, b slowConnect) int { return a.end().Compare(b.end()) }) {
		if first.IsZero() || c.end().Sub(first) > oneMoment {
			first, together = c.end(), 0
		}
		if together++; c.OthersAnswered || together <= maxOfOneMoment {
			n++
		}
	}
	return n
}

// recentSlowConnects returns the slow connects of this round and of recent ones, the
// oldest first.
func (oc *outcomes) recentSlowConnects() []slowConnect {
	list := slices.DeleteFunc(slices.Clone(oc.round.past().SlowConnects), func(c slowConnect) bool { return oc.round.Started.Sub(c.At) > lossRemembered })
	var ends []time.Time // of exchanges with a quick connect, answered or not
	add := func(target string, ex probes.Exchange) {
		c := slowConnect{At: ex.At, Target: target, Took: ex.Timing.Connect}
		if c.Took < retransmitted {
			ends = append(ends, ex.At.Add(ex.Timing.Total))
			return
		}
		known := slices.ContainsFunc(list, func(d slowConnect) bool { return c.At.Equal(d.At) && c.Target == d.Target })
		if !known && oc.round.Started.Sub(c.At) <= lossRemembered {
			list = append(list, c)
		}
	}
	for _, o := range oc.round.Nodes {
		for _, ex := range directExchanges(o) {
			add(o.Node, ex)
		}
	}
	for _, front := range oc.frontends {
		for _, ex := range front.plain() {
			add(front.name, ex)
		}
		for _, tr := range front.traces {
			for _, s := range tr.Steps {
				add(front.name, s.Exchange)
			}
		}
	}
	for i, c := range list {
		list[i].OthersAnswered = c.OthersAnswered || slices.ContainsFunc(ends, func(at time.Time) bool {
			return at.Sub(c.At) > oneMoment && c.end().Sub(at) > oneMoment
		})
	}
	slices.SortStableFunc(list, func(a, b slowConnect) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Target, b.Target)) })
	return list
}

// lostPackets finds that several connections needed more than one packet.
func lostPackets(oc *outcomes) []Finding {
	if !oc.losesPackets() {
		return nil
	}
	list := oc.slowConnects
	f := Finding{Code: Slow, Severity: Info, Target: lostPacketsTarget}
	if countSlowConnects(list) >= frequentLosses {
		f.Severity = Warning
	}
	f.facts.firstPacketLost = list[0].At
	f.Nodes = oc.round.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(list, func(c slowConnect) bool { return c.Target == id })
	})
	f.Summary = msg(MsgPacketsLost, Args{Count: len(list), Duration: lossRemembered})
	f.Evidence = fewOf(list, func(c slowConnect) Message {
		return msg(MsgConnectTook, Args{Name: c.Target, At: c.At, Duration: round(c.Took)})
	})
	f.Remedy = msg(MsgFindLostPackets, Args{})
	return []Finding{f}
}
