package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// identities finds nodes that cannot be told apart, that answer as another, or
// that nobody has listed.
func identities(v *view) []Finding {
	list := append(v.duplicates(), v.misidentified()...)
	return append(list, v.unknownNodes()...)
}

func (v *view) duplicates() []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		label := v.who.direct[n.ID]
		owners := v.who.owners[fold(label)]
		if label == "" || len(owners) < 2 || owners[0] != n.ID {
			continue
		}
		f := aboutAll(DuplicateNodeID, Warning, slices.Clone(owners))
		f.Target = label
		f.Summary = fmt.Sprintf("%s call themselves %q: the id of a node must be unique", join(owners), label)
		for _, id := range owners {
			f.Evidence = append(f.Evidence, fmt.Sprintf("%s, asked directly at %s, says it is %q", id, v.config(id).URL.Host, label))
		}
		f.Remedy = "Give each node an id of its own (nodeId in cluster_node.properties, jvmRoute in server.xml), or correct the node addresses if two lead to one machine."
		list = append(list, f)
	}
	return list
}

func (v *view) misidentified() []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		label := v.who.direct[n.ID]
		if label == "" || v.calls(n, label) || v.who.Ambiguous(label) {
			continue
		}
		for _, other := range v.Cluster.Nodes {
			if other.ID != n.ID && v.calls(other, label) {
				f := about(NodeMisidentified, Warning, n.ID)
				f.Summary = fmt.Sprintf("the address of %s answers as %s", n.ID, other.ID)
				f.Evidence = []string{fmt.Sprintf("%s, asked directly, says it is %q", n.URL.Host, label)}
				f.Remedy = fmt.Sprintf("Correct the addresses of %s and %s in the configuration, or the id that the application has there.", n.ID, other.ID)
				list = append(list, f)
			}
		}
	}
	return list
}

// calls reports whether the configuration calls n so.
func (v *view) calls(n probes.Node, label string) bool {
	return fold(label) == fold(n.ID) || (n.Label != "" && fold(label) == fold(n.Label))
}

// unknownNodes finds answers through the balancer from a node that is not
// listed. While some node has not told its label, a strange one may be its.
func (v *view) unknownNodes() []Finding {
	if !v.who.Complete() {
		return nil
	}
	var list []Finding
	for _, a := range v.answers {
		if a.Label == "" || a.node != "" || !a.OK() || v.who.Ambiguous(a.Label) {
			continue
		}
		if slices.ContainsFunc(list, func(f Finding) bool { return f.Target == a.Label }) {
			continue
		}
		f := Finding{Code: UnknownNode, Severity: Warning, Target: a.Label}
		f.Summary = fmt.Sprintf("the balancer sends clients to %q, which is no listed node", a.Label)
		f.Evidence = []string{fmt.Sprintf("%s was answered by %q at %s", clientOf(v.Walks[a.walk]), a.Label, a.At.UTC().Format("15:04:05.000"))}
		f.Remedy = "Add it to the nodes of this cluster, or take it out of the balancer."
		if list = append(list, f); len(list) == maxStrangers {
			break
		}
	}
	return list
}

// maxStrangers bounds the findings that a page with ever new labels can cause.
const maxStrangers = 5
