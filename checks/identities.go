package checks

import (
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
		f.Summary = msg(MsgDuplicateID, Args{Nodes: owners, Value: label})
		for _, id := range owners {
			host := v.Cluster.Nodes[v.index(id)].URL.Host
			f.Evidence = append(f.Evidence, msg(MsgSaysItIs, Args{Node: id, Address: host, Value: label}))
		}
		f.Evidence = firstFew(f.Evidence)
		f.Remedy = msg(MsgGiveOwnIDs, Args{})
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
func (v *view) unknownNodes() []Finding {
	strangers := v.strangers()
	changing := len(strangers) > 2 && !slices.ContainsFunc(strangers, func(s stranger) bool { return s.answers > 1 })
	if changing || len(strangers) > maxStrangers {
		return []Finding{manyStrangers(strangers)}
	}
	var list []Finding
	for _, s := range strangers {
		f := Finding{Code: UnknownNode, Severity: Warning, Target: s.label}
		f.Summary = msg(MsgStranger, Args{Value: s.label})
		f.Evidence = []Message{s.evidence}
		f.Remedy = msg(MsgListIt, Args{})
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
	evidence Message // of the first
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
				label: a.Label, evidence: msg(MsgAnsweredByStranger, Args{Client: a.walk.Client, Value: a.Label, At: a.At}),
			})
		}
		list[at].answers++
	}
	return list
}

func manyStrangers(strangers []stranger) Finding {
	f := Finding{Code: UnknownNode, Severity: Warning}
	f.Summary = msg(MsgManyStrangers, Args{Count: len(strangers)})
	for _, s := range strangers {
		f.Evidence = append(f.Evidence, s.evidence)
	}
	f.Evidence = firstFew(f.Evidence)
	f.Remedy = msg(MsgCorrectNodeLabel, Args{})
	return f
}
