package main

import (
	"cmp"
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
		about = names(f.Nodes)
	}
	if f.Target != "" {
		about = strings.TrimSpace(name(about) + " " + f.Target)
	}
	return clean(about, 2*maxName)
}

// sentence is a finding's summary, led by its subject where the summary does
// not name it.
func sentence(f checks.Finding) string {
	about, subjects := subject(f), append([]string{f.Target}, f.Nodes...)
	if one := cmp.Or(f.Dependency, f.Node); one != "" {
		subjects = []string{one}
	}
	summary := words(f.Summary)
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
		if line := words(e); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > limit {
		return lines[:limit], len(lines) - limit
	}
	return lines, 0
}
