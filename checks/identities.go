package checks

import (
	"slices"

	"stickwatch/probes"
)

// identities finds nodes that cannot be told apart, that answer as another, or
// that nobody has listed.
func identities(v *outcomes) []Finding {
	list := append(duplicates(v.nodeStates), misidentified(v.nodeStates)...)
	return append(list, unknownNodes(v)...)
}

func duplicates(v *nodeStates) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		label := v.identity.direct[n.ID]
		owners := v.identity.owners[fold(label)]
		if label == "" || len(owners) < 2 || owners[0] != n.ID {
			continue
		}
		f := aboutAll(DuplicateNodeID, Warning, slices.Clone(owners))
		f.Target = label
		f.Summary = msg(MsgDuplicateID, Args{Nodes: owners, Value: label})
		for _, id := range owners {
			host := v.Cluster.Nodes[v.index(id)].URL.Host
			f.Evidence = append(f.Evidence, msg(MsgSaysItIs, Args{Node: id, Address: host, Value: label}))
		}
		f.Evidence = limited(f.Evidence)
		f.Remedy = msg(MsgGiveOwnIDs, Args{})
		list = append(list, f)
	}
	return list
}

func misidentified(v *nodeStates) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		label := v.identity.direct[n.ID]
		if label == "" || calls(n, label) || v.identity.Ambiguous(label) {
			continue
		}
		at := slices.IndexFunc(v.Cluster.Nodes, func(other probes.Node) bool { return calls(other, label) })
		if at < 0 {
			continue
		}
		other := v.Cluster.Nodes[at].ID
		f := about(NodeMisidentified, Warning, n.ID)
		f.Summary = msg(MsgMisidentified, Args{Node: n.ID, Other: other})
		f.Evidence = []Message{msg(MsgSaysItIs, Args{Address: n.URL.Host, Value: label})}
		f.Remedy = msg(MsgCorrectAddresses, Args{Node: n.ID, Other: other})
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
func unknownNodes(v *outcomes) []Finding {
	unlistedNodes := findUnlistedNodes(v)
	changing := len(unlistedNodes) > 2 && !slices.ContainsFunc(unlistedNodes, func(s unlistedNode) bool { return s.answers > 1 })
	if changing || len(unlistedNodes) > maxUnlistedNodes {
		return []Finding{manyUnlistedNodes(unlistedNodes)}
	}
	var list []Finding
	for _, s := range unlistedNodes {
		f := Finding{Code: UnknownNode, Severity: Warning, Target: s.label}
		f.Summary = msg(MsgStranger, Args{Value: s.label})
		f.Evidence = []Message{s.evidence}
		f.Remedy = msg(MsgListIt, Args{})
		list = append(list, f)
	}
	return list
}

// maxUnlistedNodes bounds the findings that pages with ever new names can cause.
const maxUnlistedNodes = 5

// A unlistedNode is a name that an answer gave its node, and that no listed node has.
type unlistedNode struct {
	label    string
	answers  int
	evidence Message // of the first
}

func findUnlistedNodes(v *outcomes) []unlistedNode {
	var list []unlistedNode
	for _, a := range v.answers {
		if !a.OK() || !v.unlistedNode(a.Label) {
			continue
		}
		at := slices.IndexFunc(list, func(s unlistedNode) bool { return s.label == a.Label })
		if at < 0 {
			at = len(list)
			list = append(list, unlistedNode{
				label: a.Label, evidence: msg(MsgAnsweredByStranger, Args{Client: a.trace.Client, Value: a.Label, At: a.At}),
			})
		}
		list[at].answers++
	}
	return list
}

func manyUnlistedNodes(unlistedNodes []unlistedNode) Finding {
	f := Finding{Code: UnknownNode, Severity: Warning}
	f.Summary = msg(MsgManyStrangers, Args{Count: len(unlistedNodes)})
	for _, s := range unlistedNodes {
		f.Evidence = append(f.Evidence, s.evidence)
	}
	f.Evidence = limited(f.Evidence)
	f.Remedy = msg(MsgCorrectNodeLabel, Args{})
	return f
}
