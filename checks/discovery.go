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
func (r *Round) recentlyLeft() []probes.LeftNode {
	return r.Cluster.LeftSince(r.Started.Add(-rememberedFor))
}

// delisted reports whether a node has left the list recently.
func (r *Round) delisted(node string) bool {
	return slices.ContainsFunc(r.recentlyLeft(), func(n probes.LeftNode) bool { return n.ID == node })
}

// everyNode returns the ids of the nodes, and of those that have left recently.
func (r *Round) everyNode() []string {
	return r.withLeft(func(string) bool { return true })
}

// withLeft returns the ids of the nodes for which fits is true, in configuration order, followed by
// those that have left recently.
func (r *Round) withLeft(fits func(id string) bool) []string {
	ids := r.nodesWhere(fits)
	for _, n := range r.recentlyLeft() {
		if fits(n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// markLeft returns the timeline of a node that is no longer listed. It is disrupted from when
// it was last ready to its last answer through the balancer.
func (tl *timeline) markLeft(leftNode probes.LeftNode, timeline NodeTimeline) NodeTimeline {
	last := leftNode.At
	for _, a := range tl.outcomes.allAnswers {
		if a.listedNode == leftNode.ID && a.OK() && a.At.After(last) {
			last = a.At
		}
	}
	known := timeline.DelistedAt.Equal(leftNode.At)
	if !known {
		timeline.DelistedAt = leftNode.At
		timeline.Departures = append(slices.Clone(timeline.Departures), leftNode.At)
		timeline.Departures = timeline.Departures[max(0, len(timeline.Departures)-keptDisruptions):]
		timeline.UnreadySince, timeline.SilentSince, timeline.LeftOutSince = time.Time{}, time.Time{}, time.Time{}
	}
	if !known || last.After(leftNode.At) {
		timeline = tl.addSign(leftNode.ID, timeline, DisruptionLeft, timeline.LastReady, last, msg(MsgLeftTheList, Args{Node: leftNode.ID}))
	}
	return timeline
}

// markListed returns the timeline of a node that its source lists. A node without a timeline joined
// in this round, unless this is the first one.
func (r *Round) markListed(id string, timeline NodeTimeline) NodeTimeline {
	_, known := r.past().Nodes[id]
	if r.Source.Name != "" && len(r.past().Nodes) > 0 && (!known || !timeline.DelistedAt.IsZero()) {
		timeline.Joined = r.Started
	}
	timeline.DelistedAt = time.Time{}
	return timeline
}

// leftLongAgo reports whether a new client was answered by a node that left so long ago that
// the balancer should know.
func (r *Round) leftLongAgo(a *answer) bool {
	return !a.trace.Continued && slices.ContainsFunc(r.Cluster.Left, func(n probes.LeftNode) bool {
		return n.ID == a.listedNode && a.At.Sub(n.At) > eventReportedFor
	})
}

// sourceAnsweredSince reports whether the source has given its list again since an unlisted
// node was first met: the balancer may know a new node earlier. It is true without a source.
func (r *Round) sourceAnsweredSince(label string) bool {
	if r.Source.Name == "" {
		return true
	}
	first, met := r.past().Balancer.Unlisted[label]
	return met && r.Source.Answered.Sub(first) >= r.Source.Interval
}

// fromUnlisted reports whether a node that is not listed answered.
func (oc *outcomes) fromUnlisted(a *answer) bool {
	return oc.isUnlistedLabel(a.Label) || oc.round.leftLongAgo(a)
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
	return tl.round.withLeft(func(id string) bool {
		return recent(tl.nodeTimelines[id].Joined) || recent(tl.nodeTimelines[id].DelistedAt)
	})
}

// sourceFailing finds that the source of the nodes gives no usable list.
func sourceFailing(r *Round) []Finding {
	if r.Source.Error == "" {
		return nil
	}
	f := Finding{Code: DiscoveryFailing, Severity: Warning, Target: r.Source.Name}
	f.Summary = msg(MsgSourceFails, Args{Name: r.Source.Name, Count: r.Source.Nodes})
	answered := MsgSourceAnswered
	if r.Source.Restored {
		answered = MsgSourceRestored
	}
	f.Evidence = []Message{Quote(r.Source.Error), msg(answered, Args{At: r.Source.Answered})}
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
	for _, id := range tl.round.everyNode() {
		timeline := tl.nodeTimelines[id]
		if note(id, timeline.DelistedAt, MsgLeftTheList) {
			delisted = append(delisted, id)
		} else if note(id, timeline.Joined, MsgNodeJoined) {
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
