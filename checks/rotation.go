package checks

import (
	"fmt"

	"stickwatch/probes"
)

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
	f.Summary = fmt.Sprintf("%s is healthy when asked directly, and the balancer sends it nothing", n.ID)
	if frontend != "" {
		f.Summary = fmt.Sprintf("%s is healthy when asked directly, and the balancer at %s sends it nothing", n.ID, frontend)
	}
	f.Evidence = append([]string{p.Voice.says(p.Reason), "asked directly: " + describe(v.direct[n.ID].Primary)}, firstFew(v.spoken(n, p.Reason))...)
	if t := v.Cluster.Balancer.FailTimeout; t > 0 && v.Cluster.Balancer.Method != probes.MethodCookie {
		f.Remedy = fmt.Sprintf("If it failed a moment ago, nginx takes it back by itself about %s after its last failed try; a reload is not needed. "+
			"If it stays out, look for \"temporarily disabled\" in the balancer's error log (at level warn; the default, error, hides it) and whether the balancer can reach %s.", t, n.ServerName())
		return f
	}
	f.Remedy = "Look at the balancer's own state of this server, and whether the balancer can reach " + n.ServerName() + "."
	return f
}
