package web

import (
	"slices"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A branch is a finding with what it explains.
type branch struct {
	Mark     mark
	Severity string
	Code     string
	Title    string // the code, in words
	Summary  string
	Affected string // how many clients, in words; "": not estimated
	Remedy   string // "": it goes when its cause does
	Evidence []string
	Since    moment
	Ended    moment // Text "–": it holds
	Over     bool
	Branches []branch
}

// tree puts findings below their causes. A finding whose cause is not among
// them, or which is its own cause over some others, stands at the top.
func (v viewer) tree(members []alerting.Member) []branch {
	type subject struct{ cluster, key string }
	keys := make([]subject, len(members))
	for i, m := range members {
		keys[i] = subject{m.Cluster, m.Key()}
	}
	several := slices.ContainsFunc(members, func(m alerting.Member) bool { return m.Cluster != members[0].Cluster })
	placed := make([]bool, len(members))
	var below func(cause subject) []branch
	grow := func(i int) branch {
		placed[i] = true
		b := v.branch(members[i])
		if several {
			b.Summary = word(members[i].Cluster) + ": " + b.Summary
		}
		b.Branches = below(keys[i])
		return b
	}
	below = func(cause subject) (branches []branch) {
		for i, m := range members {
			if !placed[i] && m.ExplainedBy == cause.key && m.Cluster == cause.cluster {
				branches = append(branches, grow(i))
			}
		}
		return branches
	}
	var roots []branch
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

// standing makes members of what a report found, which hold by being there.
func standing(p Picture) []alerting.Member {
	since := sinceByKey(p.Standing)
	members := make([]alerting.Member, 0, len(p.Report.Findings))
	for _, f := range p.Report.Findings {
		members = append(members, alerting.Member{Standing: checks.Standing{Finding: f, Since: since[f.Key()]}})
	}
	return members
}

// mostEvidence bounds the lines of evidence of a finding on a page.
const mostEvidence = 12

func (v viewer) branch(m alerting.Member) branch {
	b := branch{
		Mark:     markOfSeverity(m.Severity),
		Severity: v.say(string(m.Severity)),
		Code:     string(m.Code),
		Title:    v.title(m.Code),
		Summary:  v.sentence(m.Summary),
		Affected: v.affected(m.Affected),
		Since:    v.moment(m.Since),
		Ended:    v.moment(m.Ended),
		Over:     !m.Holds(),
	}
	if m.ExplainedBy == "" && m.Holds() {
		b.Remedy = v.remedy(m.Finding)
	}
	for _, e := range m.Evidence[:min(len(m.Evidence), mostEvidence)] {
		b.Evidence = append(b.Evidence, v.sentence(e))
	}
	return b
}
