package gate

import (
	"fmt"
	"slices"

	"stickwatch/checks"
)

// A Goal is what is waited for after a deployment. Its zero value is a cluster
// without critical findings.
type Goal struct {
	Node    string          // only this node matters: it is to be well and in rotation; "": the whole cluster
	Version string          // that is to run, on Node or on every node; "": any
	FailOn  checks.Severity // no finding at or above it may be left; "": critical
}

// Missing tells what stands between a cluster and the goal, one sentence each;
// none: it is reached.
func (g Goal) Missing(r checks.Report) []string {
	var list []string
	for _, n := range r.Nodes {
		if g.Node == n.Node {
			list = append(list, notBack(n)...)
		}
		if g.Version != "" && (g.Node == "" || g.Node == n.Node) {
			list = append(list, g.notThere(n)...)
		}
	}
	for _, f := range r.Findings {
		if g.concerns(f) && f.Severity.AtLeast(g.failOn()) && f.ExplainedBy == "" && !slices.Contains(list, f.Summary) {
			list = append(list, f.Summary)
		}
	}
	if g.Node == "" && r.Verdict == checks.Inconclusive {
		list = append(list, r.Doubts...)
	}
	return list
}

func (g Goal) failOn() checks.Severity {
	if g.FailOn == "" {
		return checks.Critical
	}
	return g.FailOn
}

// concerns reports whether a finding stands in the way. A version that is not
// there yet is told by node.
func (g Goal) concerns(f checks.Finding) bool {
	if g.Version != "" && f.Code == checks.VersionSkew {
		return false
	}
	return g.Node == "" || slices.Contains(f.Nodes, g.Node)
}

// notBack is why a node does not serve yet.
func notBack(n checks.NodeReport) []string {
	switch {
	case !n.Up && n.Primary.Error != "":
		return []string{fmt.Sprintf("%s does not answer: %s", n.Node, n.Primary.Error)}
	case !n.Up:
		return []string{fmt.Sprintf("%s answers HTTP %d", n.Node, n.Primary.Status)}
	case n.Status.Paused():
		return []string{n.Node + " is paused"}
	case n.InRotation == checks.No:
		return []string{n.Node + " is up, and not in rotation"}
	case n.InRotation != checks.Yes:
		return []string{n.Node + " is up; whether it is in rotation is not known"}
	default:
		return nil
	}
}

func (g Goal) notThere(n checks.NodeReport) []string {
	switch {
	case !n.Up && g.Node == "":
		return []string{n.Node + " does not answer"}
	case !n.Up || n.Version == g.Version:
		return nil
	case n.Version == "":
		return []string{fmt.Sprintf("%s does not tell its version, want %s", n.Node, g.Version)}
	default:
		return []string{fmt.Sprintf("%s runs %s, want %s", n.Node, n.Version, g.Version)}
	}
}
