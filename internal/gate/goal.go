package gate

import (
	"cmp"
	"slices"

	"stickwatch/checks"
	"stickwatch/internal/phrase"
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
	Reason  phrase.Phrase
	Unknown bool // the condition may be met: there is no evidence
}

// Same reports whether two conditions read the same.
func (u Unmet) Same(other Unmet) bool {
	return u.Unknown == other.Unknown && u.Reason.String() == other.Reason.String()
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
		switch unmet := (Unmet{Reason: phrase.New("%s", f.Summary)}); {
		case !g.concerns(f) || !f.Severity.AtLeast(g.failOn()) || slices.ContainsFunc(list, unmet.Same):
		case f.ExplainedBy != "":
			explained = append(explained, unmet)
		default:
			list = append(list, unmet)
		}
	}
	if g.Node == "" && report.Verdict == checks.Inconclusive {
		for _, d := range report.Doubts {
			list = append(list, Unmet{phrase.New("%s", d), true})
		}
	}
	if len(list) == 0 {
		return explained // explained by a finding that is not severe enough to wait for
	}
	return list
}

// OutOfRotation returns the nodes that get no clients, each with the reason, except
// those that the operator has marked down.
func OutOfRotation(c *probes.Cluster, r checks.Report) []phrase.Phrase {
	var list []phrase.Phrase
	for _, n := range r.Nodes {
		switch {
		case markedDown(c, n.Node):
		case !n.Up:
			list = append(list, phrase.New("%s (does not answer)", n.Node))
		case n.InRotation == checks.No:
			list = append(list, phrase.New("%s (up, and the balancer sends it nothing)", n.Node))
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
		return []Unmet{{Reason: phrase.New("%s does not answer: %s", n.Node, phrase.Reason(n.Primary.Error))}}
	case !n.Up:
		return []Unmet{{Reason: phrase.New("%s answers HTTP %d", n.Node, n.Primary.Status)}}
	case n.Status.Paused():
		return []Unmet{{Reason: phrase.New("%s is paused", n.Node)}}
	case n.InRotation == checks.No:
		return []Unmet{{Reason: phrase.New("%s is up, and not in rotation", n.Node)}}
	case n.InRotation != checks.Yes:
		return []Unmet{{phrase.New("%s is up; whether it is in rotation is not known", n.Node), true}}
	default:
		return nil
	}
}

func (g Goal) versionUnmet(n checks.NodeReport) []Unmet {
	switch {
	case !n.Up && g.Node == "":
		return []Unmet{{Reason: phrase.New("%s does not answer", n.Node)}}
	case !n.Up || n.Version == g.Version:
		return nil
	case n.Version == "":
		return []Unmet{{phrase.New("%s does not report its version, want %s", n.Node, g.Version), true}}
	default:
		return []Unmet{{Reason: phrase.New("%s runs %s, want %s", n.Node, n.Version, g.Version)}}
	}
}
