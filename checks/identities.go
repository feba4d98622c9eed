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
			host := v.Cluster.Nodes[v.index(id)].URL.Host
			f.Evidence = append(f.Evidence, fmt.Sprintf("%s, asked directly at %s, says it is %q", id, host, label))
		}
		f.Evidence = firstFew(f.Evidence)
		f.Remedy = "Give each node an id of its own (nodeId in cluster_node.properties, jvmRoute in server.xml), or correct the node addresses if two lead to one machine."
		list = append(list, f)
	}
	return list
}

func (v *view) misidentified() []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		label := v.who.direct[n.ID]
		if label == "" || calls(n, label) || v.who.Ambiguous(label) {
			continue
		}
		at := slices.IndexFunc(v.Cluster.Nodes, func(other probes.Node) bool { return calls(other, label) })
		if at < 0 {
			continue
		}
		other := v.Cluster.Nodes[at].ID
		f := about(NodeMisidentified, Warning, n.ID)
		f.Summary = fmt.Sprintf("the address of %s answers as %s", n.ID, other)
		f.Evidence = []string{fmt.Sprintf("%s, asked directly, says it is %q", n.URL.Host, label)}
		f.Remedy = fmt.Sprintf("Correct the addresses of %s and %s in the configuration, or the id that the application has there.", n.ID, other)
		list = append(list, f)
	}
	return list
}

// calls reports whether the configuration calls n so.
func calls(n probes.Node, label string) bool {
	return fold(label) == fold(n.ID) || (n.Label != "" && fold(label) == fold(n.Label))
}

// unknownNodes finds answers through the balancer from nodes that are not listed.
// Names that are too many, or that change with every answer, are one finding: it
// must not be another one in every round.
func (v *view) unknownNodes() []Finding {
	strangers := v.strangers()
	changing := len(strangers) > 2 && !slices.ContainsFunc(strangers, func(s stranger) bool { return s.answers > 1 })
	if changing || len(strangers) > maxStrangers {
		return []Finding{manyStrangers(strangers)}
	}
	var list []Finding
	for _, s := range strangers {
		f := Finding{Code: UnknownNode, Severity: Warning, Target: s.label}
		f.Summary = fmt.Sprintf("the balancer sends clients to %q, which is no listed node", s.label)
		f.Evidence = []string{s.evidence}
		f.Remedy = "Add it to the nodes of this cluster, or take it out of the balancer."
		list = append(list, f)
	}
	return list
}

// maxStrangers bounds the findings that pages with ever new names can cause.
const maxStrangers = 5

// A stranger is a name that an answer gave its node, and that no listed node has.
type stranger struct {
	label    string
	answers  int
	evidence string // of the first
}

func (v *view) strangers() []stranger {
	var list []stranger
	for _, a := range v.answers {
		if !a.OK() || !v.stranger(a.Label) {
			continue
		}
		at := slices.IndexFunc(list, func(s stranger) bool { return s.label == a.Label })
		if at < 0 {
			at = len(list)
			list = append(list, stranger{
				label: a.Label, evidence: fmt.Sprintf("%s was answered by %q at %s", clientOf(a.walk.Client), a.Label, clock(a.At)),
			})
		}
		list[at].answers++
	}
	return list
}

func manyStrangers(strangers []stranger) Finding {
	f := Finding{Code: UnknownNode, Severity: Warning}
	f.Summary = fmt.Sprintf("the balancer's answers give %d names of nodes that are not listed", len(strangers))
	for _, s := range strangers {
		f.Evidence = append(f.Evidence, s.evidence)
	}
	f.Evidence = firstFew(f.Evidence)
	f.Remedy = "Correct session.node if what it reads changes with every answer; else add these nodes to the cluster, or take them out of the balancer."
	return f
}
