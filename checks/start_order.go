package checks

import (
	"time"
)

// startOrder finds a primary that was started after another node.
func startOrder(tl *timeline) []Finding {
	started, reported := starts(tl)
	var list []Finding
	for _, primary := range tl.round.Cluster.Nodes {
		since, known := started[primary.ID]
		if !primary.Primary || !known {
			continue
		}
		earlier := tl.round.nodesWhere(func(id string) bool {
			t, known := started[id]
			return known && t.Before(since)
		})
		if len(earlier) == 0 {
			continue
		}
		f := about(StartOrder, Warning, primary.ID)
		f.Summary = msg(MsgPrimaryLate, Args{Node: primary.ID, Nodes: earlier})
		for _, id := range append([]string{primary.ID}, earlier...) {
			args := Args{Node: id, At: started[id]}
			if reported {
				args = Args{Node: id, Value: wallTime(started[id])}
			}
			f.Evidence = append(f.Evidence, msg(MsgRunsSince, args))
		}
		f.Evidence = limited(f.Evidence)
		f.Remedy = msg(MsgRestartOthers, Args{})
		list = append(list, f)
	}
	return list
}

// starts returns when nodes started, by id: as their status reports, in the node's own time zone,
// which is not known, or else as observed. The two are never compared. A node that has answered ever since it is watched started before that,
// which suffices to compare it with a primary that was seen to start.
func starts(tl *timeline) (times map[string]time.Time, reported bool) {
	said, seen := make(map[string]time.Time), make(map[string]time.Time)
	for _, o := range tl.nodes.enabled {
		if o.Status != nil && !o.Status.UpSince.IsZero() {
			said[o.Node] = o.Status.UpSince
		}
		if timeline := tl.nodeTimelines[o.Node]; !timeline.ListensAgainAt.IsZero() {
			seen[o.Node] = timeline.ListensAgainAt
		} else if node := tl.round.Cluster.Nodes[tl.round.index(o.Node)]; !timeline.FirstAnswered.IsZero() && !node.Primary {
			seen[o.Node] = timeline.FirstAnswered
		}
	}
	if len(said) > 0 {
		return said, true
	}
	return seen, false
}
