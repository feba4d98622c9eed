package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// shared says whether the nodes know each other's sessions.
func (v *view) shared() Answer {
	answer := Unknown
	for _, x := range v.Crossings {
		switch x.Fate() {
		case probes.FateKept, probes.FateRolledBack:
			answer = Yes
		case probes.FateLost:
			return No
		}
	}
	return answer
}

// sharing finds nodes that would lose the users of another one at a failover.
func sharing(v *view) []Finding {
	if v.Cluster.Session == nil {
		return nil
	}
	policy := v.Cluster.Session.Policy
	if policy != probes.PolicyShared && policy != probes.PolicyReplicated {
		return nil
	}
	var nodes, evidence []string
	for _, x := range v.Crossings {
		if x.Fate() != probes.FateLost || !v.well(x.To) {
			continue
		}
		if !slices.Contains(nodes, x.To) {
			nodes = append(nodes, x.To)
		}
		evidence = append(evidence, fmt.Sprintf("session %s of %s, presented to %s directly: not known there", x.Session, x.From, x.To))
	}
	if len(nodes) == 0 {
		return nil
	}
	f := aboutAll(SessionNotShared, Warning, nodes)
	f.Summary = fmt.Sprintf("%s did not know the sessions of other nodes: a failover to it would lose users", join(nodes))
	f.Evidence = firstFew(evidence)
	f.Remedy = "Look at the session replication or the shared store on these nodes: membership, address, and that the application is marked distributable."
	return []Finding{f}
}

// cookies finds session cookies that a browser would not bring back.
func cookies(v *view) []Finding {
	var list []Finding
	for _, a := range v.answers {
		for _, r := range a.Rejected {
			same := func(f Finding) bool { return f.Target == r.Name }
			if slices.ContainsFunc(list, same) {
				continue
			}
			f := Finding{Code: CookieRejected, Severity: Warning, Target: r.Name}
			f.Summary = fmt.Sprintf("the session cookie %s would not come back: %s", r.Name, r.Why)
			f.Evidence = []string{fmt.Sprintf("set by %s through the balancer at %s", orElse(a.node, "an answer"), a.At.UTC().Format("15:04:05.000"))}
			f.Remedy = "Correct the cookie's attributes where the application or the balancer sets them (Path, Domain, Secure; proxy_cookie_path, proxy_cookie_domain in nginx)."
			list = append(list, f)
		}
	}
	return list
}
