package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Transcript formats the schedule, the harms, the notifications and the counterexamples
// as text.
func (r Result) Transcript() string {
	var b strings.Builder
	b.WriteString(r.Schedule.String())
	harms := r.harms()
	slices.SortStableFunc(harms, func(x, y harm) int { return x.first.Compare(y.first) })
	b.WriteString("users met\n")
	for _, h := range harms {
		fmt.Fprintf(&b, "  %v %s, must be notified: %t\n", r.since(h.first), h, h.certain)
	}
	b.WriteString("notified\n")
	for _, n := range r.Notifications {
		fmt.Fprintf(&b, "  %v %s %s %s: %s\n", r.since(n.At), n.Kind, n.Incident.Severity, n.Incident.Cause.Key(), n.Incident.Cause.Summary)
	}
	b.WriteString("counterexamples\n")
	for _, c := range r.Score().Counterexamples {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	return b.String()
}

func (r Result) since(at time.Time) time.Duration {
	return at.Sub(r.Began).Round(10 * time.Millisecond)
}
