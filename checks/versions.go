package checks

import (
	"slices"

	"stickwatch/probes"
)

// versions finds nodes that run different versions, or not the expected one.
func versions(v *nodeStates) []Finding {
	running := make(map[string]string)
	for _, o := range v.active {
		if v.up[o.Node] && o.Version != "" {
			running[o.Node] = o.Version
		}
	}
	if v.ExpectVersion != "" {
		return unexpectedVersions(v, running)
	}
	return skew(v, VersionSkew, "", running, MsgVersionsDiffer, MsgDeployOneVersion)
}

// unexpected is critical, unlike a skew: somebody asked for this version, to
// have a deployment stopped where it is not there. Where no node tells its
// version, that is a doubt and no finding.
func unexpectedVersions(v *nodeStates, running map[string]string) []Finding {
	if len(running) == 0 {
		return nil
	}
	var nodes []string
	var evidence []Message
	for _, o := range v.active {
		if v.up[o.Node] && running[o.Node] != v.ExpectVersion {
			nodes = append(nodes, o.Node)
			evidence = append(evidence, msg(MsgRunsVersion, Args{Node: o.Node, Value: running[o.Node]}))
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	f := aboutAll(VersionSkew, Critical, nodes)
	f.Summary = msg(MsgVersionUnexpected, Args{Nodes: nodes, Value: v.ExpectVersion})
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgWaitForDeployment, Args{})
	return []Finding{f}
}

// noVersion reports whether no node tells its version.
func noVersion(v *nodeStates) bool {
	return !slices.ContainsFunc(v.active, func(o probes.NodeObservation) bool { return o.Version != "" })
}
