package checks

import (
	"fmt"

	"stickwatch/probes"
)

// afterMove tells sessions that were lost because another node answered from
// those that their own node lost: causes and remedies differ.
const afterMove = "after a move"

// losses finds sessions whose state was gone, or older, at a follow-up that the
// policy says it must survive.
func losses(v *view) []Finding {
	if v.policy() == probes.PolicyNone {
		return nil
	}
	var own, moved, back []*answer
	for _, a := range v.everyAnswer() {
		switch {
		case a.moved() && v.policy() == probes.PolicySticky:
			// the loss is the drift's, and a failover may lose it
		case v.policy() == probes.PolicySticky && v.beganAnew(a.walk.home, a.walk.First().At):
			// it was kept in a process that is gone
		case a.fate == probes.FateRolledBack:
			back = append(back, a)
		case a.fate == probes.FateLost && a.moved():
			moved = append(moved, a)
		case a.fate == probes.FateLost:
			own = append(own, a)
		}
	}
	var list []Finding
	if len(own) > 0 {
		f := aboutAll(SessionLost, Critical, v.holders(own))
		f.Summary = "sessions were gone when their client came back" + parenthesis(f.Nodes)
		f.Evidence = evidenceOf(own)
		f.Remedy = "Look for a restart of the node, for sessions that are evicted or expire at once, and whether the session store is the one all nodes use."
		list = append(list, f)
	}
	if len(moved) > 0 {
		f := aboutAll(SessionLost, Critical, v.holders(moved))
		f.Target = afterMove
		f.Summary = "sessions were gone when another node than their own answered" + parenthesis(f.Nodes)
		f.Evidence = evidenceOf(moved)
		f.Remedy = "Look whether all nodes use one session store, or replicate to each other; until they do, the balancer must hold clients on their node."
		list = append(list, f)
	}
	if len(back) > 0 {
		f := aboutAll(SessionRollback, Critical, v.holders(back))
		f.Summary = "sessions came back with older contents" + parenthesis(f.Nodes)
		f.Evidence = evidenceOf(back)
		f.Remedy = "A node served a stale copy: look at replication (asynchronous, or failing) and at clocks and caches in front of the session store."
		list = append(list, f)
	}
	return list
}

// holders are the nodes that gave the answers, or that held the sessions where
// answers do not tell.
func (v *view) holders(answers []*answer) []string {
	held := make(map[string]bool)
	for _, a := range answers {
		held[holder(a)] = true
	}
	return v.nodesWhere(func(id string) bool { return held[id] })
}

func holder(a *answer) string { return orElse(a.giver, a.walk.home) }

func parenthesis(nodes []string) string {
	if len(nodes) == 0 {
		return ""
	}
	return " (" + join(nodes) + ")"
}

// evidenceOf says what sessions held before, and what their answers showed.
func evidenceOf(answers []*answer) []string {
	var list []string
	for _, a := range answers {
		session := orElse(string(a.walk.First().Session), "of "+clientOf(a.walk.Client))
		at := fmt.Sprintf("on %s at %s", orElse(holder(a), "an untold node"), clock(a.At))
		switch {
		case a.Counter > 0 && a.Kind != probes.StepWrite:
			list = append(list, fmt.Sprintf("session %s held %d, and came back with %q %s", session, a.Counter, probes.Clean(a.Value, 32), at))
		default:
			list = append(list, fmt.Sprintf("session %s came back as %s %s", session, a.Session, at))
		}
	}
	return firstFew(list)
}
