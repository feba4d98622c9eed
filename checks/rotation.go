package checks

import "stickwatch/probes"

// rotation finds healthy nodes that get nobody, and failing ones that do.
func rotation(v *view) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		place := v.places[n.ID]
		if place.Sure && v.well(n.ID) {
			list = append(list, v.ejected(n, "", place))
		}
		if f, ok := v.wasEjected(n); ok {
			list = append(list, f)
		}
		if v.well(n.ID) {
			for _, e := range place.Elsewhere {
				list = append(list, v.ejected(n, e.frontend, e.place))
			}
		}
		if f, ok := v.failingInRotation(n); ok {
			list = append(list, f)
		}
	}
	return list
}

// ejected: by the whole balancer, or by one of its addresses.
func (v *view) ejected(n probes.Node, frontend string, p place) Finding {
	f := about(NodeEjected, Warning, n.ID)
	f.Target = frontend
	f.Summary = msg(MsgEjected, Args{Node: n.ID, Address: frontend})
	f.Evidence = append([]Message{says(p.Voice, p.Reason), askedDirectly(v.direct[n.ID].Primary)}, firstFew(v.spoken(n, p.Reason))...)
	if t := v.Cluster.Balancer.FailTimeout; t > 0 && v.Cluster.Balancer.Method != probes.MethodCookie {
		f.Remedy = msg(MsgWaitFailTimeout, Args{Duration: t, Server: n.ServerName()})
		return f
	}
	f.Remedy = msg(MsgCheckServerState, Args{Server: n.ServerName()})
	return f
}
