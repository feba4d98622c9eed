package main

import (
	"fmt"
	"strings"

	"stickwatch/checks"
)

// findings writes the causes, and below each what it explains.
func (s *sheet) findings(findings []checks.Finding) {
	for _, b := range tree(findings) {
		s.blank()
		s.branch(b, "  ", "  ", false)
	}
}

// branch writes a finding and what it explains. head stands before its first
// line, rest before the others.
func (s *sheet) branch(b branch, head, rest string, explained bool) {
	inner := rest + "  "
	if len(b.explains) > 0 {
		inner = rest + s.look.trunk
	}
	if brief(b.Finding, explained) {
		s.inShort(b.Finding, head, inner, explained)
	} else {
		s.inFull(b.Finding, head, inner)
	}
	for i, e := range b.explains {
		if i < len(b.explains)-1 {
			s.branch(e, rest+s.look.fork, rest+s.look.trunk, true)
		} else {
			s.branch(e, rest+s.look.last, rest+s.look.gap, true)
		}
	}
}

func (s *sheet) inFull(f checks.Finding, head, inner string) {
	s.paragraph(head, inner, append(title(f), span{plain, "  " + subject(f)})...)
	s.paragraph(inner, inner, span{plain, words(f.Summary)})
	s.affected(f, inner)
	lines, more := evidence(f, maxEvidence)
	for _, line := range lines {
		s.paragraph(inner+"· ", inner+"  ", span{faint, line})
	}
	if more > 0 {
		s.paragraph(inner+"· ", inner+"  ", span{faint, fmt.Sprintf("… %d more: -o json tells all", more)})
	}
	s.remedy(f, inner)
}

// inShort leaves out the remedy of an explained finding: its cause has one.
func (s *sheet) inShort(f checks.Finding, head, inner string, explained bool) {
	s.paragraph(head, inner, append(title(f), span{plain, "  " + sentence(f)})...)
	s.affected(f, inner)
	lines, _ := evidence(f, 1)
	for _, line := range lines {
		s.paragraph(inner+"· ", inner+"  ", span{faint, line})
	}
	if !explained {
		s.remedy(f, inner)
	}
}

// affected says how many clients a finding concerns, where that is estimated.
func (s *sheet) affected(f checks.Finding, inner string) {
	if words := affects(f.Affected); words != "" {
		s.paragraph(inner, inner, span{plain, words})
	}
}

func title(f checks.Finding) []span {
	m := markOfSeverity(f.Severity)
	return []span{marked(m, strings.ToUpper(string(f.Severity))), {plain, "  "}, {strong, string(f.Code)}}
}

func (s *sheet) remedy(f checks.Finding, inner string) {
	if remedy := words(f.Remedy); remedy != "" {
		s.paragraph(inner+"→ ", inner+"  ", span{plain, remedy})
	}
}
