package checks

import (
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

// versions finds nodes that run different versions, or another than the expected
// version.
func versions(ns *nodeStates) []Finding {
	running := make(map[string]string)
	for _, o := range ns.active {
		if ns.up[o.Node] && o.Version != "" {
			running[o.Node] = o.Version
		}
	}
	if ns.ExpectVersion != "" {
		return unexpectedVersions(ns, running)
	}
	return skew(ns, VersionSkew, "", running, MsgVersionsDiffer, MsgDeployOneVersion)
}

// unexpectedVersions finds nodes that do not run the expected version. It is
// critical, unlike a skew, because the version was requested in order to stop a
// deployment without it. If no node reports its version, that is a doubt and no
// finding.
func unexpectedVersions(ns *nodeStates, running map[string]string) []Finding {
	if len(running) == 0 {
		return nil
	}
	var nodes []string
	var evidence []Message
	for _, o := range ns.active {
		if ns.up[o.Node] && running[o.Node] != ns.ExpectVersion {
			nodes = append(nodes, o.Node)
			evidence = append(evidence, msg(MsgRunsVersion, Args{Node: o.Node, Value: running[o.Node]}))
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	f := aboutAll(VersionSkew, Critical, nodes)
	f.Summary = msg(MsgVersionUnexpected, Args{Nodes: nodes, Value: ns.ExpectVersion})
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgWaitForDeployment, Args{})
	return []Finding{f}
}

// noVersion reports whether no node reports its version.
func noVersion(ns *nodeStates) bool {
	return !slices.ContainsFunc(ns.active, func(o probes.NodeObservation) bool { return o.Version != "" })
}

// settings finds settings that must be equal on all nodes and are not.
func settings(ns *nodeStates) []Finding {
	if ns.Cluster.Status == nil {
		return nil
	}
	var list []Finding
	for _, key := range ns.Cluster.Status.Settings {
		values := make(map[string]string)
		for _, o := range ns.active {
			if o.Status == nil {
				continue
			}
			if value, ok := o.Status.Settings[key]; ok {
				values[o.Node] = value
			}
		}
		list = append(list, skew(ns, SettingsSkew, key, values, MsgSettingsDiffer, MsgEqualiseSettings)...)
	}
	return list
}

// skew finds nodes whose value differs from that of most nodes; all nodes in case of
// a tie.
func skew(ns *nodeStates, code Code, target string, values map[string]string, summary, remedy MessageID) []Finding {
	holders := make(map[string][]string) // by value, in configuration order
	for _, n := range ns.Cluster.Nodes {
		if value, known := values[n.ID]; known {
			holders[value] = append(holders[value], n.ID)
		}
	}
	if len(holders) < 2 {
		return nil
	}
	kinds := slices.Sorted(maps.Keys(holders))
	slices.SortStableFunc(kinds, func(a, b string) int { return len(holders[b]) - len(holders[a]) })
	most := kinds[0]
	tie := len(holders[kinds[1]]) == len(holders[most])
	f := aboutAll(code, Warning, ns.nodesWhere(func(id string) bool {
		value, known := values[id]
		return known && (tie || value != most)
	}))
	for _, kind := range kinds {
		f.Evidence = append(f.Evidence, msg(MsgNodesHave, Args{Nodes: holders[kind], Value: kind}))
	}
	f.Target, f.Evidence = target, limited(f.Evidence)
	f.Summary = msg(summary, Args{Setting: target, Values: kinds})
	f.Remedy = msg(remedy, Args{})
	return []Finding{f}
}

// clocks finds nodes whose clocks certainly differ by more than the limit: the
// intervals of their offsets exclude less.
func clocks(ns *nodeStates) []Finding {
	limit := ns.Cluster.Limits.ClockSkew
	if limit <= 0 {
		return nil
	}
	apart := make(map[string]int)
	var evidence []Message
	var widest time.Duration
	for i, a := range ns.active {
		for _, b := range ns.active[i+1:] {
			if a.Clock.Samples == 0 || b.Clock.Samples == 0 {
				continue
			}
			if gap := max(a.Clock.Min-b.Clock.Max, b.Clock.Min-a.Clock.Max); gap > limit {
				widest = max(widest, gap)
				apart[a.Node]++
				apart[b.Node]++
				evidence = append(evidence, msg(MsgClocksApart, Args{Node: a.Node, Other: b.Node, Duration: gap.Round(time.Millisecond)}))
			}
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	worst := slices.Max(slices.Collect(maps.Values(apart)))
	suspects := ns.nodesWhere(func(id string) bool { return apart[id] == worst })
	if off := ns.nodesWhere(func(id string) bool { return apart[id] > 0 && clockOff(ns, id) }); len(off) > 0 && len(off) < len(suspects) {
		suspects = off // our own clock breaks the tie
	}
	f := aboutAll(ClockSkew, Warning, suspects)
	f.Summary = msg(MsgClocksDiffer, Args{Limit: limit, Nodes: f.Nodes})
	f.expires = widest >= expiringSkew
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgSynchroniseClocks, Args{})
	return []Finding{f}
}

// expiringSkew is the clock difference from which sessions and signatures may be
// refused as expired.
const expiringSkew = time.Minute

// clockOff reports whether a node's clock certainly differs from our own by more than
// the limit.
func clockOff(ns *nodeStates, id string) bool {
	o := ns.direct[id].Clock
	return o.Samples > 0 && (o.Min > ns.Cluster.Limits.ClockSkew || o.Max < -ns.Cluster.Limits.ClockSkew)
}

// startOrder finds a primary that was started after another node.
func startOrder(tl *timeline) []Finding {
	started, reported := starts(tl)
	var list []Finding
	for _, primary := range tl.Cluster.Nodes {
		since, known := started[primary.ID]
		if !primary.Primary || !known {
			continue
		}
		earlier := tl.nodesWhere(func(id string) bool {
			t, known := started[id]
			return known && t.Before(since)
		})
		if len(earlier) == 0 {
			continue
		}
		f := about(StartOrder, Warning, primary.ID)
		f.Summary = msg(MsgPrimaryLate, Args{Node: primary.ID, Nodes: earlier})
		for _, id := range append([]string{primary.ID}, earlier...) {
			since := Args{Node: id, At: started[id]}
			if reported {
				since = Args{Node: id, Value: wallTime(started[id])}
			}
			f.Evidence = append(f.Evidence, msg(MsgRunsSince, since))
		}
		f.Evidence = limited(f.Evidence)
		f.Remedy = msg(MsgRestartOthers, Args{})
		list = append(list, f)
	}
	return list
}

// starts returns when nodes started, by id: as their status reports, in a zone that only they
// know, or else as observed. A node that has answered ever since it is watched started before that,
// which suffices to compare it with a primary that was seen to start.
func starts(tl *timeline) (times map[string]time.Time, reported bool) {
	said, seen := make(map[string]time.Time), make(map[string]time.Time)
	for _, o := range tl.active {
		if o.Status != nil && !o.Status.UpSince.IsZero() {
			said[o.Node] = o.Status.UpSince
		}
		if m := tl.nodeHistory[o.Node]; !m.Started.IsZero() {
			seen[o.Node] = m.Started
		} else if node := tl.Cluster.Nodes[tl.index(o.Node)]; !m.Since.IsZero() && !node.Primary {
			seen[o.Node] = m.Since
		}
	}
	if len(said) > 0 {
		return said, true
	}
	return seen, false
}
