package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

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
		att.history.Balancer.LastLostAt = round.Started
	}
	history := att.history // a pointer into the stages would keep them, and those of all rounds before
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
		keptAfter:    longestPauseKept(oc.answers),
		checkedAt:    newestOf(round.AddressChecks),
		page:         states.page,
		History:      &history,
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
		drift(att.movement), losses(att), leaks(att.outcomes), sessionsFailing(att.timeline), logins(att.nodes),
		sharing(att.outcomes), cookies(att.outcomes), handshakes(att.outcomes),
		inRotation(att.timeline), splits(att.movement), restarts(att), remapFindings(att.remaps),
		identities(att.outcomes), versions(att.nodes), settings(att.nodes), clocks(att.nodes), startOrder(att.timeline),
		latency(att.outcomes), lostPackets(att.outcomes), certificates(att.outcomes),
		blindSpots(att.movement), rarelyProbed(att.nodes), addressesInTurns(att.nodes),
		unreadEvidence(att.nodes), unreadStatus(att.nodes), refusedDirectly(att.outcomes), stores(att.outcomes),
		sourceFailing(att.nodes), nodesChanged(att.timeline),
	)
	var list []Finding
	for _, f := range all {
		if !slices.Contains(att.round.Ignore, f.Code) {
			f.firstEvidence = att.round.firstEvidence(f)
			list = append(list, f.sanitized())
		}
	}
	return list
}

// firstEvidence returns the time of the earliest evidence for a finding that was observed in
// the round, which may be much later than its start; zero: none has a time.
func (r *Round) firstEvidence(f Finding) (first time.Time) {
	for _, evidence := range f.Evidence {
		for e := &evidence; e != nil; e = e.Args.Why {
			at := e.Args.At
			future := r.Duration > 0 && at.After(r.Started.Add(r.Duration)) // such as the end of a certificate
			if !at.Before(r.Started) && !future && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// verdict returns the state of the cluster. A critical finding decides whatever else
// is unknown, but a doubt outweighs a warning. An event that is over does not count. An
// ejection after a failure counts although it is only information, until the balancer takes
// the node back.
func verdict(findings []Finding, doubts []Message) Verdict {
	has := func(s Severity) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool {
			return f.Severity == s && (s == Critical || f.When.IsZero()) || s == Warning && f.passing && !f.over
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

// A Round is everything that was observed of a cluster in one round. Judge needs
// nothing else: no clock, no network.
type Round struct {
	Cluster  *probes.Cluster
	Started  time.Time
	Duration time.Duration

	Confidence    float64 // confidence to which chance must be excluded, below 1; 0: DefaultConfidence
	ExpectVersion string  // that every node must run; "": any
	Ignore        []Code  // codes of findings that are dropped

	Every time.Duration // interval at which canaries send requests between rounds; 0: they send none
	Past  *History      // knowledge from earlier rounds; nil: this is a single round

	Balancers      []probes.BalancerObservation
	Nodes          []probes.NodeObservation // in the order of Cluster.Nodes
	Traces         []probes.Trace           // of canaries and of new clients, whose traces have one request
	FailoverChecks []probes.FailoverCheck
	AddressChecks  []probes.AddressCheck
	AcceptsAnyID   bool                // a node accepted a session id that no server had issued
	OwnerChecks    []probes.OwnerCheck // of sessions that were lost, or answered by another node
	Handshakes     []probes.HandshakeObservation
	Dependencies   []probes.DependencyObservation
	Source         probes.SourceState           // of the nodes; zero: they are all in the configuration
	Login          probes.LoginStatus           // zero: clients need not log in, or none has
	Evidence       []probes.EvidenceObservation // what the balancer itself reports, read after everything else

	// Void is why the observations are no evidence: stickwatch itself could not probe. Its zero
	// value: they are. The report is inconclusive.
	Void Message
}
