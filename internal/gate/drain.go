package gate

import (
	"cmp"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// drainGuarantees returns the guarantees of a node that is drained before it is
// stopped: its sessions lose nothing, new clients are sent elsewhere, and no client is
// left.
func (j *judge) drainGuarantees(moves []Move) []Guarantee {
	node := j.limits.Drain
	return []Guarantee{j.drainKeepsSessions(node, moves), j.drainStopsNewClients(node), j.drainCompleted(node)}
}

// drainKeepsSessions checks that sessions stay, or move without loss.
func (j *judge) drainKeepsSessions(node string, moves []Move) Guarantee {
	guarantee := newGuarantee(phrase.New("the sessions of %s stay, or move without loss", node), "")
	for _, m := range moves {
		if m.From == node && m.Lost() {
			guarantee = guarantee.broken(checks.Critical, m.Explained())
		}
	}
	held := false
	for _, client := range j.Sessions {
		for _, run := range client.Timeline {
			held = held || (run.First.Good && j.nodeOf(run.First.Label) == node)
		}
	}
	if !held {
		guarantee = guarantee.unknown(phrase.New("no session of ours was on %s", node))
	}
	return guarantee
}

// drainStopsNewClients checks that from some time on no new client meets the node. Only
// the balancer's evidence determines when that began; without it, new clients must miss
// the node for longer than chance explains.
func (j *judge) drainStopsNewClients(node string) Guarantee {
	guarantee := newGuarantee(phrase.New("new clients avoid %s", node), "")
	var drainEvidence *phrase.Phrase // the newest evidence that the balancer drains the node
	for _, s := range j.BalancerStates[node] {
		if !s.draining() {
			continue
		}
		drainEvidence = new(phrase.Quote(s.Text))
		for _, client := range j.NewClients {
			for _, run := range client.Timeline {
				inside := run.First.Good && run.First.At.After(s.From) && run.Last.Done().Before(s.To)
				if inside && j.nodeOf(run.First.Label) == node {
					guarantee = guarantee.broken(checks.Critical, phrase.New("%s: a new client was sent to %s, while %s", run.First.At, node, s.Text))
				}
			}
		}
	}
	gap, observable := j.weakestGap(node)
	switch enough := j.requiredMisses(node); {
	case guarantee.Kept == checks.No:
	case observable && gap.missed >= enough:
		guarantee.Reasons = append(guarantee.Reasons, gap.describe())
		if proof, out := j.outAtEnd(node); out && gap.until.IsZero() {
			guarantee.Reasons = append(guarantee.Reasons, phrase.New("in the last round: %s", proof))
		}
	case drainEvidence != nil:
		guarantee.Reasons = []phrase.Phrase{*drainEvidence}
	case !gap.met:
		guarantee = guarantee.unknown(phrase.New("no new client was ever sent there from this address"))
	default:
		guarantee = guarantee.broken(checks.Critical, phrase.New(
			"at most %d new clients in a row were sent elsewhere; chance is excluded by %d", gap.missed, enough))
	}
	return guarantee
}

// draining reports whether the balancer shows that an operator took the node out. A
// node that the balancer ejected is not draining.
func (s BalancerState) draining() bool {
	return s.State == probes.ServerDraining || s.State == probes.ServerMaintenance
}

// A newClientGap is the longest period in which new clients were answered, and none of
// them by one node.
type newClientGap struct {
	met    bool      // the node answered a new client before or after the gap
	missed int       // count, or certain: one of them must have been sent to the node
	count  int       // number of new clients answered elsewhere
	last   time.Time // end of the node's last answer before the gap; zero: there was none
	until  time.Time // the node's next answer after the gap; zero: there was none
}

func (n newClientGap) describe() phrase.Phrase {
	if n.last.IsZero() {
		return phrase.New("%d new clients in a row were sent elsewhere", n.count)
	}
	return phrase.New("the last one was sent there at %s, and then %d in a row elsewhere", n.last, n.count)
}

// weakestGap combines the gaps of a node at every address of the balancer that can show
// one: missed and count are those of the address that proves the least; last is the latest
// and until the earliest of all addresses. It returns false if no address can show one.
func (j *judge) weakestGap(node string) (all newClientGap, ok bool) {
	for _, client := range j.NewClients {
		gap := j.longestGapOf(client, node)
		if !gap.met && !j.canObserve(client, node) {
			continue
		}
		if !ok || gap.missed < all.missed {
			all.missed, all.count = gap.missed, gap.count
		}
		if gap.last.After(all.last) {
			all.last = gap.last
		}
		if all.until.IsZero() || (!gap.until.IsZero() && gap.until.Before(all.until)) {
			all.until = gap.until
		}
		all.met, ok = all.met || gap.met, true
	}
	return all, ok
}

// canObserve reports whether new clients of a watched client reach a node sooner or
// later while it is in rotation, even if none has yet: because it is their target node,
// or by chance, as for clients without the balancer's cookie.
func (j *judge) canObserve(client WatchedClient, node string) bool {
	scatters := []probes.Method{probes.MethodRoundRobin, probes.MethodRandom, probes.MethodCookie}
	return client.TargetNode == node || (client.TargetNode == "" && slices.Contains(scatters, j.Cluster.Balancer.Method))
}

// longestGapOf returns the longest gap of a node in the timeline of new clients, the
// newest of equal ones.
func (j *judge) longestGapOf(client WatchedClient, node string) newClientGap {
	gaps := []newClientGap{{}}
	met := false
	for _, run := range client.Timeline {
		current := &gaps[len(gaps)-1]
		switch by := j.nodeOf(run.First.Label); {
		case !run.First.Good || by == "":
		case by == node:
			current.until, met = run.First.At, true
			gaps = append(gaps, newClientGap{last: run.Last.Done()})
		default:
			current.count += run.Count
		}
	}
	_, outAtEnd := j.outAtEnd(node)
	for i := range gaps {
		gap := &gaps[i]
		gap.missed = gap.count
		if client.TargetNode == node && gap.count > 1 || outAtEnd && gap.until.IsZero() && gap.count > 0 {
			gap.missed = certain
		}
	}
	longest := slices.MaxFunc(gaps, func(a, b newClientGap) int {
		return cmp.Or(cmp.Compare(a.missed, b.missed), cmp.Compare(a.count, b.count), a.last.Compare(b.last))
	})
	longest.met = met
	return longest
}

// drainCompleted checks that the node's traffic reaches zero, and when. The balancer's
// evidence that it drains the node, or never did, decides. Without evidence, as from an
// error log, new clients decide. Own sessions that a drain leaves in place do not
// count, because they would stay forever.
func (j *judge) drainCompleted(node string) Guarantee {
	guarantee := newGuarantee(phrase.New("the traffic of %s reaches zero", node), "")
	wasUp := false
	for _, s := range j.BalancerStates[node] {
		if s.draining() {
			guarantee.Reasons = []phrase.Phrase{j.drainProgress(node), phrase.Quote(s.Text)}
			return guarantee
		}
		wasUp = wasUp || s.State == probes.ServerUp
	}
	gap, observable := j.weakestGap(node)
	switch {
	case wasUp:
		return guarantee.broken(checks.Critical, phrase.New("the balancer never reported that it drains %s", node))
	case observable && gap.missed >= j.requiredMisses(node):
		guarantee.Reasons = []phrase.Phrase{j.drainProgress(node), phrase.New("measured with own clients: there is no evidence of the balancer about drains")}
		return guarantee
	case gap.met:
		return guarantee.broken(checks.Critical, phrase.New("new clients were sent there all the time"))
	default:
		return guarantee.unknown(phrase.New("neither the balancer nor new clients provide evidence"))
	}
}

// drainProgress describes when the node answered last, and how many own sessions are
// left on it.
func (j *judge) drainProgress(node string) phrase.Phrase {
	gap, _ := j.weakestGap(node)
	span := checks.Span{From: gap.last, To: gap.until}
	if span.To.IsZero() {
		span.To = j.To
	}
	last, staying := gap.last, 0
	for _, client := range j.Sessions {
		at, stays := j.lastAnswerIn(client, node, span)
		staying += count(stays)
		if at.After(last) && !stays {
			last = at
		}
	}
	text := phrase.New("none of our clients was sent there")
	if !last.IsZero() {
		text = phrase.New("the last answer to a client of ours came at %s", last)
	}
	if staying > 0 {
		text = phrase.New("%s, but for sessions that it had before: %d of ours stayed", text, staying)
	}
	return text
}

// lastAnswerIn returns the end of the node's last answer to an own session within a
// span; zero: there was none. stays reports whether no other node answered since.
func (j *judge) lastAnswerIn(client WatchedClient, node string, span checks.Span) (last time.Time, stays bool) {
	for _, run := range client.Timeline {
		by := j.nodeOf(run.First.Label)
		switch {
		case !run.First.Good || by == "" || run.First.At.After(span.To):
		case by != node:
			stays = false
		case run.Last.Done().After(span.From):
			last, stays = run.Last.Done(), true
		}
	}
	return last, stays
}
