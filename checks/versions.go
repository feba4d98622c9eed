package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// versions finds nodes that run different versions, or not the expected one.
func versions(v *view) []Finding {
	running := make(map[string]string)
	for _, o := range v.active {
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
// have a deployment stopped where it is not there. Where no node tells its
// version, that is a doubt and no finding.
func (v *view) unexpected(running map[string]string) []Finding {
	if len(running) == 0 {
		return nil
	}
	var nodes, evidence []string
	for _, o := range v.active {
		if v.up[o.Node] && running[o.Node] != v.ExpectVersion {
			nodes = append(nodes, o.Node)
			evidence = append(evidence, fmt.Sprintf("%s runs %s", o.Node, orElse(running[o.Node], "a version it does not tell")))
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	f := aboutAll(VersionSkew, Critical, nodes)
	f.Summary = say(nodes, "does not run", "do not run") + " the expected version " + v.ExpectVersion
	f.Evidence = firstFew(evidence)
	f.Remedy = "Wait for the deployment to reach these nodes, or deploy it there."
	return []Finding{f}
}

// noVersion reports whether no node tells its version.
func (v *view) noVersion() bool {
	return !slices.ContainsFunc(v.active, func(o probes.NodeObservation) bool { return o.Version != "" })
}
