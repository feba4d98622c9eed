package checks

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

// versions finds nodes that run different versions, or not the expected one.
func versions(v *view) []Finding {
	running := make(map[string]string)
	for _, o := range v.Nodes {
		if v.up[o.Node] && o.Version != "" {
			running[o.Node] = o.Version
		}
	}
	if v.ExpectVersion != "" {
		return v.unexpected(running)
	}
	return v.skew(VersionSkew, "", running, "the nodes run different versions",
		"Deploy one version everywhere; during a rolling deployment this passes by itself.")
}

// unexpected is critical, unlike a skew: somebody asked for this version, to
// have a deployment stopped where it is not there.
func (v *view) unexpected(running map[string]string) []Finding {
	var nodes, evidence []string
	for _, o := range v.Nodes {
		if v.up[o.Node] && running[o.Node] != v.ExpectVersion {
			nodes = append(nodes, o.Node)
			evidence = append(evidence, fmt.Sprintf("%s runs %s", o.Node, orElse(running[o.Node], "a version it does not tell")))
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	f := aboutAll(VersionSkew, Critical, nodes)
	f.Summary = fmt.Sprintf("%s do not run the expected version %s", join(nodes), v.ExpectVersion)
	if len(nodes) == 1 {
		f.Summary = fmt.Sprintf("%s does not run the expected version %s", nodes[0], v.ExpectVersion)
	}
	f.Evidence = evidence
	f.Remedy = "Wait for the deployment to reach these nodes, or deploy it there."
	return []Finding{f}
}

// settings finds settings that must be equal on all nodes, and are not.
func settings(v *view) []Finding {
	if v.Cluster.Status == nil {
		return nil
	}
	var list []Finding
	for _, key := range v.Cluster.Status.Settings {
		values := make(map[string]string)
		for _, o := range v.Nodes {
			if o.Status == nil {
				continue
			}
			if value, ok := o.Status.Settings[key]; ok {
				values[o.Node] = value
			}
		}
		list = append(list, v.skew(SettingsSkew, key, values, "the nodes differ in their setting "+key,
			"Give all nodes the same configuration and restart those that differ.")...)
	}
	return list
}

// skew finds nodes whose value differs from what most nodes have.
func (v *view) skew(code Code, target string, values map[string]string, summary, remedy string) []Finding {
	counts := make(map[string]int)
	for _, value := range values {
		counts[value]++
	}
	if len(counts) < 2 {
		return nil
	}
	kinds := slices.Sorted(maps.Keys(counts))
	most := slices.MaxFunc(kinds, func(a, b string) int { return counts[a] - counts[b] })
	tie := len(slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return counts[k] < counts[most] })) > 1
	var nodes, evidence []string
	for _, n := range v.Cluster.Nodes {
		value, told := values[n.ID]
		if !told {
			continue
		}
		evidence = append(evidence, fmt.Sprintf("%s: %s", n.ID, value))
		if tie || value != most {
			nodes = append(nodes, n.ID)
		}
	}
	f := aboutAll(code, Warning, nodes)
	f.Target = target
	f.Summary = fmt.Sprintf("%s (%s)", summary, join(kinds))
	f.Evidence, f.Remedy = evidence, remedy
	return []Finding{f}
}

// clocks finds pairs of nodes whose clocks certainly differ by more than the
// limit: their intervals must exclude it.
func clocks(v *view) []Finding {
	limit := v.Cluster.Limits.ClockSkew
	if limit <= 0 {
		return nil
	}
	apart := make(map[string]int)
	var evidence []string
	for i, a := range v.Nodes {
		for _, b := range v.Nodes[i+1:] {
			if a.Clock.Samples == 0 || b.Clock.Samples == 0 {
				continue
			}
			if gap := max(a.Clock.Min-b.Clock.Max, b.Clock.Min-a.Clock.Max); gap > limit {
				apart[a.Node]++
				apart[b.Node]++
				evidence = append(evidence, fmt.Sprintf("%s and %s are at least %s apart", a.Node, b.Node, gap.Round(time.Millisecond)))
			}
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	worst := slices.Max(slices.Collect(maps.Values(apart)))
	var nodes []string
	for _, n := range v.Cluster.Nodes {
		if apart[n.ID] == worst {
			nodes = append(nodes, n.ID)
		}
	}
	f := aboutAll(ClockSkew, Warning, nodes)
	f.Summary = fmt.Sprintf("the clocks of the nodes differ by more than %s (%s)", limit, join(nodes))
	f.Evidence = firstFew(evidence)
	f.Remedy = "Start time synchronisation (chrony, systemd-timesyncd) on these nodes and compare their time zones: sessions and signatures expire by the clock."
	return []Finding{f}
}

// startOrder finds a primary that was started after another node.
func startOrder(v *view) []Finding {
	started := func(n probes.Node) time.Time {
		if s := v.node(n.ID).Status; s != nil {
			return s.UpSince
		}
		return time.Time{}
	}
	for _, primary := range v.Cluster.Nodes {
		at := started(primary)
		if !primary.Primary || at.IsZero() {
			continue
		}
		var before []string
		for _, n := range v.Cluster.Nodes {
			if t := started(n); n.ID != primary.ID && !t.IsZero() && t.Before(at) {
				before = append(before, fmt.Sprintf("%s runs since %s", n.ID, t.Format(time.DateTime)))
			}
		}
		if len(before) > 0 {
			f := about(StartOrder, Warning, primary.ID)
			f.Summary = fmt.Sprintf("the primary %s was started after other nodes", primary.ID)
			f.Evidence = append([]string{fmt.Sprintf("%s runs since %s", primary.ID, at.Format(time.DateTime))}, before...)
			f.Remedy = "Restart the other nodes: the primary must be started first and stopped last."
			return []Finding{f}
		}
	}
	return nil
}
