package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A findingNode is a finding with those that it explains.
type findingNode struct {
	checks.Finding
	explains []findingNode
}

// tree hangs findings under their causes, in their own order. Each finding is
// in it once: one whose cause is not at hand is a root, and so is one of a
// circle.
func tree(findings []checks.Finding) []findingNode {
	first := map[string]int{} // by key
	for i, f := range findings {
		if _, ok := first[f.Key()]; !ok {
			first[f.Key()] = i
		}
	}
	effects := map[int][]int{}
	var roots []int
	for i, f := range findings {
		cause, ok := first[f.ExplainedBy]
		if ok && cause != i {
			effects[cause] = append(effects[cause], i)
		} else {
			roots = append(roots, i)
		}
	}

	told := make([]bool, len(findings))
	var grow func(i int) findingNode
	grow = func(i int) findingNode {
		told[i] = true
		b := findingNode{Finding: findings[i]}
		for _, e := range effects[i] {
			if !told[e] {
				b.explains = append(b.explains, grow(e))
			}
		}
		return b
	}
	var all []findingNode
	for _, i := range roots {
		all = append(all, grow(i))
	}
	for i := range findings {
		if !told[i] {
			all = append(all, grow(i))
		}
	}
	return all
}

// subject is what a finding is about, in clean words; "" for the cluster.
func subject(f checks.Finding) string {
	about := f.Dependency
	switch {
	case about != "":
	case f.Node != "":
		about = f.Node
	case len(f.Nodes) > 0:
		about = CleanNames(f.Nodes)
	}
	if f.Target != "" {
		about = strings.TrimSpace(CleanName(about) + " " + f.Target)
	}
	return Clean(about, 2*maxName)
}

// summary is a finding's summary, led by its subject where the summary does
// not name it.
func summary(f checks.Finding) string {
	about, subjects := subject(f), append([]string{f.Target}, f.Nodes...)
	if one := cmp.Or(f.Dependency, f.Node); one != "" {
		subjects = []string{one}
	}
	summary := cleanMessage(f.Summary)
	named := func(s string) bool { return s != "" && strings.Contains(summary, s) }
	if about == "" || slices.ContainsFunc(subjects, named) {
		return summary
	}
	return about + ": " + summary
}

// affects says how many clients are concerned; "": that is not estimated.
func affects(a checks.Affected) string {
	if words := alerting.English.Affected(a); words != "" {
		return "affects " + words
	}
	return ""
}

// isBrief reports whether a finding is told in short: it is good to know, or its
// cause tells what to do.
func isBrief(f checks.Finding, explained bool) bool {
	return explained || !f.Severity.AtLeast(checks.Warning)
}

// maxEvidence bounds the evidence that people are shown; the JSON has it all.
const maxEvidence = 8

// evidence is the clean lines of a finding, at most limit, and how many are
// left out.
func evidence(f checks.Finding, limit int) (lines []string, more int) {
	for _, e := range f.Evidence {
		if line := cleanMessage(e); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > limit {
		return lines[:limit], len(lines) - limit
	}
	return lines, 0
}

// findings writes the causes, and below each what it explains.
func (s *Text) findings(findings []checks.Finding) {
	for _, b := range tree(findings) {
		s.Blank()
		s.findingNode(b, "  ", "  ", false)
	}
}

// findingNode writes a finding and what it explains. head stands before its first
// line, rest before the others.
func (s *Text) findingNode(b findingNode, head, rest string, explained bool) {
	inner := rest + "  "
	if len(b.explains) > 0 {
		inner = rest + s.theme.verticalGlyph
	}
	if isBrief(b.Finding, explained) {
		s.writeShort(b.Finding, head, inner, explained)
	} else {
		s.writeFull(b.Finding, head, inner)
	}
	for i, e := range b.explains {
		if i < len(b.explains)-1 {
			s.findingNode(e, rest+s.theme.branchGlyph, rest+s.theme.verticalGlyph, true)
		} else {
			s.findingNode(e, rest+s.theme.last, rest+s.theme.gap, true)
		}
	}
}

func (s *Text) writeFull(f checks.Finding, head, inner string) {
	s.paragraph(head, inner, append(title(f), span{plain, "  " + subject(f)})...)
	s.paragraph(inner, inner, span{plain, cleanMessage(f.Summary)})
	s.affected(f, inner)
	lines, more := evidence(f, maxEvidence)
	for _, line := range lines {
		s.paragraph(inner+"· ", inner+"  ", span{dim, line})
	}
	if more > 0 {
		s.paragraph(inner+"· ", inner+"  ", span{dim, fmt.Sprintf("… %d more: -o json tells all", more)})
	}
	s.remedy(f, inner)
}

// writeShort leaves out the remedy of an explained finding: its cause has one.
func (s *Text) writeShort(f checks.Finding, head, inner string, explained bool) {
	s.paragraph(head, inner, append(title(f), span{plain, "  " + summary(f)})...)
	s.affected(f, inner)
	lines, _ := evidence(f, 1)
	for _, line := range lines {
		s.paragraph(inner+"· ", inner+"  ", span{dim, line})
	}
	if !explained {
		s.remedy(f, inner)
	}
}

// affected says how many clients a finding concerns, where that is estimated.
func (s *Text) affected(f checks.Finding, inner string) {
	if words := affects(f.Affected); words != "" {
		s.paragraph(inner, inner, span{plain, words})
	}
}

func title(f checks.Finding) []span {
	m := toneOfSeverity(f.Severity)
	return []span{toned(m, strings.ToUpper(string(f.Severity))), {plain, "  "}, {bold, string(f.Code)}}
}

func (s *Text) remedy(f checks.Finding, inner string) {
	if remedy := cleanMessage(f.Remedy); remedy != "" {
		s.paragraph(inner+"→ ", inner+"  ", span{plain, remedy})
	}
}
