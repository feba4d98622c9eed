package checks

import "stickwatch/probes"

// nodes finds nodes that are down or say that they are paused. One that the
// operator took out may be in any state.
func nodes(v *attribution) []Finding {
	var list []Finding
	for _, o := range v.active {
		switch {
		case !asked(o.Primary):
		case !v.up[o.Node]:
			f := nodeDown(v.nodeStates, o)
			f.Summary.Args.Lost = v.lostHere(o.Node)
			list = append(list, f)
		case o.Status.Paused():
			list = append(list, nodePaused(o))
		}
	}
	return list
}

func nodeDown(v *nodeStates, o probes.NodeObservation) Finding {
	f := about(NodeDown, Warning, o.Node)
	f.Host = deadHost(v, o.Node)
	if v.noneUp() {
		f.Severity, f.Group = Critical, AllNodesDown
	}
	f.Evidence = []Message{askedDirectly(o.Primary)}
	if o.Primary.Failure == "" {
		f.erring = true
		f.Summary = msg(MsgNodeErrs, Args{Node: o.Node, Status: o.Primary.Status})
		f.Remedy = msg(MsgReadNodeLog, Args{Node: o.Node})
		return f
	}
	f.Summary = msg(MsgNodeSilent, Args{Node: o.Node, Reason: why(o.Primary)})
	switch o.Primary.Failure {
	case probes.FailureRefused:
		f.Remedy = msg(MsgStartApplication, Args{Address: v.Cluster.Nodes[v.index(o.Node)].URL.Host})
	case probes.FailureTimeout:
		f.unanswered = true
		f.Remedy = msg(MsgFindHang, Args{Node: o.Node})
	default:
		f.Remedy = msg(MsgCheckNode, Args{Node: o.Node})
	}
	return f
}

// deadHost is the host of a node's address, if every node there is down; "": one
// is up, so that the machine is.
func deadHost(v *nodeStates, id string) string {
	host := v.Cluster.Nodes[v.index(id)].URL.Hostname()
	for _, o := range v.Nodes {
		if v.up[o.Node] && v.Cluster.Nodes[v.index(o.Node)].URL.Hostname() == host {
			return ""
		}
	}
	return host
}

func nodePaused(o probes.NodeObservation) Finding {
	f := about(NodePaused, Critical, o.Node)
	f.Summary = msg(MsgNodePaused, Args{Node: o.Node, State: o.Status.State, Reason: o.Status.Reason})
	f.Evidence = []Message{msg(MsgStatusSaid, Args{Why: new(describe(o.Primary)), State: o.Status.State, Reason: o.Status.Reason})}
	f.Remedy = msg(MsgBringBackReason, Args{})
	if o.Status.Reason == "" {
		f.Remedy = msg(MsgFindWhyPaused, Args{})
	}
	return f
}
