package checks

import (
	"fmt"

	"stickwatch/checks/evidence"
	"stickwatch/probes"
)

// records are what the balancer itself says of n.
func (v *view) records(n probes.Node) []evidence.Record {
	return v.matcher.Records(n, v.Evidence)
}

// weigh holds what was seen of a node against what the balancer says. A node
// that answered is in rotation whatever is said; where it was not met, the
// balancer's word decides; and where the two contradict each other, nobody
// knows.
func (v *view) weigh(n probes.Node, seen place) place {
	if seen.In == Yes || n.Down {
		return seen
	}
	for _, r := range v.records(n) {
		switch {
		case r.Out() && !seen.Sure:
			seen = place{In: No, Sure: true, Voice: byBalancer, Reason: r.Words}
		case r.In() && seen.Sure:
			return unknown("%s; but %s", seen.Reason, r.Words)
		}
	}
	return seen
}

// spoken lists, for a node that is out, every witness beside the one whose
// reason is given: what the balancer says, and why a silent source proves
// nothing.
func (v *view) spoken(n probes.Node, given string) []string {
	var lines []string
	for _, r := range v.records(n) {
		if r.Words != given {
			lines = append(lines, byBalancer.says(r.Words))
		}
	}
	for _, o := range v.Evidence {
		if o.Error == "" && o.Silent != "" {
			lines = append(lines, o.Source+": "+o.Silent)
		}
	}
	return lines
}

// unread finds sources of evidence that could not be read.
func unread(v *view) []Finding {
	var list []Finding
	for _, o := range v.Evidence {
		if o.Error == "" {
			continue
		}
		f := Finding{Code: BlindSpot, Severity: Info, Target: string(o.Kind)}
		f.Summary = fmt.Sprintf("the balancer's own evidence cannot be read: %s", o.Source)
		f.Evidence = []string{o.Error}
		f.Remedy = "Give stickwatch access to it, or take balancer.evidence." + string(o.Kind) + " out of the configuration."
		list = append(list, f)
	}
	return list
}
