package checks

import (
	"slices"
)

// A check is a group of checks about one thing. It returns what it found and
// keeps nothing.
type check func(*analysis) []Finding

// checkGroups, in no particular order: none depends on another's findings.
var checkGroups = []check{
	balancers, nodes, pages, dependencies,
	drift, losses, leaks, sessionsFailing, sharing, cookies, handshakes,
	rotation, splits, restarts, remapped,
	identities, versions, settings, clocks, startOrder,
	latency, certificates, blindSpots, seldomMet, inTurns, unreadEvidence, unreadStatus, stores,
}

// Judge tells what a round means.
func Judge(r Round) Report {
	v := analyse(r)
	var findings []Finding
	for _, check := range checkGroups {
		for _, f := range check(v) {
			if !slices.Contains(r.Ignore, f.Code) {
				findings = append(findings, f.sanitized())
			}
		}
	}
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Code == SessionLost }) {
		v.history.Pool.Lost = r.Started
	}
	session := v.stickiness()
	report := Report{
		Cluster:      r.Cluster.Name,
		Started:      r.Started,
		Duration:     r.Duration,
		Doubts:       v.doubts(session),
		Balancers:    r.Balancers,
		Session:      session,
		Dependencies: v.dependencyReports(),
		Findings:     explain(findings),
		Requests:     v.requests(),
		page:         v.page,
		History:      &v.history,
	}
	for _, o := range v.Nodes {
		place := v.rotationStates[o.Node]
		report.Nodes = append(report.Nodes, NodeReport{
			NodeObservation: o, Up: v.up[o.Node], InRotation: place.In, Rotation: place.Reason,
		})
	}
	report.Verdict = verdict(findings, report.Doubts)
	return report
}

// verdict: a critical finding is certain whatever else is unknown, but a doubt
// outweighs a warning. A warning about an event, which is over, is no state of the
// cluster; a node that the balancer has not taken back yet is one.
func verdict(findings []Finding, doubts []Message) Verdict {
	has := func(s Severity) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool {
			return f.Severity == s && (s == Critical || f.When.IsZero()) || s == Warning && f.passing
		})
	}
	switch {
	case has(Critical):
		return Failing
	case len(doubts) > 0:
		return Inconclusive
	case has(Warning):
		return Degraded
	default:
		return Healthy
	}
}
