package checks

import "time"

// startOrder finds a primary that was started after another node.
func startOrder(v *timeline) []Finding {
	started := starts(v)
	var list []Finding
	for _, primary := range v.Cluster.Nodes {
		since, told := started[primary.ID]
		if !primary.Primary || !told {
			continue
		}
		earlier := v.nodesWhere(func(id string) bool {
			t, told := started[id]
			return told && t.Before(since)
		})
		if len(earlier) == 0 {
			continue
		}
		f := about(StartOrder, Warning, primary.ID)
		f.Summary = msg(MsgPrimaryLate, Args{Node: primary.ID, Nodes: earlier})
		for _, id := range append([]string{primary.ID}, earlier...) {
			f.Evidence = append(f.Evidence, msg(MsgRunsSince, Args{Node: id, Value: asTold(started[id])}))
		}
		f.Evidence = limited(f.Evidence)
		f.Remedy = msg(MsgRestartOthers, Args{})
		list = append(list, f)
	}
	return list
}

// starts is when nodes started, by id: as their status says, or else as was seen
// from outside. A node that answered as long as it has been watched began
// before that, which is enough to tell that it was there before a primary that
// was seen to start.
func starts(v *timeline) map[string]time.Time {
	said, seen := make(map[string]time.Time), make(map[string]time.Time)
	for _, o := range v.active {
		if o.Status != nil && !o.Status.UpSince.IsZero() {
			said[o.Node] = o.Status.UpSince
		}
		if m := v.nodeHistory[o.Node]; !m.Started.IsZero() {
			seen[o.Node] = m.Started
		} else if node := v.Cluster.Nodes[v.index(o.Node)]; !m.Since.IsZero() && !node.Primary {
			seen[o.Node] = m.Since
		}
	}
	if len(said) > 0 {
		return said
	}
	return seen
}
