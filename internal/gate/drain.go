package gate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// drainGuarantees are the promises of a node that is emptied before it is stopped: its
// sessions lose nothing, new clients are sent elsewhere, and nobody is left.
func (j *judge) drainGuarantees(moves []Move) []Guarantee {
	node := j.limits.Drain
	return []Guarantee{j.drainKeepsSessions(node, moves), j.drainStopsNewClients(node), j.drainCompleted(node)}
}

// drainKeepsSessions: sessions stay, or move and are kept.
func (j *judge) drainKeepsSessions(node string, moves []Move) Guarantee {
	p := newGuarantee(fmt.Sprintf("the sessions of %s stay, or move without loss", node), "")
	for _, m := range moves {
		if m.From == node && m.Lost() {
			p = p.broken(checks.Critical, m.String())
		}
	}
	held := false
	for _, client := range j.Sessions {
		for _, s := range client.Timeline {
			held = held || (s.First.Good && j.nodeOf(s.First.Label) == node)
		}
	}
	if !held {
		p = p.unknown("no session of ours was on " + node)
	}
	return p
}

// drainStopsNewClients: from some time on no new client meets the node. When that began
// only the balancer can say; without its word, new clients must miss the node for
// longer than chance lets them.
func (j *judge) drainStopsNewClients(node string) Guarantee {
	p := newGuarantee("new clients avoid "+node, "")
	for _, s := range j.BalancerStates[node] {
		if !s.draining() {
			continue
		}
		for _, client := range j.NewClients {
			for _, t := range client.Timeline {
				inside := t.First.Good && t.First.At.After(s.From) && t.Last.Done().Before(s.To)
				if inside && j.nodeOf(t.First.Label) == node {
					p = p.broken(checks.Critical, fmt.Sprintf("%s: a new client was sent to %s, while %s", clock(t.First.At), node, s.Text))
				}
			}
		}
	}
	away, concerned := j.newClientGap(node)
	switch enough := j.requiredMisses(node); {
	case p.Kept == checks.No:
	case concerned && away.missed >= enough:
		p.Reasons = append(p.Reasons, away.String())
	case !away.met:
		p = p.unknown("no new client was ever sent there from this address")
	default:
		p = p.broken(checks.Critical, fmt.Sprintf(
			"at most %d new clients in a row were sent elsewhere; chance is excluded by %d", away.missed, enough))
	}
	return p
}

// draining reports whether the balancer says that an operator took the node out.
// That the balancer found it failing is no drain.
func (s BalancerState) draining() bool {
	return s.State == probes.ServerDraining || s.State == probes.ServerMaintenance
}

// An absence is the longest time in which new clients were answered, and none of
// them by a node.
type newClientGap struct {
	met    bool      // at some other time the node answered one
	missed int       // how many new clients; never: one of them must have landed there
	count  int       // how many of them were answered elsewhere
	last   time.Time // when the last answer before was whole; zero: there was none
	until  time.Time // when the node was seen to answer one again; zero: it was not
}

// String is the absence in one line.
func (a newClientGap) String() string {
	if a.last.IsZero() {
		return fmt.Sprintf("%d new clients in a row were sent elsewhere", a.count)
	}
	return fmt.Sprintf("the last one was sent there at %s, and then %d in a row elsewhere", clock(a.last), a.count)
}

// absence is the absence of a node from the new clients through every address
// of the balancer that shows it: as long as that of the address that proves the
// least. It is not ok where no address can show it.
func (j *judge) newClientGap(node string) (all newClientGap, ok bool) {
	for _, client := range j.NewClients {
		a := j.newClientGapIn(client, node)
		if !a.met && !j.canObserve(client, node) {
			continue
		}
		if !ok || a.missed < all.missed {
			all.missed, all.count = a.missed, a.count
		}
		if a.last.After(all.last) {
			all.last = a.last
		}
		if all.until.IsZero() || (!a.until.IsZero() && a.until.Before(all.until)) {
			all.until = a.until
		}
		all.met, ok = all.met || a.met, true
	}
	return all, ok
}

