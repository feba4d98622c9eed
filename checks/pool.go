package checks

import (
	"slices"

	"stickwatch/probes"
)

// A pool is a list of server lines that differs from the configured one by one edit.
type pool struct {
	servers []probes.Node
	change  Message
	node    string // the node whose line was added or removed; "": none
}

// changeOfPool finds the one change of the server list that explains the placement of
// every client. If the configured list explains them, that is a change only if earlier
// rounds found another one.
func (remaps *remaps) changeOfPool() (change Message, node string) {
	placed := remaps.placedByHash()
	switch {
	case remaps.oracle == nil || len(placed) < 2:
		return Message{}, ""
	case remaps.fits(remaps.Cluster.Nodes, placed) && remaps.Past.remapped():
		return msg(MsgListRestored, Args{}), ""
	case remaps.fits(remaps.Cluster.Nodes, placed):
		return Message{}, ""
	}
	for _, p := range remaps.otherPools() {
		if remaps.fits(p.servers, placed) {
			return p.change, p.node
		}
	}
	return Message{}, ""
}

// placedByHash returns the nodes that answered new clients, by hashed key. It returns
// nil if a disruption may have changed the placement of some.
func (remaps *remaps) placedByHash() map[string]string {
	placed := make(map[string]string)
	for _, w := range remaps.traces {
		key := remaps.key(w)
		if w.Continued || key == "" || w.openedBy == "" || !w.First().OK() {
			continue
		}
		placed[key] = w.openedBy
	}
	if remaps.keyIgnored(remaps.traffic) || len(remaps.nodesDisruptedAt(remaps.Started)) > 0 {
		return nil
	}
	return placed
}

// fits reports whether a list of servers explains every placement.
func (remaps *remaps) fits(servers []probes.Node, placed map[string]string) bool {
	c := *remaps.Cluster
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

// otherPools returns the lists that differ from the configured one by one edit: a
// line fewer, another order, a line more.
func (remaps *remaps) otherPools() []pool {
	nodes := remaps.Cluster.Nodes
	var list []pool
	for i, n := range nodes {
		list = append(list, pool{slices.Delete(slices.Clone(nodes), i, i+1), msg(MsgLineRemoved, Args{Node: n.ID}), n.ID})
	}
	for _, order := range orders(nodes) {
		list = append(list, pool{order, msg(MsgLinesReordered, Args{}), ""})
	}
	for i := range len(nodes) + 1 {
		unlistedNode := probes.Node{URL: nodes[0].URL, Weight: 1}
		list = append(list, pool{slices.Insert(slices.Clone(nodes), i, unlistedNode), msg(MsgLineAdded, Args{}), ""})
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

// poolHistory returns the history of the pool with this round's observations.
func (remaps *remaps) poolHistory() PoolHistory {
	poolHistory := remaps.past().Pool
	for _, m := range remaps.drifts {
		if m.At.After(poolHistory.Drifted) {
			poolHistory.Drifted = m.At
		}
	}
	placed := remaps.placedByHash()
	if remaps.oracle != nil && len(placed) >= 2 {
		poolHistory.Agreed = remaps.fits(remaps.Cluster.Nodes, placed)
	}
	if remaps.remap == nil {
		return poolHistory
	}
	r := remaps.remap.Remapping
	r.Last = r.At
	if old := poolHistory.Remapped; remaps.Started.Sub(old.At) <= remappingReportedFor { // several rounds may see one event
		r.At, r.Moved, r.Of, r.Lost = old.At, max(old.Moved, r.Moved), max(old.Of, r.Of), max(old.Lost, r.Lost)
		if !old.Change.IsZero() {
			r.Change = old.Change
		}
		r.Nodes = remaps.nodesWhere(func(id string) bool { return slices.Contains(old.Nodes, id) || slices.Contains(r.Nodes, id) })
		r.Evidence, r.Cause = old.Evidence, old.Cause
	}
	poolHistory.Remapped = r
	return poolHistory
}
