package render

import (
	"cmp"
	"slices"
	"strings"

	"stickwatch/checks"
)

// A findingNode is a finding with the findings that it explains.
type findingNode struct {
	checks.Finding
	explains []findingNode
}

// tree orders findings below their causes and keeps the order of siblings. Each
// finding appears once. A finding whose cause is missing is a root; so is the first
// finding of a cycle.
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

	placed := make([]bool, len(findings))
	var grow func(i int) findingNode
	grow = func(i int) findingNode {
		placed[i] = true
		b := findingNode{Finding: findings[i]}
		for _, e := range effects[i] {
			if !placed[e] {
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
		if !placed[i] {
			all = append(all, grow(i))
		}
	}
	return all
}

// subject is the subject of a finding in the language of the reader.
func (f formatter) subject(finding checks.Finding) string {
	finding.Target = checks.TargetIn(checks.Language(f.language()), finding.Target)
	return subject(finding)
}

// subject names the dependency, node, nodes or target of a finding; "" for the
// cluster.
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

// summary is the summary of a finding, after its subject if the summary does not
// name it.
func (f formatter) summary(finding checks.Finding) string {
	about, subjects := f.subject(finding), append([]string{finding.Target}, finding.Nodes...)
	if one := cmp.Or(finding.Dependency, finding.Node); one != "" {
		subjects = []string{one}
	}
	text := f.message(finding.Summary)
	named := func(s string) bool { return s != "" && strings.Contains(text, s) }
	if about == "" || slices.ContainsFunc(subjects, named) {
		return text
	}
	return f.Translate("%s: %s", about, text)
}

// affects states how many clients are affected; "" if that is not estimated.
func (f formatter) affects(a checks.Affected) string {
	if words := f.language().Affected(a); words != "" {
		return f.Translate("affects %s", words)
	}
	return ""
}

// isBrief reports whether a finding is shown in short: it is informational, or its
// cause has the remedy.
func isBrief(f checks.Finding, explained bool) bool {
	return explained || !f.Severity.AtLeast(checks.Warning)
}

// maxEvidence bounds the lines of evidence of a finding; JSON has all of them.
const maxEvidence = 8

// evidence returns at most limit lines of evidence, and how many more there are.
func (f formatter) evidence(finding checks.Finding, limit int) (lines []string, more int) {
	for _, e := range finding.Evidence {
		if line := f.message(e); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > limit {
		return lines[:limit], len(lines) - limit
	}
	return lines, 0
}

// findings writes each cause with the findings that it explains below it.
func (t *Text) findings(findings []checks.Finding) {
	for _, b := range tree(findings) {
		t.Blank()
		t.findingNode(b, "  ", "  ", false)
	}
}

// findingNode writes a finding and the findings that it explains. head precedes its
// first line, rest the others.
func (t *Text) findingNode(b findingNode, head, rest string, explained bool) {
	inner := rest + "  "
	if len(b.explains) > 0 {
		inner = rest + t.theme.vertical
	}
	if isBrief(b.Finding, explained) {
		t.writeShort(b.Finding, head, inner, explained)
	} else {
		t.writeFull(b.Finding, head, inner)
	}
	for i, e := range b.explains {
		if i < len(b.explains)-1 {
			t.findingNode(e, rest+t.theme.branch, rest+t.theme.vertical, true)
		} else {
			t.findingNode(e, rest+t.theme.lastBranch, rest+t.theme.gap, true)
		}
	}
}

func (t *Text) writeFull(f checks.Finding, head, inner string) {
	t.paragraph(head, inner, append(t.title(f), span{plain, "  " + t.subject(f)})...)
	t.paragraph(inner, inner, span{plain, t.message(f.Summary)})
	t.affected(f, inner)
	lines, more := t.evidence(f, maxEvidence)
	for _, line := range lines {
		t.paragraph(inner+"· ", inner+"  ", span{dim, line})
	}
	if more > 0 {
		t.paragraph(inner+"· ", inner+"  ", span{dim, t.Translate("… %d more (-o json shows all)", more)})
	}
	t.remedy(f, inner)
}

// writeShort omits the remedy of an explained finding: its cause has one.
func (t *Text) writeShort(f checks.Finding, head, inner string, explained bool) {
	t.paragraph(head, inner, append(t.title(f), span{plain, "  " + t.summary(f)})...)
	t.affected(f, inner)
	lines, _ := t.evidence(f, 1)
	for _, line := range lines {
		t.paragraph(inner+"· ", inner+"  ", span{dim, line})
	}
	if !explained {
		t.remedy(f, inner)
	}
}

// affected writes how many clients are affected, if that is estimated.
func (t *Text) affected(f checks.Finding, inner string) {
	if words := t.affects(f.Affected); words != "" {
		t.paragraph(inner, inner, span{plain, words})
	}
}

func (f formatter) title(finding checks.Finding) []span {
	t := toneOfSeverity(finding.Severity)
	return []span{toned(t, strings.ToUpper(f.Translate(string(finding.Severity)))), {plain, "  "}, {bold, string(finding.Code)}}
}

func (t *Text) remedy(f checks.Finding, inner string) {
	if remedy := t.message(f.Remedy); remedy != "" {
		t.paragraph(inner+"→ ", inner+"  ", span{plain, remedy})
	}
}
