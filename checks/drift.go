package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// drift finds a balancer, or one of its addresses, that does not hold clients on
// nodes which are well.
func drift(v *view) []Finding {
	if v.policy() == probes.PolicyNone || v.policy() == probes.PolicyShared {
		return nil
	}
	drifts := v.unsplit(v.drifts)
	if len(drifts) == 0 {
		return nil
	}
	var evidence []string
	lost := 0
	clients := make(map[*walk]bool)
	for _, m := range drifts {
		if m.fate == probes.FateLost {
			lost++
		}
		clients[m.walk] = true
		evidence = append(evidence, fmt.Sprintf("session %s of %s was answered by %s at %s",
			orElse(string(m.walk.First().Session), "without a visible id"), m.from, m.to, clock(m.At)))
	}
	f := aboutAll(SessionDrift, Critical, v.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(drifts, func(m move) bool { return m.from == id })
	}))
	f.frontends = v.scattering(drifts)
	where := ""
	if len(f.frontends) > 0 && len(f.frontends) < len(v.frontends) {
		where = " at " + join(f.frontends)
		evidence = append(firstFew(evidence), fmt.Sprintf("the other %s of the balancer hold their clients",
			plural(len(v.frontends)-len(f.frontends), "address", "addresses")))
	}
	f.Summary = fmt.Sprintf("sessions do not stay on their node%s: %d of %d follow-ups were answered by another one while it was well", where, len(drifts), v.followUps())
	if lost > 0 {
		f.Summary += fmt.Sprintf(", and %d of them had lost the session", lost)
	}
	f.Evidence = firstFew(evidence)
	f.Affected = v.shareOf(len(clients))
	f.Remedy = v.driftRemedy(where)
	return []Finding{f}
}

// scattering names the addresses of the balancer at which sessions drifted.
func (v *view) scattering(drifts []move) []string {
	var names []string
	for _, e := range v.frontends {
		if slices.ContainsFunc(drifts, func(m move) bool { return m.walk.Balancer == e.Address && m.walk.URL == e.URL }) {
			names = append(names, e.name)
		}
	}
	return names
}

// routeless reports whether Tomcats that are to be told apart by the route in
// their session ids write none.
func (v *view) routeless() bool {
	named := func(a *answer) bool { return a.OK() && a.Session != "" }
	return v.Cluster.Profile == "tomcat" && slices.ContainsFunc(v.answers, named) &&
		!slices.ContainsFunc(v.answers, func(a *answer) bool { return a.Routed })
}

// noRoute is what to do where session ids name no node.
const noRoute = "The session ids have no route: set jvmRoute in each Tomcat's server.xml (<Engine jvmRoute=\"...\">) to the route of its BalancerMember, and check stickysession."

func (v *view) driftRemedy(where string) string {
	method := v.Cluster.Balancer.Method
	switch {
	case where != "":
		return "Compare the configuration of the balancer" + where + " with that of its other addresses: the sticky method is missing there, or was not reloaded."
	case method == probes.MethodIPHash || method == probes.MethodHash:
		return "The balancer does not do what its configuration says: check that the upstream block has " + string(method) + " and that it was reloaded."
	case method == probes.MethodCookie && v.routeless():
		return noRoute
	case method == probes.MethodCookie:
		return "Check the balancer's sticky cookie or stickysession, and that each node's route is the one in the balancer's file."
	default:
		return "Give the balancer a sticky method (ip_hash, a cookie), or let the nodes share their sessions and set policy: shared."
	}
}
