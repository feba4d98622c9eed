package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// nodes finds nodes that are down or say that they are paused.
func nodes(v *view) []Finding {
	var list []Finding
	left := slices.ContainsFunc(v.Nodes, Up)
	for i, o := range v.Nodes {
		switch {
		case v.Cluster.Nodes[i].Down:
			// the operator took it out: it may be in any state
		case !Up(o):
			list = append(list, v.nodeDown(o, left))
		case o.Status.Paused():
			list = append(list, v.nodePaused(o))
		}
	}
	return list
}

func (v *view) nodeDown(o probes.NodeObservation, left bool) Finding {
	f := about(NodeDown, Warning, o.Node)
	if !left {
		f.Severity = Critical
	}
	f.Evidence = []string{"asked directly: " + v.brief(o.Primary)}
	if o.Primary.Answered() {
		f.Summary = fmt.Sprintf("%s answers HTTP %d when asked directly", o.Node, o.Primary.Status)
		f.Remedy = "Look in the application's log on " + o.Node + "."
		return f
	}
	f.Summary = fmt.Sprintf("%s does not answer when asked directly: %s", o.Node, o.Primary.Error)
	switch o.Primary.Failure {
	case probes.FailureRefused:
		f.Remedy = fmt.Sprintf("Nothing listens on %s: start the application there.", v.config(o.Node).URL.Host)
	case probes.FailureTimeout:
		f.Remedy = fmt.Sprintf("It takes connections or drops them silently: look at %s for a hanging application or a firewall.", o.Node)
	default:
		f.Remedy = fmt.Sprintf("Look at the application on %s, and whether this prober can reach it.", o.Node)
	}
	return f
}

func (v *view) nodePaused(o probes.NodeObservation) Finding {
	f := about(NodePaused, Critical, o.Node)
	f.Summary = fmt.Sprintf("%s says that it is %s", o.Node, orElse(o.Status.State, "not serving"))
	if o.Status.Reason != "" {
		f.Summary += ": " + o.Status.Reason
	}
	f.Evidence = []string{v.brief(o.Primary) + fmt.Sprintf(", state %q, reason %q", o.Status.State, o.Status.Reason)}
	f.Remedy = "Bring back what its reason names; it resumes by itself."
	if o.Status.Reason == "" {
		f.Remedy = "Find out on the node why it was paused, and resume it."
	}
	return f
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
