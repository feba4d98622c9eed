package checks

import (
	"fmt"

	"stickwatch/probes"
)

// nodes finds nodes that are down or say that they are paused. One that the
// operator took out may be in any state.
func nodes(v *view) []Finding {
	var list []Finding
	for _, o := range v.active {
		switch {
		case !asked(o.Primary):
		case !v.up[o.Node]:
			f := v.nodeDown(o)
			f.Summary += v.lostHere(o.Node)
			list = append(list, f)
		case o.Status.Paused():
			list = append(list, nodePaused(o))
		}
	}
	return list
}

func (v *view) nodeDown(o probes.NodeObservation) Finding {
	f := about(NodeDown, Warning, o.Node)
	f.Host = v.deadHost(o.Node)
	if v.nobodyUp() {
		f.Severity, f.Group = Critical, AllNodesDown
	}
	f.Evidence = []string{"asked directly: " + describe(o.Primary)}
	if o.Primary.Failure == "" {
		f.erring = true
		f.Summary = fmt.Sprintf("%s answers HTTP %d when asked directly", o.Node, o.Primary.Status)
		f.Remedy = "Look in the application's log on " + o.Node + "."
		return f
	}
	f.Summary = fmt.Sprintf("%s does not answer when asked directly: %s", o.Node, orElse(o.Primary.Error, string(o.Primary.Failure)))
	switch o.Primary.Failure {
	case probes.FailureRefused:
		f.Remedy = fmt.Sprintf("Nothing listens on %s: start the application there.", v.Cluster.Nodes[v.index(o.Node)].URL.Host)
	case probes.FailureTimeout:
		f.unanswered = true
		f.Remedy = fmt.Sprintf("It takes connections or drops them silently: look at %s for a hanging application or a firewall.", o.Node)
	default:
		f.Remedy = fmt.Sprintf("Look at the application on %s, and whether this prober can reach it.", o.Node)
	}
	return f
}

// deadHost is the host of a node's address, if every node there is down; "": one
// is up, so that the machine is.
func (v *view) deadHost(id string) string {
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
	f.Summary = fmt.Sprintf("%s says that it is %s", o.Node, orElse(o.Status.State, "not serving"))
	if o.Status.Reason != "" {
		f.Summary += ": " + o.Status.Reason
	}
	f.Evidence = []string{fmt.Sprintf("%s, state %q, reason %q", describe(o.Primary), o.Status.State, o.Status.Reason)}
	f.Remedy = "Bring back what its reason names; it resumes by itself."
	if o.Status.Reason == "" {
		f.Remedy = "Find out on the node why it was paused, and resume it."
	}
	return f
}
