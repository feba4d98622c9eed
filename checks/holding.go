package checks

import (
	"math"
	"slices"

	"stickwatch/probes"
)

// This file decides, for each address of the balancer, whether it holds clients
// on their node. One client that met another node proves little: the balancer may
// have retried, a node may have been out for a moment, or the list of servers may
// have changed. So three hypotheses are weighed against each other: the balancer
// does not hold clients, and each request goes by chance; it does not hold those
// of some nodes; or it holds them, and something happened once.

// A holding is what one address of the balancer does with clients that come back.
type holding struct {
	frontend *frontend
	homes    map[string]*homeTally // by the node that opened the session
	moves    []move                // to and fro, of homes whose clients the balancer does not hold
	scatters bool                  // it holds the clients of no node
	torn     []string              // the nodes whose clients it does not hold, while it holds those of others
}

// A homeTally counts the answers to clients that came back, by the node that
// opened their session.
type homeTally struct {
	stays, moves int
	torn         bool // some client went to and fro
	luck         float64
}

// rare is how often a request is answered elsewhere although the balancer holds
// clients: a retry after a lost packet, a reload.
const rare = 1e-3

// byChance reports whether the answers are better explained by a balancer that
// gives each request to any node than by one that holds clients.
func (t homeTally) byChance() bool {
	if !t.torn || t.moves == 0 || t.luck <= 0 || t.luck >= 1 {
		return t.torn && t.moves > 0
	}
	chance := float64(t.stays)*math.Log(t.luck) + float64(t.moves)*math.Log(1-t.luck)
	return chance > float64(t.moves)*math.Log(rare)
}

// hold looks at every address.
func (v *view) hold() []holding {
	met := make(map[string]bool)
	for id := range v.newClients() {
		met[id] = true
	}
	var list []holding
	for i := range v.frontends {
		list = append(list, v.holdingAt(&v.frontends[i], met))
	}
	return list
}

func (v *view) holdingAt(e *frontend, met map[string]bool) holding {
	h := holding{frontend: e, homes: make(map[string]*homeTally)}
	moves := make(map[string][]move)
	for _, w := range e.walks {
		if w.home == "" {
			continue
		}
		tally := h.homes[w.home]
		if tally == nil {
			tally = &homeTally{luck: Luck(w.home, v.serving, met)}
			h.homes[w.home] = tally
		}
		stays, moved, switches := v.returns(w)
		if switches == 1 && len(moved) > 0 {
			continue // it changed its node once, and stayed on the new one: see remapping
		}
		tally.stays += stays
		tally.moves += len(moved)
		tally.torn = tally.torn || switches > 1
		moves[w.home] = append(moves[w.home], moved...)
	}
	h.weigh(moves, v.Confidence)
	return h
}

// weigh decides between the hypotheses.
func (h *holding) weigh(moves map[string][]move, confidence float64) {
	luck := 1.0 // that those that stayed did so by chance
	for home, tally := range h.homes {
		switch {
		case tally.byChance():
			h.torn = append(h.torn, home)
			h.moves = append(h.moves, moves[home]...)
		case tally.stays > 0:
			luck *= math.Pow(tally.luck, float64(tally.stays))
		}
	}
	slices.Sort(h.torn)
	if len(h.torn) > 0 && luck > 1-confidence+1e-12 {
		h.scatters, h.torn = true, nil
	}
}

// returns sorts the answers to a client that came back into those of its own node
// and those of others, and counts how often the node changed from one to the
// next. What a disruption explains is left out.
func (v *view) returns(w *walk) (stays int, moved []move, switches int) {
	answers := slices.Clone(w.answers)
	slices.SortStableFunc(answers, func(a, b *answer) int { return a.At.Compare(b.At) })
	at := w.home
	for _, a := range answers {
		if a.Kind == probes.StepFirst || !a.OK() || a.servingNode == "" {
			continue
		}
		if a.servingNode != w.home && v.excused(a) {
			continue
		}
		if a.servingNode != at {
			switches++
			at = a.servingNode
		}
		if a.servingNode == w.home {
			stays++
		} else {
			moved = append(moved, move{w.home, a.servingNode, a})
		}
	}
	return stays, moved, switches
}

// excused reports whether something known explains that another node than its own
// answered a client: its node does not serve, was tried in vain, has been out, or
// the client comes back to the node that opened its session.
func (v *view) excused(a *answer) bool {
	home := a.walk.home
	return !v.well(home) || slices.Contains(a.tried, home) || a.servingNode == a.walk.owner ||
		!v.answeredSince(home, a.walk.Balancer, a.At) || v.byDisruption(a) || v.byEjection(a)
}
