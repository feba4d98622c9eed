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
func (ns *nodeStates) recentlyLeft() []probes.LeftNode {
	return ns.round.Cluster.LeftSince(ns.round.Started.Add(-rememberedFor))
}

// delisted reports whether a node has left the list recently.
func (ns *nodeStates) delisted(node string) bool {
	return slices.ContainsFunc(ns.recentlyLeft(), func(n probes.LeftNode) bool { return n.ID == node })
}

// everyNode returns the ids of the nodes, and of those that have left recently.
func (ns *nodeStates) everyNode() []string {
	return ns.withLeft(func(string) bool { return true })
}

// withLeft returns the ids of the nodes for which fits is true, in configuration order, followed by
// those that have left recently.
func (ns *nodeStates) withLeft(fits func(id string) bool) []string {
	ids := ns.nodesWhere(fits)
	for _, n := range ns.recentlyLeft() {
		if fits(n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// markLeft returns the history of a node that is no longer listed. It is disrupted from when
// it was last well to its last answer through the balancer.
func (tl *timeline) markLeft(leftNode probes.LeftNode, history NodeHistory) NodeHistory {
	last := leftNode.At
	for _, a := range tl.outcomes.allAnswers {
		if a.node == leftNode.ID && a.OK() && a.At.After(last) {
			last = a.At
		}
	}
	known := history.DelistedAt.Equal(leftNode.At)
	if !known {
		history.DelistedAt = leftNode.At
		history.Departures = append(slices.Clone(history.Departures), leftNode.At)
		history.Departures = history.Departures[max(0, len(history.Departures)-keptDisruptions):]
		history.UnwellSince, history.SilentSince, history.LeftOutSince = time.Time{}, time.Time{}, time.Time{}
	}
	if !known || last.After(leftNode.At) {
		history = tl.addSign(leftNode.ID, history, DisruptionLeft, history.LastWell, last, msg(MsgLeftTheList, Args{Node: leftNode.ID}))
	}
	return history
}

// markListed returns the history of a node that its source lists. A node without a history joined
// in this round, unless this is the first one.
func (tl *timeline) markListed(id string, history NodeHistory) NodeHistory {
	_, known := tl.round.past().Nodes[id]
	if tl.round.Source.Name != "" && len(tl.round.past().Nodes) > 0 && (!known || !history.DelistedAt.IsZero()) {
		history.Joined = tl.round.Started
	}
	history.DelistedAt = time.Time{}
	return history
}

// leftLongAgo reports whether a new client was answered by a node that left so long ago that
// the balancer should know.
func (ns *nodeStates) leftLongAgo(a *answer) bool {
	return !a.trace.Continued && slices.ContainsFunc(ns.round.Cluster.Left, func(n probes.LeftNode) bool {
		return n.ID == a.node && a.At.Sub(n.At) > eventReportedFor
	})
}

// sourceAnsweredSince reports whether the source has given its list again since an unlisted
// node was first met: the balancer may know a new node earlier. It is true without a source.
func (oc *outcomes) sourceAnsweredSince(label string) bool {
	if oc.round.Source.Name == "" {
		return true
	}
	first, met := oc.round.past().Balancer.Unlisted[label]
	return met && oc.round.Source.Answered.Sub(first) >= oc.round.Source.Interval
}

// fromUnlisted reports whether a node that is not listed answered.
func (oc *outcomes) fromUnlisted(a *answer) bool {
	return oc.isUnlistedLabel(a.Label) || oc.nodes.leftLongAgo(a)
}

// unlistedSince returns when each name of an unlisted node was first met.
func (oc *outcomes) unlistedSince() map[string]time.Time {
	if oc.round.Source.Name == "" {
		return nil
	}
	since := make(map[string]time.Time)
	for _, a := range oc.answers {
		if !a.OK() || !oc.fromUnlisted(a) {
			continue
		}
		if first, known := oc.round.past().Balancer.Unlisted[a.Label]; known {
			since[a.Label] = first
		} else {
			since[a.Label] = oc.round.Started
		}
	}
	return since
}

// changedAround returns the nodes that joined or left at most a minute before or after a moment: the
// balancer may change earlier than the source of the nodes says.
func (tl *timeline) changedAround(moment time.Time) []string {
	recent := func(at time.Time) bool {
		return !at.IsZero() && moment.Sub(at).Abs() <= time.Minute
	}
	return tl.nodes.withLeft(func(id string) bool {
		return recent(tl.nodeHistory[id].Joined) || recent(tl.nodeHistory[id].DelistedAt)
	})
}

// sourceFailing finds that the source of the nodes gives no usable list.
func sourceFailing(ns *nodeStates) []Finding {
	if ns.round.Source.Error == "" {
		return nil
	}
	f := Finding{Code: DiscoveryFailing, Severity: Warning, Target: ns.round.Source.Name}
	f.Summary = msg(MsgSourceFails, Args{Name: ns.round.Source.Name, Count: ns.round.Source.Nodes})
	answered := MsgSourceAnswered
	if ns.round.Source.Restored {
		answered = MsgSourceRestored
	}
	f.Evidence = []Message{Quote(ns.round.Source.Error), msg(answered, Args{At: ns.round.Source.Answered})}
	f.Remedy = msg(MsgMendSource, Args{})
	return []Finding{f}
}

// nodesChanged finds that nodes have joined or left recently.
func nodesChanged(tl *timeline) []Finding {
	finding := Finding{Code: NodesChanged, Severity: Info}
	var joined, delisted []string
	note := func(id string, at time.Time, what MessageID) bool {
		if at.IsZero() || tl.round.Started.Sub(at) > eventReportedFor {
			return false
		}
		if at.After(finding.When) {
			finding.When = at
		}
		finding.Evidence = append(finding.Evidence, msg(MsgAtMoment, Args{At: at, Why: new(msg(what, Args{Node: id}))}))
		return true
	}
	for _, id := range tl.nodes.everyNode() {
		history := tl.nodeHistory[id]
		if note(id, history.DelistedAt, MsgLeftTheList) {
			delisted = append(delisted, id)
		} else if note(id, history.Joined, MsgNodeJoined) {
			joined = append(joined, id)
		}
	}
	if len(joined)+len(delisted) == 0 {
		return nil
	}
	finding.Summary = msg(MsgNodesChanged, Args{Nodes: delisted, Values: joined})
	finding.Evidence = limited(finding.Evidence)
	finding.Remedy = msg(MsgNothingIfMeant, Args{})
	return []Finding{finding}
}
