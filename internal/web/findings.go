package web

import (
	"slices"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
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

// A tone says how something is. The stylesheet gives each a colour and a shape,
// and a word always stands beside it: none of the three is needed.
type tone string

// The marks, as classes of the stylesheet, best first. Two letters each: a page
// has a thousand of them.
const (
	toneOK       tone = "ok" // disc
	toneInfo     tone = "in" // diamond
	toneUnknown  tone = "no" // ring
	toneWarning  tone = "wn" // triangle
	toneCritical tone = "bd" // cross
	toneNone     tone = "na" // no shape: there is nothing to mark
)

func toneOfVerdict(v checks.Verdict) tone {
	switch v {
	case checks.Healthy:
		return toneOK
	case checks.Degraded:
		return toneWarning
	case checks.Failing:
		return toneCritical
	default:
		return toneUnknown
	}
}

func toneOfSeverity(s checks.Severity) tone {
	switch s {
	case checks.Critical:
		return toneCritical
	case checks.Warning:
		return toneWarning
	default:
		return toneInfo
	}
}

// toneOfEvent tells whether an event was for the worse or for the better.
func toneOfEvent(k alerting.EventKind) tone {
	switch k {
	case alerting.EventOpened, alerting.EventJoined, alerting.EventReturned, alerting.EventWorsened, alerting.EventFlapping:
		return toneWarning
	case alerting.EventLeft, alerting.EventWithdrawn, alerting.EventResolved:
		return toneOK
	default:
		return toneUnknown
	}
}

// Bounds of what a page has room for, in bytes.
const (
	maxCell = 24  // one cell of many: a state, a version
	maxWord = 64  // a name
	maxLine = 320 // a sentence: a summary, a line of evidence
	maxLong = 640 // what to do: a sentence or two, and Chinese takes three bytes a character
)

func cell(s string) string { return probes.Clean(s, maxCell) }
func word(s string) string { return probes.Clean(s, maxWord) }
func line(s string) string { return probes.Clean(s, maxLine) }
func long(s string) string { return probes.Clean(s, maxLong) }