// canObserve reports whether new clients of a lane come to a node sooner or later
// while it is in rotation, though none of them has: they must land there, or
// chance sends them, as it does those without the balancer's cookie.
func (j *judge) canObserve(client WatchedClient, node string) bool {
	scatters := []probes.Method{probes.MethodRoundRobin, probes.MethodRandom, probes.MethodCookie}
	return client.TargetNode == node || (client.TargetNode == "" && slices.Contains(scatters, j.Cluster.Balancer.Method))
}

// newClientGapIn is the longest absence of a node from a lane of new clients, the
// newest of equal ones.
func (j *judge) newClientGapIn(client WatchedClient, node string) newClientGap {
	list := []newClientGap{{}}
	met := false
	for _, s := range client.Timeline {
		now := &list[len(list)-1]
		switch by := j.nodeOf(s.First.Label); {
		case !s.First.Good || by == "":
		case by == node:
			now.until, met = s.First.At, true
			list = append(list, newClientGap{last: s.Last.Done()})
		default:
			now.count += s.Count
		}
	}
	longest := slices.MaxFunc(list, func(a, b newClientGap) int {
		return cmp.Or(cmp.Compare(a.count, b.count), a.last.Compare(b.last))
	})
	longest.met, longest.missed = met, longest.count
	if client.TargetNode == node && longest.count > 1 {
		longest.missed = certain
	}
	return longest
}

// drainCompleted: its traffic reaches zero, and when. The balancer's own word that
// it drains the node, or that it never did, decides; where it has none, as that
// of an error log, new clients do. Sessions of ours that a drain leaves where
// they are do not count, for they would stay for ever.
func (j *judge) drainCompleted(node string) Guarantee {
	p := newGuarantee("the traffic of "+node+" reaches zero", "")
	in := false
	for _, s := range j.BalancerStates[node] {
		if s.draining() {
			p.Reasons = []string{j.drainProgress(node), s.Text}
			return p
		}
		in = in || s.State == probes.ServerUp
	}
	away, concerned := j.newClientGap(node)
	switch {
	case in:
		return p.broken(checks.Critical, "the balancer said all the time that it sends requests to "+node)
	case concerned && away.missed >= j.requiredMisses(node):
		p.Reasons = []string{j.drainProgress(node), "by our own clients: the balancer itself is not asked, or says nothing of drains"}
		return p
	case away.met:
		return p.broken(checks.Critical, "new clients were sent there all the time")
	default:
		return p.unknown("neither the balancer nor new clients tell")
	}
}

// drainProgress is when the last answer of a node came, and how many sessions of ours
// are left on it.
func (j *judge) drainProgress(node string) string {
	away, _ := j.newClientGap(node)
	span := checks.Span{From: away.last, To: away.until}
	if span.To.IsZero() {
		span.To = j.To
	}
	last, staying := away.last, 0
	for _, client := range j.Sessions {
		at, stays := j.lastAnswerIn(client, node, span)
		staying += count(stays)
		if at.After(last) && !stays {
			last = at
		}
	}
	text := "none of our clients was sent there"
	if !last.IsZero() {
		text = "the last answer to a client of ours came at " + clock(last)
	}
	if staying > 0 {
		text += fmt.Sprintf(", but for sessions that it had before: %d of ours stayed", staying)
	}
	return text
}

// lastAnswerIn is when the last answer of a node to a session of ours within a span
// was whole; zero: there was none. It stays where no other node answered since.
func (j *judge) lastAnswerIn(client WatchedClient, node string, span checks.Span) (last time.Time, stays bool) {
	for _, s := range client.Timeline {
		by := j.nodeOf(s.First.Label)
		switch {
		case !s.First.Good || by == "" || s.First.At.After(span.To):
		case by != node:
			stays = false
		case s.Last.Done().After(span.From):
			last, stays = s.Last.Done(), true
		}
	}
	return last, stays
}
