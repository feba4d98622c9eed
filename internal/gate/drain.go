package gate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// draining are the promises of a node that is emptied before it is stopped: its
// sessions lose nothing, new clients are sent elsewhere, and nobody is left.
func (j *judge) draining(moves []Move) []Promise {
	node := j.terms.Drain
	return []Promise{j.drainedKindly(node, moves), j.drainedOfNew(node), j.drainedEmpty(node)}
}

// drainedKindly: sessions stay, or move and are kept.
func (j *judge) drainedKindly(node string, moves []Move) Promise {
	p := kept(fmt.Sprintf("the sessions of %s stay, or move without loss", node), "")
	for _, m := range moves {
		if m.From == node && m.Lost() {
			p = p.broken(checks.Critical, m.String())
		}
	}
	held := false
	for _, lane := range j.Sessions {
		for _, s := range lane.Track {
			held = held || (s.First.Good && j.node(s.First.Label) == node)
		}
	}
	if !held {
		p = p.unknown("no session of ours was on " + node)
	}
	return p
}

// drainedOfNew: from some time on no new client meets the node. When that began
// only the balancer can say; without its word, new clients must miss the node for
// longer than chance lets them.
func (j *judge) drainedOfNew(node string) Promise {
	p := kept("new clients avoid "+node, "")
	for _, s := range j.Said[node] {
		if !s.drains() {
			continue
		}
		for _, lane := range j.Newcomers {
			for _, t := range lane.Track {
				inside := t.First.Good && t.First.At.After(s.From) && t.Last.Done().Before(s.To)
				if inside && j.node(t.First.Label) == node {
					p = p.broken(checks.Critical, fmt.Sprintf("%s: a new client was sent to %s, while %s", clock(t.First.At), node, s.Words))
				}
			}
		}
	}
	away, concerned := j.absence(node)
	switch enough := j.enough(node); {
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

// drains reports whether the balancer says that an operator took the node out.
// That the balancer found it failing is no drain.
func (s Said) drains() bool {
	return s.State == probes.ServerDraining || s.State == probes.ServerMaintenance
}

// An absence is the longest time in which new clients were answered, and none of
// them by a node.
type absence struct {
	met    bool      // at some other time the node answered one
	missed int       // how many new clients; never: one of them must have landed there
	count  int       // how many of them were answered elsewhere
	last   time.Time // when the last answer before was whole; zero: there was none
	until  time.Time // when the node was seen to answer one again; zero: it was not
}

// String is the absence in one line.
func (a absence) String() string {
	if a.last.IsZero() {
		return fmt.Sprintf("%d new clients in a row were sent elsewhere", a.count)
	}
	return fmt.Sprintf("the last one was sent there at %s, and then %d in a row elsewhere", clock(a.last), a.count)
}

// absence is the absence of a node from the new clients through every address
// of the balancer that shows it: as long as that of the address that proves the
// least. It is not ok where no address can show it.
func (j *judge) absence(node string) (all absence, ok bool) {
	for _, lane := range j.Newcomers {
		a := j.absenceIn(lane, node)
		if !a.met && !j.shows(lane, node) {
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

// shows reports whether new clients of a lane come to a node sooner or later
// while it is in rotation, though none of them has: they must land there, or
// chance sends them, as it does those without the balancer's cookie.
func (j *judge) shows(lane Lane, node string) bool {
	scatters := []probes.Method{probes.MethodRoundRobin, probes.MethodRandom, probes.MethodCookie}
	return lane.Expected == node || (lane.Expected == "" && slices.Contains(scatters, j.Cluster.Balancer.Method))
}

// absenceIn is the longest absence of a node from a lane of new clients, the
// newest of equal ones.
func (j *judge) absenceIn(lane Lane, node string) absence {
	list := []absence{{}}
	met := false
	for _, s := range lane.Track {
		now := &list[len(list)-1]
		switch by := j.node(s.First.Label); {
		case !s.First.Good || by == "":
		case by == node:
			now.until, met = s.First.At, true
			list = append(list, absence{last: s.Last.Done()})
		default:
			now.count += s.Count
		}
	}
	longest := slices.MaxFunc(list, func(a, b absence) int {
		return cmp.Or(cmp.Compare(a.count, b.count), a.last.Compare(b.last))
	})
	longest.met, longest.missed = met, longest.count
	if lane.Expected == node && longest.count > 1 {
		longest.missed = never
	}
	return longest
}

// drainedEmpty: its traffic reaches zero, and when. The balancer's own word that
// it drains the node, or that it never did, decides; where it has none, as that
// of an error log, new clients do. Sessions of ours that a drain leaves where
// they are do not count, for they would stay for ever.
func (j *judge) drainedEmpty(node string) Promise {
	p := kept("the traffic of "+node+" reaches zero", "")
	in := false
	for _, s := range j.Said[node] {
		if s.drains() {
			p.Reasons = []string{j.emptied(node), s.Words}
			return p
		}
		in = in || s.State == probes.ServerUp
	}
	away, concerned := j.absence(node)
	switch {
	case in:
		return p.broken(checks.Critical, "the balancer said all the time that it sends requests to "+node)
	case concerned && away.missed >= j.enough(node):
		p.Reasons = []string{j.emptied(node), "by our own clients: the balancer itself is not asked, or says nothing of drains"}
		return p
	case away.met:
		return p.broken(checks.Critical, "new clients were sent there all the time")
	default:
		return p.unknown("neither the balancer nor new clients tell")
	}
}

// emptied is when the last answer of a node came, and how many sessions of ours
// are left on it.
func (j *judge) emptied(node string) string {
	away, _ := j.absence(node)
	span := checks.Span{From: away.last, To: away.until}
	if span.To.IsZero() {
		span.To = j.To
	}
	last, staying := away.last, 0
	for _, lane := range j.Sessions {
		at, stays := j.lastIn(lane, node, span)
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

// lastIn is when the last answer of a node to a session of ours within a span
// was whole; zero: there was none. It stays where no other node answered since.
func (j *judge) lastIn(lane Lane, node string, span checks.Span) (last time.Time, stays bool) {
	for _, s := range lane.Track {
		by := j.node(s.First.Label)
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
