package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// drift finds sessions that leave a node which is well.
func drift(v *view) []Finding {
	if v.policy() == probes.PolicyNone || v.policy() == probes.PolicyShared {
		return nil
	}
	drifts := v.unsplit(v.drifts)
	if len(drifts) == 0 {
		return nil
	}
	var evidence []string
	lost := 0
	for _, m := range drifts {
		if m.fate == probes.FateLost {
			lost++
		}
		evidence = append(evidence, fmt.Sprintf("session %s of %s was answered by %s at %s",
			orElse(string(m.walk.First().Session), "without a visible id"), m.from, m.to, clock(m.At)))
	}
	f := aboutAll(SessionDrift, Critical, v.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(drifts, func(m move) bool { return m.from == id })
	}))
	f.Summary = fmt.Sprintf("sessions do not stay on their node: %d of %d follow-ups were answered by another one while it was well", len(drifts), v.followUps())
	if lost > 0 {
		f.Summary += fmt.Sprintf(", and %d of them had lost the session", lost)
	}
	f.Evidence = firstFew(evidence)
	f.Remedy = driftRemedy(v.Cluster.Balancer.Method)
	return []Finding{f}
}

func driftRemedy(m probes.Method) string {
	switch m {
	case probes.MethodIPHash, probes.MethodHash:
		return "The balancer does not do what its configuration says: check that the upstream block has " + string(m) + " and that it was reloaded."
	case probes.MethodCookie:
		return "Check the balancer's sticky cookie or stickysession, and that each node's route is the one in the balancer's file."
	default:
		return "Give the balancer a sticky method (ip_hash, a cookie), or let the nodes share their sessions and set policy: shared."
	}
}
