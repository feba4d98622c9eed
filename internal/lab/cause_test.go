package lab

import (
	"fmt"
	"slices"
	"strings"

	"stickwatch/checks"
)

// Codes that are wanted by name.
const (
	sessionFailing   = checks.Code("session_failing")
	sessionLeaked    = checks.Code("session_leaked")
	balancerRemapped = checks.Code("balancer_remapped")
)

// A cause is the one finding that must explain all that is wrong.
type cause struct {
	code     checks.Code
	severity checks.Severity // "": critical
	nodes    []string        // all that it must name, and no others; nil: any
	tells    []string        // each must be in its summary, evidence or remedy; "a|b": one of them
	unsaid   []string        // none may be in any text of any finding
}

// compare returns what of the cause is missing, and what it does not explain.
func (c cause) compare(r checks.Report) (missing, unexpected []string) {
	at := slices.IndexFunc(r.Findings, func(f checks.Finding) bool { return f.Code == c.code && f.ExplainedBy == "" })
	if at < 0 {
		missing = append(missing, string(c.code))
	} else {
		missing = append(missing, c.lacks(r.Findings[at])...)
	}
	for i, f := range r.Findings {
		if i != at && f.Severity != checks.Info && rootOf(r, f).Code != c.code {
			unexpected = append(unexpected, f.Key()+": "+f.Summary)
		}
		for _, word := range c.unsaid {
			if strings.Contains(textOf(f), word) {
				unexpected = append(unexpected, fmt.Sprintf("%q in %s: %s", word, f.Key(), textOf(f)))
			}
		}
	}
	return missing, unexpected
}

// lacks lists what f does not have.
func (c cause) lacks(f checks.Finding) (missing []string) {
	want := c.severity
	if want == "" {
		want = checks.Critical
	}
	if f.Severity != want {
		missing = append(missing, fmt.Sprintf("%s as %s, not %s", f.Code, want, f.Severity))
	}
	if got := slices.Sorted(slices.Values(f.Nodes)); c.nodes != nil && !slices.Equal(got, c.nodes) {
		missing = append(missing, fmt.Sprintf("%s of %q, not of %q", f.Code, c.nodes, got))
	}
	for _, t := range c.tells {
		if !slices.ContainsFunc(strings.Split(t, "|"), func(word string) bool { return strings.Contains(textOf(f), word) }) {
			missing = append(missing, fmt.Sprintf("%q in %s: %s", t, f.Key(), textOf(f)))
		}
	}
	return missing
}

// rootOf follows explanations to their end.
func rootOf(r checks.Report, f checks.Finding) checks.Finding {
	for range r.Findings {
		at := slices.IndexFunc(r.Findings, func(g checks.Finding) bool { return g.Key() == f.ExplainedBy })
		if f.ExplainedBy == "" || at < 0 {
			return f
		}
		f = r.Findings[at]
	}
	return f
}

// textOf is all that a finding says.
func textOf(f checks.Finding) string {
	return strings.Join(append([]string{f.Summary, f.Remedy}, f.Evidence...), " | ")
}
