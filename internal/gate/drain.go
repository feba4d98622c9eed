package gate

import (
	"fmt"

	"stickwatch/checks"
	"stickwatch/checks/evidence"
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

// drainedOfNew: once it is out, no newcomer meets it. When that began only the
// balancer can tell; without its word, newcomers must miss the node at some time
// for longer than chance lets them.
func (j *judge) drainedOfNew(node string) Promise {
	p := kept("new clients avoid "+node, "")
	for _, s := range j.Said[node] {
		if !evidence.Out(s.State) {
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
	met, missed := j.longestMiss(node)
	switch enough := j.enough(node); {
	case p.Kept == checks.No:
	case missed >= enough:
		p.Reasons = append(p.Reasons, fmt.Sprintf("%d new clients in a row were sent elsewhere", min(missed, j.answered())))
	case !met:
		p = p.unknown("no new client was ever sent there from this address")
	default:
		p = p.broken(checks.Critical, fmt.Sprintf(
			"at most %d new clients in a row were sent elsewhere; chance is excluded by %d", missed, enough))
	}
	return p
}

// answered counts the newcomers that were.
func (j *judge) answered() int {
	n := 0
	for _, lane := range j.Newcomers {
		all, failed := lane.Track.requests()
		n += all - failed
	}
	return n
}

// longestMiss is how many newcomers in a row node did not answer, and whether it
// answered any.
func (j *judge) longestMiss(node string) (met bool, most int) {
	for _, lane := range j.Newcomers {
		if lane.Expected != "" && lane.Expected != node {
			continue
		}
		n := 0
		for _, s := range lane.Track {
			switch by := j.node(s.First.Label); {
			case !s.First.Good || by == "":
			case by == node:
				met, n = true, 0
			default:
				n += s.Count
				if lane.Expected == node && n > 1 {
					most = never
				}
			}
			most = max(most, n)
		}
	}
	return met, most
}

// drainedEmpty: its traffic reaches zero. The balancer's word decides where
// there is one; sessions of ours that a drain leaves where they are do not count,
// for they would stay for ever.
func (j *judge) drainedEmpty(node string) Promise {
	p := kept("the traffic of "+node+" reaches zero", "")
	told := false
	for _, s := range j.Said[node] {
		if s.State == probes.ServerUnknown || s.State == "" {
			continue
		}
		told = true
		if evidence.Out(s.State) {
			p.Reasons = []string{s.Words}
			return p
		}
	}
	met, missed := j.longestMiss(node)
	switch {
	case told:
		return p.broken(checks.Critical, "the balancer said all the time that it sends requests to "+node)
	case missed >= j.enough(node):
		p.Reasons = []string{"by new clients: the balancer itself is not asked, or tells nothing"}
		return p
	case met:
		return p.broken(checks.Critical, "new clients were sent there all the time")
	default:
		return p.unknown("neither the balancer nor new clients tell")
	}
}
