package checks

import (
	"maps"
	"net"
	"slices"
	"strings"

	"stickwatch/probes"
)

// An Identity maps labels to nodes. Applications choose their own labels (tomcat1, a
// process id, 10.0.0.1:8080), so labels are learnt by asking every node directly.
type Identity struct {
	nodesByLabel map[string][]string // lower-case label: ids of the nodes that report it or, if none does, that had it or are configured with it
	reported     map[string]string   // node id: the label it reported
}

// Identify learns the labels that nodes reported directly, one observation a node.
func Identify(cluster *probes.Cluster, observed []probes.NodeObservation) Identity {
	who := Identity{nodesByLabel: make(map[string][]string), reported: make(map[string]string)}
	for _, o := range observed {
		if label := fold(o.Label); label != "" {
			who.reported[o.Node] = o.Label
			who.nodesByLabel[label] = append(who.nodesByLabel[label], o.Node)
		}
	}
	for _, o := range observed { // a node that does not answer keeps its name; of two, the first
		if label := fold(o.LastLabel); label != "" && len(who.nodesByLabel[label]) == 0 {
			who.nodesByLabel[label] = []string{o.Node}
		}
	}
	for _, n := range cluster.Left {
		for _, name := range []string{n.LastLabel, n.ID, hostPort(n.Node)} {
			if label := fold(name); label != "" && len(who.nodesByLabel[label]) == 0 {
				who.nodesByLabel[label] = []string{n.ID}
			}
		}
	}
	// A label that no node reported may be a name in the configuration, the most
	// specific first.
	for _, name := range []func(probes.Node) string{
		func(n probes.Node) string { return n.Label },
		func(n probes.Node) string { return n.ID },
		probes.Node.ServerName,
		func(n probes.Node) string { return n.URL.Host },
		hostPort,
	} {
		given := make(map[string][]string)
		for _, n := range cluster.Nodes {
			if label := fold(name(n)); label != "" && len(who.nodesByLabel[label]) == 0 {
				given[label] = append(given[label], n.ID)
			}
		}
		maps.Copy(who.nodesByLabel, given)
	}
	return who
}

