package checks_test

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"stickwatch/checks"
)

// untranslated are the messages of a report that are not Chinese when they are shown
// in Chinese.
func untranslated(r checks.Report) []string {
	all := append([]checks.Message{r.Session.Reason}, r.Doubts...)
	for _, n := range r.Nodes {
		all = append(all, n.Rotation)
	}
	for _, f := range r.Findings {
		all = append(append(all, f.Summary, f.Remedy), f.Evidence...)
	}
	var list []string
	for _, m := range all {
		text := m.In(checks.Chinese)
		for _, quoted := range quotedBy(m) {
			text = strings.ReplaceAll(text, quoted, "")
		}
		if latinWords.MatchString(text) {
			list = append(list, m.In(checks.Chinese))
		}
	}
	return list
}

// latinWords are three words in a row, as no name, key or directive is.
var latinWords = regexp.MustCompile(`\b[A-Za-z]+'?[a-z]* [a-z]+ [a-z]+\b`)

// quotedBy is everything that a message quotes, the longest first.
func quotedBy(m checks.Message) []string {
	a := m.Args
	list := []string{a.Node, a.Other, a.Name, a.Server, a.Address, a.Client, a.Path, a.Setting, a.State, a.Value, a.Reason, m.Text, `"no live upstreams"`}
	list = slices.Concat(list, a.Nodes, a.Addresses, a.Values)
	for _, part := range []*checks.Message{a.Why, a.But} {
		if part != nil {
			list = append(list, quotedBy(*part)...)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
