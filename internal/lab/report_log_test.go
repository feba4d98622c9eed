package lab

import (
	"fmt"
	"strings"

	"stickwatch/checks"
)

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
