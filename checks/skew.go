package checks

import (
	"maps"
	"slices"
)

// skew finds nodes whose value differs from what most nodes have; all of them
// where there is a tie.
func skew(v *nodeStates, code Code, target string, values map[string]string, summary, remedy MessageID) []Finding {
	holders := make(map[string][]string) // by value, in configuration order
	for _, n := range v.Cluster.Nodes {
		if value, told := values[n.ID]; told {
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
	f := aboutAll(code, Warning, v.nodesWhere(func(id string) bool {
		value, told := values[id]
		return told && (tie || value != most)
	}))
	for _, kind := range kinds {
		f.Evidence = append(f.Evidence, msg(MsgNodesHave, Args{Nodes: holders[kind], Value: kind}))
	}
	f.Target, f.Evidence = target, limited(f.Evidence)
	f.Summary = msg(summary, Args{Setting: target, Values: kinds})
	f.Remedy = msg(remedy, Args{})
	return []Finding{f}
}
