package main

import (
	"fmt"
	"strings"

	"stickwatch/checks"
)

// findings writes the causes, and below each what it explains.
func (s *textReport) findings(findings []checks.Finding) {
	for _, b := range tree(findings) {
		s.blank()
		s.findingNode(b, "  ", "  ", false)
	}
}

// findingNode writes a finding and what it explains. head stands before its first
// line, rest before the others.
func (s *textReport) findingNode(b findingNode, head, rest string, explained bool) {
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

func (s *textReport) writeFull(f checks.Finding, head, inner string) {
	s.paragraph(head, inner, append(title(f), span{plain, "  " + subject(f)})...)
	s.paragraph(inner, inner, span{plain, words(f.Summary)})
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
func (s *textReport) writeShort(f checks.Finding, head, inner string, explained bool) {
	s.paragraph(head, inner, append(title(f), span{plain, "  " + sentence(f)})...)
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
func (s *textReport) affected(f checks.Finding, inner string) {
	if words := affects(f.Affected); words != "" {
		s.paragraph(inner, inner, span{plain, words})
	}
}

func title(f checks.Finding) []span {
	m := toneOfSeverity(f.Severity)
	return []span{toned(m, strings.ToUpper(string(f.Severity))), {plain, "  "}, {bold, string(f.Code)}}
}

func (s *textReport) remedy(f checks.Finding, inner string) {
	if remedy := words(f.Remedy); remedy != "" {
		s.paragraph(inner+"→ ", inner+"  ", span{plain, remedy})
	}
}
