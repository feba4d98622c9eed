package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// This file finds a balancer that places the first request of a client by another rule than
// its later ones. It hashes or looks up the application's session cookie, which a client does
// not have before the first answer: that request goes to any node, and the next one to the
// node that the new cookie leads to. Each client moves once and stays there, so that it looks
// like a single event to a rule that counts how often clients move. So do the clients of one node only,
// if its cookie value or route is also that of another server, which then gets their second requests.

// movedAfterFirst returns the moves of the clients of this round that left their node with
// their second request, if that is no single event: one left that came after another had, or several nodes
// answered one. A single round takes clients of several nodes for that, too. All nodes are ready, and clients with an older cookie
// stay. One such client is enough if the balancer is configured to hash a cookie.
func (mov *movement) movedAfterFirst(f *frontend) []move {
	if mov.round.Past != nil && mov.outcomes.losesPackets() {
		return nil // the balancer may leave nodes out at any time
	}
	var moves []move
	var leavers []leaver
	severalNodes := mov.round.Past == nil
	for _, tr := range f.traces {
		answers := followUpsInOrder(tr)
		switch {
		case tr.holder == "" || len(answers) == 0:
		case tr.Continued && movesWithOldCookie(tr):
			return nil // an event moves all clients
		case tr.Continued || slices.ContainsFunc(answers, func(a *answer) bool { return !a.moved() }):
		case mov.readyAt(tr.holder, answers[0]):
			leavers = append(leavers, leaver{tr.holder, tr.First().At, answers[0].At})
			for _, a := range answers {
				moves = append(moves, move{tr.holder, a.servingNode, a})
				severalNodes = severalNodes || a.servingNode != answers[0].servingNode
			}
		}
	}
	if !leftAgain(leavers, severalNodes) && !mov.round.Cluster.Balancer.HashesCookie() {
		return nil
	}
	return moves
}

// A leaver is a client that left its node with its second request.
type leaver struct {
	node          string
	opened, moved time.Time
}

// leftAgain reports whether clients left more than once, or several nodes if that suffices.
func leftAgain(leavers []leaver, severalNodes bool) bool {
	for _, a := range leavers {
		if slices.ContainsFunc(leavers, func(b leaver) bool { return b.opened.After(a.moved) || severalNodes && b.node != a.node }) {
			return true
		}
	}
	return false
}

// sharesRoute reports whether one node answers all clients that left each other with their second
// requests, and keeps its own: the balancer finds it under the cookie value or route of both.
func sharesRoute(moves []move) bool {
	to := make(map[string]string)
	for _, m := range moves {
		if other, known := to[m.from]; known && other != m.to {
			return false
		}
		to[m.from] = m.to
	}
	return !slices.ContainsFunc(moves, func(m move) bool { return to[m.to] != "" })
}

// leftAfterFirst reports whether an answer shows that each client leaves its node after its
// first request.
func (mov *movement) leftAfterFirst(a *answer) bool {
	return slices.ContainsFunc(mov.stickiness, func(f frontendStickiness) bool {
		return slices.ContainsFunc(f.afterFirst, func(m move) bool { return m.answer == a })
	})
}

// readyAt reports whether a node was well when another one answered, and nothing shows that
// the balancer left it, or any other node, out.
func (mov *movement) readyAt(node string, a *answer) bool {
	return mov.nodes.ready(node) && !mov.rotation.states[node].ProvenOut && !slices.Contains(a.upstreamsTried, node) &&
		len(mov.timeline.nodesDisruptedAt(a.At)) == 0
}

// followUpsInOrder returns the follow-ups of this round that a known node answered, by time.
func followUpsInOrder(tr *trace) []*answer {
	list := slices.DeleteFunc(slices.Clone(tr.answers), func(a *answer) bool {
		return a.Kind == probes.StepFirst || !a.OK() || a.servingNode == ""
	})
	slices.SortStableFunc(list, func(a, b *answer) int { return a.At.Compare(b.At) })
	return list
}

// movesWithOldCookie reports whether another node answered a client although its cookie had
// not changed since the last answer.
func movesWithOldCookie(tr *trace) bool {
	last := tr.First()
	at := tr.holder
	for _, a := range slices.Concat(tr.earlier, followUpsInOrder(tr)) {
		if a.servingNode == "" {
			continue
		}
		if a.servingNode != at && !last.NewID {
			return true
		}
		at, last = a.servingNode, a.Exchange
	}
	return false
}
