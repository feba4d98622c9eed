package lab

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stickwatch/checks"
)

// A cause is the one finding that must explain all others.
type cause struct {
	code     checks.Code
	or       checks.Code     // allowed instead; "": none
	severity checks.Severity // highest severity of it and the findings that it explains; "": critical
	nodes    []string        // exactly the nodes that it must name; nil: any
	mentions []string        // texts required in its summary, evidence or remedy; "a|b": one of them
	omits    []string        // texts that must not occur in any finding
}

// anySeverity is for causes whose severity depends on the observations.
const anySeverity = checks.Severity("any")

// is reports whether f has the cause's code.
func (c cause) is(f checks.Finding) bool { return f.Code == c.code || c.or != "" && f.Code == c.or }

// compare returns the missing parts of the cause, and the findings that it does not
// explain.
func (c cause) compare(r checks.Report) (missing, unexpected []string) {
	at := slices.IndexFunc(r.Findings, func(f checks.Finding) bool { return c.is(f) && f.ExplainedBy == "" })
	if at < 0 {
		missing = append(missing, string(c.code))
	} else {
		missing = append(missing, c.lacks(r, r.Findings[at])...)
	}
	for _, f := range r.Findings {
		if f.Severity != checks.Info && !c.is(rootOf(r, f)) {
			unexpected = append(unexpected, f.Key()+": "+f.Summary.String())
		}
		for _, word := range c.omits {
			if strings.Contains(textOf(f), word) {
				unexpected = append(unexpected, fmt.Sprintf("%q in %s: %s", word, f.Key(), textOf(f)))
			}
		}
	}
	return missing, unexpected
}

// lacks returns the properties of the cause that f does not have.
func (c cause) lacks(r checks.Report, f checks.Finding) (missing []string) {
	want := cmp.Or(c.severity, checks.Critical)
	if got := c.worst(r); want != anySeverity && got != want {
		missing = append(missing, fmt.Sprintf("%s as %s, not %s", f.Code, want, got))
	}
	if got := slices.Sorted(slices.Values(f.Nodes)); c.nodes != nil && !slices.Equal(got, c.nodes) {
		missing = append(missing, fmt.Sprintf("%s of %q, not of %q", f.Code, c.nodes, got))
	}
	for _, t := range c.mentions {
		if !slices.ContainsFunc(strings.Split(t, "|"), func(word string) bool { return strings.Contains(textOf(f), word) }) {
			missing = append(missing, fmt.Sprintf("%q in %s: %s", t, f.Key(), textOf(f)))
		}
	}
	return missing
}

// worst returns the highest severity of the cause and the findings that it explains.
func (c cause) worst(r checks.Report) checks.Severity {
	worst := checks.Info
	for _, f := range r.Findings {
		if c.is(rootOf(r, f)) && f.Severity.AtLeast(worst) {
			worst = f.Severity
		}
	}
	return worst
}

// rootOf follows explanations to the root cause.
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

func textOf(f checks.Finding) string {
	return fmt.Sprintf("%s | %s | %s", f.Summary, f.Remedy, evidenceOf(f))
}

// evidenceOf returns the evidence of a finding, one item per line.
func evidenceOf(f checks.Finding) string {
	var lines []string
	for _, e := range f.Evidence {
		lines = append(lines, e.String())
	}
	return strings.Join(lines, "\n")
}

// formatReport formats a report for the log of a failed test.
func formatReport(r checks.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, sticky %s (%s), doubts %q\n", r.Cluster, r.Verdict, r.Session.Sticky, r.Session.Reason, r.Doubts)
	for _, n := range r.Nodes {
		fmt.Fprintf(&b, "  %s up %v, label %q, in rotation %s: %s\n", n.Node, n.Up, n.Label, n.InRotation, n.Rotation)
	}
	for _, c := range r.Session.Canaries {
		fmt.Fprintf(&b, "  canary %s of %s:", c.Client, c.Pinned)
		for _, s := range c.Steps {
			fmt.Fprintf(&b, " %s=%s(%d%s)", s.Node, s.Session, s.Status, s.Error)
		}
		b.WriteByte('\n')
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %s: %s %q, explained by %q\n", f.Severity, f.Key(), f.Summary, f.Evidence, f.ExplainedBy)
	}
	return b.String()
}
