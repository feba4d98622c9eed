package checks

import (
	"slices"

	"stickwatch/probes"
)

// drift finds a balancer, or one of its addresses, that does not hold clients on
// nodes which are well.
func drift(v *movement) []Finding {
	if v.policy() == probes.PolicyNone || v.policy() == probes.PolicyShared {
		return nil
	}
	drifts := withoutSplit(v, v.drifts)
	if len(drifts) == 0 {
		return nil
	}
	lost := 0
	clients := make(map[*trace]bool)
	for _, m := range drifts {
		if m.sessionOutcome == probes.SessionLost {
			lost++
		}
		clients[m.trace] = true
	}
	f := aboutAll(SessionDrift, Critical, v.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(drifts, func(m move) bool { return m.from == id })
	}))
	f.frontends = scattering(v.outcomes, drifts)
	f.Evidence = fewOf(drifts, func(m move) Message {
		return msg(MsgAnsweredElsewhere, Args{Session: m.trace.First().Session, Node: m.from, Other: m.to, At: m.At})
	})
	var where []string
	if len(f.frontends) > 0 && len(f.frontends) < len(v.frontends) {
		where = f.frontends
		f.Evidence = append(f.Evidence, msg(MsgOthersHold, Args{Count: len(v.frontends) - len(f.frontends)}))
	}
	f.Summary = msg(MsgDrift, Args{Addresses: where, Count: len(drifts), Of: v.followUps(), Lost: lost})
	f.Affected = shareOf(v.outcomes, len(clients))
	f.Remedy = driftRemedy(v.outcomes, where)
	return []Finding{f}
}

// scattering names the addresses of the balancer at which sessions drifted.
func scattering(v *outcomes, drifts []move) []string {
	var names []string
	for _, e := range v.frontends {
		if slices.ContainsFunc(drifts, func(m move) bool { return m.trace.Balancer == e.Address && m.trace.URL == e.URL }) {
			names = append(names, e.name)
		}
	}
	return names
}

// routeless reports whether Tomcats that are to be told apart by the route in
// their session ids write none.
func (v *outcomes) routeless() bool {
	named := func(a *answer) bool { return a.OK() && a.Session != "" }
	return v.Cluster.Profile == "tomcat" && slices.ContainsFunc(v.answers, named) &&
		!slices.ContainsFunc(v.answers, func(a *answer) bool { return a.HasRoute })
}

func driftRemedy(v *outcomes, where []string) Message {
	method := v.Cluster.Balancer.Method
	switch {
	case len(where) > 0:
		return msg(MsgCompareAddresses, Args{Addresses: where})
	case method == probes.MethodIPHash || method == probes.MethodHash:
		return msg(MsgCheckHashing, Args{Method: method})
	case method == probes.MethodCookie && v.routeless():
		return msg(MsgSetJVMRoute, Args{})
	case method == probes.MethodCookie:
		return msg(MsgCheckStickyCookie, Args{})
	default:
		return msg(MsgMakeSticky, Args{})
	}
}
