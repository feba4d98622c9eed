package checks

import (
	"maps"
	"slices"
	"time"
)

// versions finds nodes that run different versions, or another than the expected
// version.
func versions(ns *nodeStates) []Finding {
	running := make(map[string]string)
	for _, o := range ns.enabled {
		if ns.up[o.Node] && o.Version != "" {
			running[o.Node] = o.Version
		}
	}
	if ns.round.ExpectVersion != "" {
		return unexpectedVersions(ns, running)
	}
	return skew(ns.round, VersionSkew, "", running, MsgVersionsDiffer, MsgDeployOneVersion)
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
	for _, o := range ns.enabled {
		if ns.up[o.Node] && running[o.Node] != ns.round.ExpectVersion {
			nodes = append(nodes, o.Node)
			evidence = append(evidence, msg(MsgRunsVersion, Args{Node: o.Node, Value: running[o.Node]}))
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	f := aboutAll(VersionSkew, Critical, nodes)
	f.Summary = msg(MsgVersionUnexpected, Args{Nodes: nodes, Value: ns.round.ExpectVersion})
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgWaitForDeployment, Args{})
	return []Finding{f}
}

// settings finds settings that must be equal on all nodes and are not.
func settings(ns *nodeStates) []Finding {
	if ns.round.Cluster.Status == nil {
		return nil
	}
	var list []Finding
	for _, key := range ns.round.Cluster.Status.Settings {
		values := make(map[string]string)
		for _, o := range ns.enabled {
			if o.Status == nil {
				continue
			}
			if value, ok := o.Status.Settings[key]; ok {
				values[o.Node] = value
			}
		}
		list = append(list, skew(ns.round, SettingsSkew, key, values, MsgSettingsDiffer, MsgEqualiseSettings)...)
	}
	return list
}

// skew finds nodes whose value differs from that of most nodes; all nodes in case of
// a tie.
func skew(r *Round, code Code, target string, values map[string]string, summary, remedy MessageID) []Finding {
	nodesByValue := make(map[string][]string) // by value, in configuration order
	for _, n := range r.Cluster.Nodes {
		if value, known := values[n.ID]; known {
			nodesByValue[value] = append(nodesByValue[value], n.ID)
		}
	}
	if len(nodesByValue) < 2 {
		return nil
	}
	kinds := slices.Sorted(maps.Keys(nodesByValue))
	slices.SortStableFunc(kinds, func(a, b string) int { return len(nodesByValue[b]) - len(nodesByValue[a]) })
	most := kinds[0]
	tie := len(nodesByValue[kinds[1]]) == len(nodesByValue[most])
	f := aboutAll(code, Warning, r.nodesWhere(func(id string) bool {
		value, known := values[id]
		return known && (tie || value != most)
	}))
	for _, kind := range kinds {
		f.Evidence = append(f.Evidence, msg(MsgNodesHave, Args{Nodes: nodesByValue[kind], Value: kind}))
	}
	f.Target, f.Evidence = target, limited(f.Evidence)
	f.Summary = msg(summary, Args{Setting: target, Values: kinds})
	f.Remedy = msg(remedy, Args{})
	return []Finding{f}
}

// clocks finds nodes whose clocks certainly differ by more than the limit: the
// intervals of their offsets exclude less.
func clocks(ns *nodeStates) []Finding {
	limit := ns.round.Cluster.Limits.ClockSkew
	if limit <= 0 {
		return nil
	}
	apart := make(map[string]int)
	var evidence []Message
	var widest time.Duration
	for i, a := range ns.enabled {
		for _, b := range ns.enabled[i+1:] {
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
	suspects := ns.round.nodesWhere(func(id string) bool { return apart[id] == worst })
	if off := ns.round.nodesWhere(func(id string) bool { return apart[id] > 0 && clockOff(ns, id) }); len(off) > 0 && len(off) < len(suspects) {
		suspects = off // our own clock breaks the tie
	}
	f := aboutAll(ClockSkew, Warning, suspects)
	f.Summary = msg(MsgClocksDiffer, Args{Limit: limit, Nodes: f.Nodes})
	f.facts.expires = widest >= expiringSkew
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
	return o.Samples > 0 && (o.Min > ns.round.Cluster.Limits.ClockSkew || o.Max < -ns.round.Cluster.Limits.ClockSkew)
}
