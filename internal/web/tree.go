package web

import (
	"slices"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A findingNode is a finding with what it explains.
type findingNode struct {
	Tone     tone
	Severity string
	Code     string
	Title    string // the code, in words
	Summary  string
	Affected string // how many clients, in words; "": not estimated
	Remedy   string // "": it goes when its cause does
	Evidence []string
	Since    timestamp
	Ended    timestamp // Text "–": it holds
	Resolved bool
	Children []findingNode
}

// tree puts findings below their causes. A finding whose cause is not among
// them, or which is its own cause over some others, stands at the top.
func (v viewContext) tree(members []alerting.Member) []findingNode {
	type subject struct{ cluster, cacheKey string }
	keys := make([]subject, len(members))
	for i, m := range members {
		keys[i] = subject{m.Cluster, m.Key()}
	}
	several := slices.ContainsFunc(members, func(m alerting.Member) bool { return m.Cluster != members[0].Cluster })
	placed := make([]bool, len(members))
	var below func(cause subject) []findingNode
	grow := func(i int) findingNode {
		placed[i] = true
		b := v.findingNode(members[i])
		if several {
			b.Summary = word(members[i].Cluster) + ": " + b.Summary
		}
		b.Children = below(keys[i])
		return b
	}
	below = func(cause subject) (branches []findingNode) {
		for i, m := range members {
			if !placed[i] && m.ExplainedBy == cause.cacheKey && m.Cluster == cause.cluster {
				branches = append(branches, grow(i))
			}
		}
		return branches
	}
	var roots []findingNode
	for i, m := range members {
		if !placed[i] && (m.ExplainedBy == "" || !slices.Contains(keys, subject{m.Cluster, m.ExplainedBy})) {
			roots = append(roots, grow(i))
		}
	}
	for i := range members {
		if !placed[i] {
			roots = append(roots, grow(i))
		}
	}
	return roots
}

// activeFindings makes members of what a report found, which hold by being there.
func activeFindings(p Snapshot) []alerting.Member {
	since := sinceByKey(p.ActiveFindings)
	members := make([]alerting.Member, 0, len(p.Report.Findings))
	for _, f := range p.Report.Findings {
		members = append(members, alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: f, Since: since[f.Key()]}})
	}
	return members
}

// maxEvidence bounds the lines of evidence of a finding on a page.
const maxEvidence = 12

func (v viewContext) findingNode(m alerting.Member) findingNode {
	b := findingNode{
		Tone:     toneOfSeverity(m.Severity),
		Severity: v.translate(string(m.Severity)),
		Code:     string(m.Code),
		Title:    v.title(m.Code),
		Summary:  v.sentence(m.Summary),
		Affected: v.affected(m.Affected),
		Since:    v.timestamp(m.Since),
		Ended:    v.timestamp(m.Ended),
		Resolved: !m.Holds(),
	}
	if m.ExplainedBy == "" && m.Holds() {
		b.Remedy = v.remedy(m.Finding)
	}
	for _, e := range m.Evidence[:min(len(m.Evidence), maxEvidence)] {
		b.Evidence = append(b.Evidence, v.sentence(e))
	}
	return b
}
