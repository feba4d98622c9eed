package checks

import (
	"stickwatch/probes"
)

// doubts are the reasons for which the picture is not whole enough for a
// verdict.
func doubts(v *rotation, session SessionReport) []Message {
	var list []Message
	if doubt := v.cutShort(); !doubt.IsZero() {
		list = append(list, doubt)
	}
	if doubt := sessionDoubt(v, session); !doubt.IsZero() {
		list = append(list, doubt)
	}
	if v.ExpectVersion != "" && noVersion(v.nodeStates) {
		list = append(list, msg(MsgNoVersion, Args{}))
	}
	if onlyNodeAway(v.outcomes) {
		list = append(list, msg(MsgIsolated, Args{}))
	}
	return list
}

// sessionDoubt is why it is not known whether the promise about sessions is
// kept; none when it is known, or there is nobody to break it.
func sessionDoubt(v *rotation, session SessionReport) Message {
	if v.policy() == probes.PolicyNone || len(v.destinations()) < 2 {
		return Message{}
	}
	switch {
	case noTestPage(v.nodeStates):
		return msg(MsgNoTestPage, Args{Path: v.Cluster.Session.Path})
	case v.policy() != probes.PolicyShared && session.Sticky == Unknown:
		return msg(MsgStickinessUnknown, Args{Why: &session.Reason})
	case v.policy() == probes.PolicyShared && v.followUps() == 0:
		return msg(MsgNoSession, Args{})
	default:
		return Message{}
	}
}

// cutShort names what stickwatch did not get to ask; none where it asked all.
func (v *outcomes) cutShort() Message {
	nodes, addresses := v.notAsked()
	switch {
	case len(nodes)+len(addresses) == 0 && len(v.frontends) > 0:
		return Message{}
	case len(addresses) == len(v.frontends):
		return msg(MsgCutShortBeforeBalancer, Args{Nodes: nodes})
	default:
		return msg(MsgCutShort, Args{Nodes: nodes, Addresses: addresses})
	}
}

// notAsked are the nodes and the balancer's addresses that stickwatch did not get to
// ask.
func (v *outcomes) notAsked() (nodes, addresses []string) {
	for _, e := range v.frontends {
		if !asked(e.Primary) {
			addresses = append(addresses, e.name)
		}
	}
	return v.nodesWhere(func(id string) bool { return !asked(v.direct[id].Primary) }), addresses
}

// onlyNodeAway reports whether every attempt failed before it left this machine.
func onlyNodeAway(v *outcomes) bool {
	local := func(ex probes.Exchange) bool {
		return ex.Failure == probes.FailureDNS || ex.Failure == probes.FailureUnreachable
	}
	for _, o := range v.Nodes {
		if !local(o.Primary) {
			return false
		}
	}
	for _, e := range v.frontends {
		if !local(e.Primary) {
			return false
		}
	}
	return len(v.Nodes)+len(v.frontends) > 0
}
