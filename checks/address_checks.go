package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// addressesDisagree finds that an address of the balancer does not send the clients of another
// one to their node. It is critical if clients lose their sessions and DNS may lead them from one
// address to the other at any time; where only a failover of the balancer does, it is a warning.
func addressesDisagree(mov *movement) []Finding {
	apart, asked := mov.apart()
	if len(apart) == 0 || undecided(apart) {
		return nil
	}
	f := Finding{Code: BalancerSplit, Severity: Warning, observed: observed{checkedAt: newestOf(mov.round.AddressChecks)}, facts: facts{byLoss: true}}
	lost := 0
	for _, c := range apart {
		f.facts.byLoss = f.facts.byLoss && !c.Moved(mov.nodes.identity.NodeOf)
		if c.SessionOutcome() == probes.SessionLost {
			lost++
			if c.URL == c.OtherURL && (c.From != "" || mov.allReadyAt(c.There.At)) {
				f.Severity = Critical
			}
		}
	}
	f.Nodes = mov.round.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(apart, func(c probes.AddressCheck) bool { return c.From == id })
	})
	f.Summary = msg(MsgAddressesDisagree, Args{Count: len(apart), Of: asked, Lost: lost})
	f.Evidence = fewOf(apart, mov.nodes.carriedTo)
	f.Affected = Affected{Share: float64(len(apart)) / float64(asked), Of: asked}
	f.Remedy = msg(MsgSameCookies, Args{})
	return []Finding{f}
}

// apart returns the address checks by which addresses disagree, and how many checks show anything.
func (mov *movement) apart() (list []probes.AddressCheck, asked int) {
	if mov.round.policy() == probes.PolicyNone || mov.round.policy() == probes.PolicyShared && mov.storeFails() {
		return nil, 0
	}
	for _, c := range mov.round.AddressChecks {
		if c.Void {
			continue
		}
		asked++
		if mov.separates(c) {
			list = append(list, c)
		}
	}
	return list, asked
}

// undecided reports whether the only session that met another node there met its own, too, which
// chance may do where addresses disagree, and one lost packet where they agree.
func undecided(apart []probes.AddressCheck) bool { return len(apart) == 1 && apart[0].Mixed }

// newestOf returns when the newest of the checks was made; zero: there is none.
func newestOf(checks []probes.AddressCheck) (newest time.Time) {
	for _, c := range checks {
		if c.There.At.After(newest) {
			newest = c.There.At
		}
	}
	return newest
}

// separates reports whether an address check shows that the other address sends the client
// elsewhere although its node is ready and in rotation there.
func (mov *movement) separates(c probes.AddressCheck) bool {
	lost := c.SessionOutcome() == probes.SessionLost
	switch {
	case mov.nodes.page.isWrong(c.There):
		return false
	case mov.round.policy() == probes.PolicyShared:
		return lost
	case !lost && !c.Moved(mov.nodes.identity.NodeOf):
		return false
	case mov.scattersAt(c):
		return false
	case c.From == "":
		return true
	case !mov.nodes.ready(c.From) || mov.rotation.states[c.From].ProvenOut:
		return false
	}
	_, disrupted := mov.timeline.disruptionAt(c.From, c.There.At)
	other := frontendName(c.OtherURL, c.Second)
	return !disrupted && !slices.ContainsFunc(mov.rotation.states[c.From].OutAt, func(e frontendRotation) bool { return e.frontend == other })
}

// storeFails reports whether nodes that share sessions lose them at one address, too, or a
// dependency is down, which may be the store: then a session that is lost elsewhere shows nothing.
func (mov *movement) storeFails() bool {
	return sessionsShared(mov.round) == No || slices.ContainsFunc(services(mov.outcomes), service.down) ||
		slices.ContainsFunc(mov.outcomes.allAnswers, func(a *answer) bool { return a.sessionOutcome == probes.SessionLost })
}

// allReadyAt reports whether no node is down, or was disrupted at a moment.
func (mov *movement) allReadyAt(at time.Time) bool {
	unready := slices.ContainsFunc(mov.round.Cluster.Nodes, func(n probes.Node) bool { return !mov.nodes.ready(n.ID) })
	return !unready && len(mov.timeline.nodesDisruptedIn(Span{at, at})) == 0
}

// scattersAt reports whether one of the two addresses does not keep its own clients either.
func (mov *movement) scattersAt(c probes.AddressCheck) bool {
	return slices.ContainsFunc(mov.stickiness, func(s frontendStickiness) bool {
		one := s.frontend.Address == c.Address && s.frontend.URL == c.URL || s.frontend.Address == c.Second && s.frontend.URL == c.OtherURL
		return one && (s.scatters || slices.Contains(s.scattered, c.From))
	})
}

func (ns *nodeStates) carriedTo(c probes.AddressCheck) Message {
	args := Args{Session: c.Session, Node: c.From, At: c.There.At, Addresses: []string{frontendName(c.URL, c.Address), frontendName(c.OtherURL, c.Second)}}
	if c.Moved(ns.identity.NodeOf) {
		args.Other = ns.identity.NodeOf(c.There.Label)
	}
	if c.SessionOutcome() == probes.SessionLost {
		args.Lost = 1
	}
	return msg(MsgCarriedTo, args)
}
