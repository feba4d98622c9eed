package checks

import (
	"math"
	"slices"

	"stickwatch/probes"
)

// A serverList is a list of server lines that differs from the configured one by one edit.
type serverList struct {
	servers []probes.Node
	change  Message
	node    string // the node whose line was added or removed; "": none
}

// changeOfList finds the one change of the server list that explains the placement of
// every client. If the configured list explains them, that is a change only if earlier
// rounds found another one.
func (rem *remaps) changeOfList() (change Message, node string) {
	placed, answers := rem.placedByHash()
	switch {
	case rem.nodes.oracle == nil || len(placed) < 2:
		return Message{}, ""
	case rem.round.fits(rem.round.Cluster.Nodes, placed) && rem.round.Past.listDiffers():
		return msg(MsgListRestored, Args{}), ""
	case rem.round.fits(rem.round.Cluster.Nodes, placed):
		return Message{}, ""
	}
	lists := rem.round.otherLists()
	if chance := float64(len(lists)) * math.Pow(1/float64(len(rem.round.Cluster.Nodes)), float64(answers)); chance > 1-rem.round.Confidence {
		return Message{}, "" // clients that are scattered may happen to fit one of so many lists
	}
	for _, list := range lists {
		switch {
		case !rem.round.fits(list.servers, placed):
		case change.IsZero():
			change, node = list.change, list.node
		case list.change.ID == change.ID && list.node != node:
			return Message{}, "" // a few clients do not show which line it was
		}
	}
	return change, node
}

// placedByHash returns the nodes that answered new clients, by hashed key: their ids, or the
// labels of unlisted ones in quotes, and how many answers show it. It returns nil if a disruption may
// have changed the placement of some, or if answers to the same key disagree.
func (rem *remaps) placedByHash() (placed map[string]string, answers int) {
	if rem.round.keyIgnored(rem.outcomes.traffic) || len(rem.timeline.nodesDisruptedAt(rem.round.Started)) > 0 {
		return nil, 0
	}
	placed = make(map[string]string)
	for _, tr := range rem.outcomes.traces {
		key := rem.round.key(tr)
		if tr.Continued || key == "" {
			continue
		}
		for _, a := range tr.allAnswers() {
			switch {
			case !a.OK() || a.servingNode == "":
			case placed[key] == "", placed[key] == a.servingNode:
				placed[key] = a.servingNode
				answers++
			default:
				return nil, 0
			}
		}
	}
	return placed, answers
}

// fits reports whether a list of servers explains every placement.
func (r *Round) fits(servers []probes.Node, placed map[string]string) bool {
	c := *r.Cluster
	c.Nodes = servers
	picker, ok := Oracle(&c)
	if !ok {
		return false
	}
	for key, node := range placed {
		at, ok := picker.Pick(key)
		if !ok || servers[at].ID != node && servers[at].ID != "" {
			return false
		}
		if servers[at].ID == "" && slices.ContainsFunc(servers, func(n probes.Node) bool { return n.ID == node }) {
			return false
		}
	}
	return true
}

// otherLists returns the lists that differ from the configured one by one edit: a
// line fewer, another order, a line more.
func (r *Round) otherLists() []serverList {
	nodes := r.Cluster.Nodes
	var list []serverList
	for i, n := range nodes {
		list = append(list, serverList{slices.Delete(slices.Clone(nodes), i, i+1), msg(MsgLineRemoved, Args{Node: n.ID}), n.ID})
	}
	for _, order := range orders(nodes) {
		list = append(list, serverList{order, msg(MsgLinesReordered, Args{}), ""})
	}
	for i := range len(nodes) + 1 {
		unlistedNode := probes.Node{URL: nodes[0].URL, Weight: 1}
		list = append(list, serverList{slices.Insert(slices.Clone(nodes), i, unlistedNode), msg(MsgLineAdded, Args{}), ""})
	}
	return list
}

// maxPermuted is the maximum length of a list of which every order is tried. Of
// longer lists two lines are swapped, or all are reversed.
const maxPermuted = 5

// orders returns the other orders of the lines.
func orders(nodes []probes.Node) [][]probes.Node {
	var list [][]probes.Node
	if len(nodes) <= maxPermuted {
		permute(slices.Clone(nodes), 0, func(order []probes.Node) { list = append(list, slices.Clone(order)) })
		return list
	}
	for i := range nodes {
		for j := i + 1; j < len(nodes); j++ {
			swapped := slices.Clone(nodes)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			list = append(list, swapped)
		}
	}
	reversed := slices.Clone(nodes)
	slices.Reverse(reversed)
	return append(list, reversed)
}

// permute yields every order of the nodes from the kth on.
func permute(nodes []probes.Node, k int, yield func([]probes.Node)) {
	if k == len(nodes) {
		yield(nodes)
		return
	}
	for i := k; i < len(nodes); i++ {
		nodes[k], nodes[i] = nodes[i], nodes[k]
		permute(nodes, k+1, yield)
		nodes[k], nodes[i] = nodes[i], nodes[k]
	}
}
