package gate

import (
	"cmp"
	"fmt"
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Goal is the state to wait for after a deployment. The zero value is a cluster
// without critical findings.
type Goal struct {
	Node    string          // only this node matters: it must be healthy and in rotation; "": the whole cluster
	Version string          // version that must run, on Node or on every node; "": any
	FailOn  checks.Severity // no finding of this severity or above may remain; "": critical
}

// An Unmet is a condition of a goal that a cluster does not meet.
type Unmet struct {
	Reason  string // one sentence
	Unknown bool   // the condition may be met: there is no evidence
}

// Unmet returns the conditions that a report does not meet; none: the goal is reached.
func (g Goal) Unmet(c *probes.Cluster, report checks.Report) []Unmet {
	var list, explained []Unmet
	for _, n := range report.Nodes {
		if g.Node == n.Node {
			list = append(list, notServing(n)...)
		}
		if g.Version != "" && (g.Node == "" && !markedDown(c, n.Node) || g.Node == n.Node) {
			list = append(list, g.versionUnmet(n)...)
		}
	}
	for _, f := range report.Findings {
		switch unmet := (Unmet{Reason: f.Summary.String()}); {
		case !g.concerns(f) || !f.Severity.AtLeast(g.failOn()) || slices.Contains(list, unmet):
		case f.ExplainedBy != "":
			explained = append(explained, unmet)
		default:
			list = append(list, unmet)
		}
	}
	if g.Node == "" && report.Verdict == checks.Inconclusive {
		for _, d := range report.Doubts {
			list = append(list, Unmet{d.String(), true})
		}
	}
	if len(list) == 0 {
		return explained // explained by a finding that is not severe enough to wait for
	}
	return list
}

// OutOfRotation returns the nodes that get no clients, each with the reason, except
// those that the operator has marked down.
func OutOfRotation(c *probes.Cluster, r checks.Report) []string {
	var list []string
	for _, n := range r.Nodes {
		switch {
		case markedDown(c, n.Node):
		case !n.Up:
			list = append(list, n.Node+" (does not answer)")
		case n.InRotation == checks.No:
			list = append(list, n.Node+" (up, and the balancer sends it nothing)")
		}
	}
	return list
}

// markedDown reports whether the operator has marked a node down. Such a node is not
// part of a goal.
func markedDown(c *probes.Cluster, node string) bool {
	return slices.ContainsFunc(c.Nodes, func(n probes.Node) bool { return n.ID == node && n.Down })
}

func (g Goal) failOn() checks.Severity { return cmp.Or(g.FailOn, checks.Critical) }

// concerns reports whether a finding prevents the goal. A version that is not deployed
// yet is reported per node instead.
func (g Goal) concerns(f checks.Finding) bool {
	if g.Version != "" && f.Code == checks.VersionSkew {
		return false
	}
	return g.Node == "" || slices.Contains(f.Nodes, g.Node)
}

// notServing returns the reasons why a node does not serve yet.
func notServing(n checks.NodeReport) []Unmet {
	switch {
	case !n.Up && n.Primary.Error != "":
		return []Unmet{{Reason: fmt.Sprintf("%s does not answer: %s", n.Node, n.Primary.Error)}}
	case !n.Up:
		return []Unmet{{Reason: fmt.Sprintf("%s answers HTTP %d", n.Node, n.Primary.Status)}}
	case n.Status.Paused():
		return []Unmet{{Reason: n.Node + " is paused"}}
	case n.InRotation == checks.No:
		return []Unmet{{Reason: n.Node + " is up, and not in rotation"}}
	case n.InRotation != checks.Yes:
		return []Unmet{{n.Node + " is up; whether it is in rotation is not known", true}}
	default:
		return nil
	}
}

func (g Goal) versionUnmet(n checks.NodeReport) []Unmet {
	switch {
	case !n.Up && g.Node == "":
		return []Unmet{{Reason: n.Node + " does not answer"}}
	case !n.Up || n.Version == g.Version:
		return nil
	case n.Version == "":
		return []Unmet{{fmt.Sprintf("%s does not report its version, want %s", n.Node, g.Version), true}}
	default:
		return []Unmet{{Reason: fmt.Sprintf("%s runs %s, want %s", n.Node, n.Version, g.Version)}}
	}
}
