// Package checks judges observations of a cluster.
//
// It is pure: a Round goes in and a Report comes out, without I/O, a clock or state.
// Judge passes a round through stages, each a type that is computed from the stages
// before it: nodeStates (how nodes answer directly), outcomes (which node answered
// each request, and how it came out), rotation (which nodes get new clients),
// timeline (when nodes were interrupted), movement (which clients changed their
// node), remaps (whether the balancer changed where it sends them) and attribution
// (why sessions were lost). The checks turn finished stages into
// findings, and explain marks the findings that another finding causes.
//
// Every finding has evidence. A claim that chance could explain is not made until
// chance is excluded to the requested confidence; until then the answer is Unknown.
package checks

import "slices"

// Judge returns the report of a round. It passes the round through the stages in the
// order in which they are read: each stage is computed from those before it.
func Judge(round Round) Report {
	states := readNodes(round)
	oc := readTraces(states)
	rot := findRotation(oc)
	tl := newTimeline(rot)
	mov := findMoves(tl)
	rem := findRemaps(mov)
	att := attribute(rem)

	session := sessionReport(rem)
	findings := explain(att.findings())
	att.remember(findings)
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Code == SessionLost }) {
		att.timelines.Balancer.LastLostAt = round.Started
	}
	if session.Sticky == Yes && session.Reason.ID == MsgStays {
		att.timelines.Balancer.Sticky = stickiness{round.Started, session.Confidence}
	}
	timelines := att.timelines // a pointer into the stages would keep them, and those of all rounds before
	report := Report{
		Cluster:      round.Cluster.Name,
		Started:      round.Started,
		Duration:     round.Duration,
		Doubts:       doubts(rot, session),
		Balancers:    round.Balancers,
		Session:      session,
		Dependencies: dependencyReports(oc),
		Source:       round.Source,
		Findings:     findings,
		Requests:     requests(oc),
		unanswered:   !slices.ContainsFunc(oc.answers, func(a *answer) bool { return a.OK() }) && len(oc.answers) > 0,
		keptAfter:    longestPauseKept(oc.answers),
		checkedAt:    newestOf(round.AddressChecks),
		page:         states.page,
		Timelines:    &timelines,
	}
	apart, _ := att.movement.apart()
	report.undecided = undecided(apart)
	report.Nodes = make([]NodeReport, 0, len(states.round.Nodes))
	for i := range states.round.Nodes {
		o := &states.round.Nodes[i]
		state := rot.states[o.Node]
		report.Nodes = append(report.Nodes, NodeReport{
			NodeObservation: o, Up: states.up[o.Node], InRotation: state.In, Rotation: state.Reason,
		})
	}
	report.Verdict = verdict(findings, report.Doubts)
	if round.Void.ID != "" {
		report.Verdict, report.Findings, report.Doubts, report.Requests = Inconclusive, nil, []Message{round.Void}, nil
	}
	return report
}

// findings returns the findings of all checks, without the codes that the round
// ignores. No check depends on the findings of another one.
func (att *attribution) findings() []Finding {
	all := slices.Concat(
		balancers(att.timeline), nodes(att), pages(att.outcomes), dependencies(att.outcomes),
		drift(att.movement), losses(att), leaks(att.outcomes), sessionsFailing(att.timeline), logins(att.round),
		sharing(att.outcomes), cookies(att.outcomes), handshakes(att.timeline),
		inRotation(att.timeline), splits(att.movement), restarts(att), remapFindings(att.remaps),
		identities(att.outcomes), versions(att.nodes), settings(att.nodes), clocks(att.nodes), startOrder(att.timeline),
		latency(att.outcomes), lostPackets(att.outcomes), certificates(att.outcomes),
		blindSpots(att.movement), rarelyProbed(att.round), limitedByBalancer(att.outcomes), addressesInTurns(att.round), addressesWithoutRoute(att.round),
		unreadEvidence(att.round), unreadStatus(att.nodes), refusedDirectly(att.outcomes), stores(att.outcomes),
		sourceFailing(att.round), nodesChanged(att.timeline),
	)
	var list []Finding
	for _, f := range all {
		if !slices.Contains(att.round.Ignore, f.Code) {
			f.observed.firstEvidence = att.round.firstEvidence(f)
			list = append(list, f.sanitized())
		}
	}
	return list
}

// verdict returns the state of the cluster. A critical finding decides whatever else
// is unknown, but a doubt outweighs a warning. An event that has ended does not count. An
// ejection after a failure counts although it is only information, until the balancer takes
// the node back.
func verdict(findings []Finding, doubts []Message) Verdict {
	has := func(s Severity) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool {
			return f.Severity == s && (s == Critical || f.When.IsZero()) || s == Warning && f.facts.passing && !f.facts.ended
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