// hostPort returns a node's address as nginx's $upstream_addr has it: with the port,
// which the URL may leave out.
func hostPort(n probes.Node) string {
	port := n.URL.Port()
	switch {
	case port != "":
	case n.URL.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(n.URL.Hostname(), port)
}

// NodeOf returns the id of the node that a label names; "": none, or several. Of a
// list of tries ("10.0.0.1:80, 10.0.0.2:80" in nginx's $upstream_addr) the last one
// answered.
func (i Identity) NodeOf(label string) string {
	owners := i.nodesByLabel[fold(label)]
	if len(owners) == 0 {
		upstreams := attempts(label)
		last := upstreams[len(upstreams)-1]
		owners = i.nodesByLabel[fold(last[len(last)-1])]
	}
	if len(owners) == 1 {
		return owners[0]
	}
	return ""
}

// FailedOver returns the ids of the nodes that a label lists as tried without an
// answer: all but the last of each upstream. The last one answered, if only with a
// redirect to the next upstream.
func (i Identity) FailedOver(label string) []string {
	if len(i.nodesByLabel[fold(label)]) > 0 {
		return nil
	}
	var ids []string
	for _, upstream := range attempts(label) {
		for _, try := range upstream[:len(upstream)-1] {
			if id := i.NodeOf(try); id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Ambiguous reports whether a label names several nodes.
func (i Identity) Ambiguous(label string) bool { return len(i.nodesByLabel[fold(label)]) > 1 }

// attempts splits nginx's $upstream_addr: " : " separates the upstreams of an
// internal redirect, ", " the servers tried in one. The result has at least one part,
// with at least one server.
func attempts(label string) [][]string {
	var list [][]string
	for upstream := range strings.SplitSeq(label, " : ") {
		list = append(list, strings.Split(upstream, ", "))
	}
	return list
}

func fold(label string) string { return strings.ToLower(strings.TrimSpace(label)) }

// identities finds nodes with the same label, nodes that answer as another one, and
// unlisted nodes.
func identities(oc *outcomes) []Finding {
	list := append(duplicates(oc.nodes), misidentified(oc.nodes)...)
	return append(list, unlistedNodes(oc)...)
}

func duplicates(ns *nodeStates) []Finding {
	var list []Finding
	for _, n := range ns.round.Cluster.Nodes {
		label := ns.identity.reported[n.ID]
		owners := ns.identity.nodesByLabel[fold(label)]
		if label == "" || len(owners) < 2 || owners[0] != n.ID {
			continue
		}
		f := aboutAll(DuplicateNodeID, Warning, slices.Clone(owners))
		f.Target = label
		f.Summary = msg(MsgDuplicateID, Args{Nodes: owners, Value: label})
		for _, id := range owners {
			host := ns.round.Cluster.Nodes[ns.round.index(id)].URL.Host
			f.Evidence = append(f.Evidence, msg(MsgSaysItIs, Args{Node: id, Address: host, Value: label}))
		}
		f.Evidence = limited(f.Evidence)
		f.Remedy = msg(MsgGiveOwnIDs, Args{})
		list = append(list, f)
	}
	return list
}

func misidentified(ns *nodeStates) []Finding {
	var list []Finding
	for _, n := range ns.round.Cluster.Nodes {
		label := ns.identity.reported[n.ID]
		if label == "" || calls(n, label) || ns.identity.Ambiguous(label) {
			continue
		}
		at := slices.IndexFunc(ns.round.Cluster.Nodes, func(other probes.Node) bool { return calls(other, label) })
		if at < 0 {
			continue
		}
		other := ns.round.Cluster.Nodes[at].ID
		f := about(NodeMisidentified, Warning, n.ID)
		f.Summary = msg(MsgMisidentified, Args{Node: n.ID, Other: other})
		f.Evidence = []Message{msg(MsgSaysItIs, Args{Address: n.URL.Host, Value: label})}
		f.Remedy = msg(MsgCorrectAddresses, Args{Node: n.ID, Other: other})
		list = append(list, f)
	}
	return list
}

// calls reports whether label is n's id or label in the configuration.
func calls(n probes.Node, label string) bool {
	return fold(label) == fold(n.ID) || (n.Label != "" && fold(label) == fold(n.Label))
}

// unlistedNodes finds answers through the balancer from nodes that are not listed. Too
// many labels, or labels that change with every answer, are one finding, so that each
// round does not make new ones.
func unlistedNodes(oc *outcomes) []Finding {
	unlistedNodes := unlistedLabels(oc)
	changing := len(unlistedNodes) > 2 && !slices.ContainsFunc(unlistedNodes, func(s unlistedLabel) bool { return s.answers > 1 })
	if changing || len(unlistedNodes) > maxUnlistedLabels {
		return []Finding{manyUnlistedLabels(unlistedNodes)}
	}
	var list []Finding
	for _, s := range unlistedNodes {
		f := Finding{Code: UnknownNode, Severity: Warning, Target: s.label}
		f.Summary = msg(MsgUnlistedNode, Args{Value: s.label})
		f.Evidence = []Message{s.evidence}
		f.Remedy = msg(MsgListIt, Args{})
		list = append(list, f)
	}
	return list
}

// maxUnlistedLabels is the maximum number of findings about unlisted names, since
// pages may show a new name each time.
const maxUnlistedLabels = 5

// An unlistedLabel is a label of an answer that no listed node has.
type unlistedLabel struct {
	label    string
	answers  int
	evidence Message // of the first answer
}

func unlistedLabels(oc *outcomes) []unlistedLabel {
	var list []unlistedLabel
	for _, a := range oc.answers {
		if !a.OK() || !oc.fromUnlisted(a) || !oc.round.sourceAnsweredSince(a.Label) {
			continue
		}
		at := slices.IndexFunc(list, func(s unlistedLabel) bool { return s.label == a.Label })
		if at < 0 {
			at = len(list)
			list = append(list, unlistedLabel{
				label: a.Label, evidence: msg(MsgAnsweredByUnlisted, Args{Client: a.trace.Client, Value: a.Label, At: a.At}),
			})
		}
		list[at].answers++
	}
	return list
}

func manyUnlistedLabels(unlistedNodes []unlistedLabel) Finding {
	f := Finding{Code: UnknownNode, Severity: Warning}
	f.Summary = msg(MsgManyUnlistedNodes, Args{Count: len(unlistedNodes)})
	for _, s := range unlistedNodes {
		f.Evidence = append(f.Evidence, s.evidence)
	}
	f.Evidence = limited(f.Evidence)
	f.Remedy = msg(MsgCorrectNodeLabel, Args{})
	return f
}
