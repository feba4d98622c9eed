package checks

import (
	"maps"
	"slices"
	"time"
)

// clocks finds pairs of nodes whose clocks certainly differ by more than the
// limit: their intervals must exclude it.
func clocks(v *nodeStates) []Finding {
	limit := v.Cluster.Limits.ClockSkew
	if limit <= 0 {
		return nil
	}
	apart := make(map[string]int)
	var evidence []Message
	var widest time.Duration
	for i, a := range v.active {
		for _, b := range v.active[i+1:] {
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
	suspects := v.nodesWhere(func(id string) bool { return apart[id] == worst })
	if off := v.nodesWhere(func(id string) bool { return apart[id] > 0 && movedOffOwnAddress(v, id) }); len(off) > 0 && len(off) < len(suspects) {
		suspects = off // as many against as many: our own clock has a voice, too
	}
	f := aboutAll(ClockSkew, Warning, suspects)
	f.Summary = msg(MsgClocksDiffer, Args{Limit: limit, Nodes: f.Nodes})
	f.expires = widest >= expiringSkew
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgSynchroniseClocks, Args{})
	return []Finding{f}
}

// expiringSkew is how far apart clocks must be for sessions and signatures to be
// refused because of that.
const expiringSkew = time.Minute

// movedOffOwnAddress reports whether a node's clock is certainly off our own by more than
// the limit.
func movedOffOwnAddress(v *nodeStates, id string) bool {
	o := v.direct[id].Clock
	return o.Samples > 0 && (o.Min > v.Cluster.Limits.ClockSkew || o.Max < -v.Cluster.Limits.ClockSkew)
}
