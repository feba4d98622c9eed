package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// This file judges nodes that come and go because their source (`nodes_from`) lists them or
// not. A node that has left is not asked any more, and its address may belong to another
// machine. Its clients may still arrive, and what its leaving cost them is reported.

// recentlyLeft returns the nodes that their source has ceased to list recently.
func (v *nodeStates) recentlyLeft() []probes.LeftNode {
	return v.Cluster.LeftSince(v.Started.Add(-rememberedFor))
}

// left reports whether a node has left recently.
func (v *nodeStates) left(node string) bool {
	return slices.ContainsFunc(v.recentlyLeft(), func(n probes.LeftNode) bool { return n.ID == node })
}

// everyNode returns the ids of the nodes, and of those that have left recently.
func (v *nodeStates) everyNode() []string {
	return v.withLeft(true, func(string) bool { return true })
}

// withLeft returns the ids of the nodes for which fits is true, in configuration order;
// with those that have left recently, if left is true.
func (v *nodeStates) withLeft(left bool, fits func(id string) bool) []string {
	ids := v.nodesWhere(fits)
	for _, n := range v.recentlyLeft() {
		if left && fits(n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// leave returns the history of a node that is no longer listed. It is disrupted from when
// it was last well to its last answer through the balancer.
func (v *timeline) leave(n probes.LeftNode, m NodeHistory) NodeHistory {
	last := n.At
	for _, a := range v.allAnswers {
		if a.node == n.ID && a.OK() && a.At.After(last) {
			last = a.At
		}
	}
	known := m.Left.Equal(n.At)
	if !known {
		m.Left = n.At
		m.Departures = append(slices.Clone(m.Departures), n.At)
		m.Departures = m.Departures[max(0, len(m.Departures)-keptDisruptions):]
		m.DownSince, m.SilentSince, m.Out = time.Time{}, time.Time{}, time.Time{}
	}
	if !known || last.After(n.At) {
		m = v.addSign(n.ID, m, DisruptionLeft, m.Seen, last, msg(MsgLeftTheList, Args{Node: n.ID}))
	}
	return m
}

// listed returns the history of a node that its source lists. A node without a history joined
// in this round, unless this is the first one.
func (v *timeline) listed(id string, m NodeHistory) NodeHistory {
	_, known := v.past().Nodes[id]
	if v.Source.Name != "" && len(v.past().Nodes) > 0 && (!known || !m.Left.IsZero()) {
		m.Joined = v.Started
	}
	m.Left = time.Time{}
	return m
}

// leftLongAgo reports whether a new client was answered by a node that left so long ago that
// the balancer should know.
func (v *nodeStates) leftLongAgo(a *answer) bool {
	return !a.trace.Continued && slices.ContainsFunc(v.Cluster.Left, func(n probes.LeftNode) bool {
		return n.ID == a.node && a.At.Sub(n.At) > restartReportedFor
	})
}

// sourceAnsweredSince reports whether the source has given its list again since an unlisted
// node was first met: the balancer may know a new node earlier. It is true without a source.
func (v *outcomes) sourceAnsweredSince(label string) bool {
	if v.Source.Name == "" {
		return true
	}
	first, met := v.past().Pool.Unlisted[label]
	return met && v.Source.Answered.Sub(first) >= v.Source.Interval
}

// unlistedSince returns when each name of an unlisted node was first met.
func (v *outcomes) unlistedSince() map[string]time.Time {
	if v.Source.Name == "" {
		return nil
	}
	since := make(map[string]time.Time)
	for _, a := range v.answers {
		if !a.OK() || !v.unlistedNode(a.Label) && !v.leftLongAgo(a) {
			continue
		}
		if first, known := v.past().Pool.Unlisted[a.Label]; known {
			since[a.Label] = first
		} else {
			since[a.Label] = v.Started
		}
	}
	return since
}

// changedBefore returns the nodes that joined or left shortly before a moment.
func (v *timeline) changedBefore(moment time.Time) []string {
	recent := func(at time.Time) bool {
		return !at.IsZero() && moment.Sub(at).Abs() <= time.Minute
	}
	return v.withLeft(true, func(id string) bool {
		return recent(v.nodeHistory[id].Joined) || recent(v.nodeHistory[id].Left)
	})
}

// sourceFailing finds that the source of the nodes gives no usable list.
func sourceFailing(v *nodeStates) []Finding {
	if v.Source.Error == "" {
		return nil
	}
	f := Finding{Code: DiscoveryFailing, Severity: Warning, Target: v.Source.Name}
	f.Summary = msg(MsgSourceFails, Args{Name: v.Source.Name, Count: v.Source.Nodes})
	f.Evidence = []Message{Quote(v.Source.Error), msg(MsgSourceAnswered, Args{At: v.Source.Answered})}
	f.Remedy = msg(MsgMendSource, Args{})
	return []Finding{f}
}

// nodesChanged finds that nodes have joined or left recently.
func nodesChanged(v *timeline) []Finding {
	f := Finding{Code: NodesChanged, Severity: Info}
	var joined, left []string
	note := func(id string, at time.Time, what MessageID) bool {
		if at.IsZero() || v.Started.Sub(at) > restartReportedFor {
			return false
		}
		if at.After(f.When) {
			f.When = at
		}
		f.Evidence = append(f.Evidence, msg(MsgAtMoment, Args{At: at, Why: new(msg(what, Args{Node: id}))}))
		return true
	}
	for _, id := range v.everyNode() {
		m := v.nodeHistory[id]
		if note(id, m.Left, MsgLeftTheList) {
			left = append(left, id)
		} else if note(id, m.Joined, MsgNodeJoined) {
			joined = append(joined, id)
		}
	}
	if len(joined)+len(left) == 0 {
		return nil
	}
	f.Summary = msg(MsgNodesChanged, Args{Nodes: left, Values: joined})
	f.Evidence = limited(f.Evidence)
	f.Remedy = msg(MsgNothingIfMeant, Args{})
	return []Finding{f}
}
