package web

import (
	"slices"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A findingNode is a finding and the findings that it explains.
type findingNode struct {
	Tone     tone
	Severity string
	Code     string
	Title    string // title of the code
	Summary  string
	Affected string // number of clients; "": no estimate
	Remedy   string // "": same as the cause's
	Evidence []string
	Since    timestamp
	Ended    timestamp // Text "–": active
	Resolved bool
	Children []findingNode
}

// tree places findings below their causes. A finding whose cause is missing, or that is part
// of a cycle, is at the top.
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

// activeFindings converts the active findings of a snapshot to members of an incident.
func activeFindings(s Snapshot) []alerting.Member {
	since := sinceByKey(s.ActiveFindings)
	members := make([]alerting.Member, 0, len(s.Report.Findings))
	for _, f := range s.Report.Findings {
		members = append(members, alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: f, Since: since[f.Key()]}})
	}
	return members
}

// maxEvidence bounds the evidence lines of a finding on a page.
const maxEvidence = 12

func (v viewContext) findingNode(member alerting.Member) findingNode {
	finding := findingNode{
		Tone:     toneOfSeverity(member.Severity),
		Severity: v.translate(string(member.Severity)),
		Code:     string(member.Code),
		Title:    v.title(member.Code),
		Summary:  v.sentence(member.Summary),
		Affected: v.affected(member.Affected),
		Since:    v.timestamp(member.Since),
		Ended:    v.timestamp(member.Ended),
		Resolved: !member.Active(),
	}
	if member.ExplainedBy == "" && member.Active() {
		finding.Remedy = v.remedy(member.Finding)
	}
	for _, e := range member.Evidence[:min(len(member.Evidence), maxEvidence)] {
		finding.Evidence = append(finding.Evidence, v.sentence(e))
	}
	return finding
}

// A tone is the state of an item, from good to bad. The stylesheet shows it as a color and a
// shape. There is always a word as well, so that neither is necessary.
type tone string

// The tones are CSS classes, best first. They are short because a page has a thousand of them.
const (
	toneOK       tone = "ok" // disc
	toneInfo     tone = "in" // diamond
	toneUnknown  tone = "no" // ring
	toneWarning  tone = "wn" // triangle
	toneCritical tone = "bd" // cross
	toneNone     tone = "na" // no shape
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

// toneOfEvent returns whether an event is good or bad.
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

// Limits of texts on a page, in bytes.
const (
	maxCell = 24  // a table cell: a state, a version
	maxWord = 64  // a name
	maxLine = 320 // a sentence: a summary, a line of evidence
	maxLong = 640 // a remedy: one or two sentences, with three bytes for a Chinese character
)

func cell(s string) string { return probes.Clean(s, maxCell) }
func word(s string) string { return probes.Clean(s, maxWord) }
func line(s string) string { return probes.Clean(s, maxLine) }
func long(s string) string { return probes.Clean(s, maxLong) }
