package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// timeline is the fourth stage: when each node was interrupted, this round included.
type timeline struct {
	round    *Round
	nodes    *nodeStates
	outcomes *outcomes
	rotation *rotation

	consequencesFor time.Duration          // how long consequences of a disruption may be seen: Aftermath, and the time until clients send their next request
	nodeHistory     map[string]NodeHistory // by node id
}

// newTimeline returns the fourth stage of a round.
func newTimeline(rot *rotation) *timeline {
	tl := &timeline{round: rot.round, nodes: rot.nodes, outcomes: rot.outcomes, rotation: rot, nodeHistory: updateNodes(rot.round)}
	tl.consequencesFor = Aftermath(tl.round.Cluster.Balancer) + 2*tl.round.Every
	for _, n := range tl.round.Cluster.Nodes {
		history := tl.round.markListed(n.ID, tl.markOwnAddress(n, tl.nodeHistory[n.ID]))
		tl.nodeHistory[n.ID] = tl.addSigns(n, tl.addBalancerEvents(n, history))
	}
	tl.inferRestarts() // after all other signs of all nodes: a known disruption explains a loss
	for _, n := range tl.round.Cluster.Nodes {
		tl.nodeHistory[n.ID] = tl.markSeen(n.ID, tl.nodeHistory[n.ID]) // last: signs reach back to when an earlier round saw the node well
	}
	for _, n := range tl.round.recentlyLeft() {
		tl.nodeHistory[n.ID] = tl.markLeft(n, tl.round.past().Nodes[n.ID])
	}
	return tl
}

// disruptable returns the ids of the nodes for which fits is true, in configuration order. Those
// that have left recently are among them unless the choice is computed: the arithmetic is that of
// the listed nodes.
func (ns *nodeStates) disruptable(fits func(id string) bool) []string {
	if ns.oracle != nil {
		return ns.round.nodesWhere(fits)
	}
	return ns.round.withLeft(fits)
}

// nodesDisruptedAt returns the nodes whose disruptions cover a moment.
func (tl *timeline) nodesDisruptedAt(at time.Time) []string {
	return tl.nodes.disruptable(func(id string) bool {
		return slices.ContainsFunc(tl.nodeHistory[id].Disruptions, func(d Disruption) bool { return d.covers(at, tl.consequencesFor) })
	})
}

// disruptionAt returns the newest disruption of a node that covers a moment.
func (tl *timeline) disruptionAt(node string, at time.Time) (Disruption, bool) {
	for _, d := range slices.Backward(tl.nodeHistory[node].Disruptions) {
		if d.covers(at, tl.consequencesFor) {
			return d, true
		}
	}
	return Disruption{}, false
}

// wasDisruptedIn reports whether a node had such a disruption within a span.
func (tl *timeline) wasDisruptedIn(node string, s Span, such func(Disruption) bool) bool {
	return slices.ContainsFunc(tl.nodeHistory[node].Disruptions, func(d Disruption) bool {
		return d.overlaps(s, tl.consequencesFor) && such(d)
	})
}

// nodesDisruptedIn returns the nodes with a disruption within a span.
func (tl *timeline) nodesDisruptedIn(s Span) []string {
	return tl.nodes.disruptable(func(id string) bool { return tl.wasDisruptedIn(id, s, func(Disruption) bool { return true }) })
}

// mayFollow reports whether an answer may be a consequence of an event: between the last answer
// before it that had the session, and its end, there is a moment at which the event was felt.
func (tl *timeline) mayFollow(a *answer, event time.Time) bool {
	span := a.sinceLastKept()
	return !event.IsZero() && !event.After(span.To) && !event.Add(tl.consequencesFor).Before(span.From)
}

// sessionsGoneSince reports whether a node was restarted after a moment, or is down, so
// that sessions from before are gone.
func (tl *timeline) sessionsGoneSince(node string, since time.Time) bool {
	history, known := tl.nodeHistory[node]
	return known && (history.RefusesConnections || history.Restarted.After(since))
}

// addSigns adds this round's signs of disruption to the history of a node.
func (tl *timeline) addSigns(node probes.Node, history NodeHistory) NodeHistory {
	before := tl.round.past().Nodes[node.ID].Restarted
	history.Disruptions = slices.DeleteFunc(slices.Clone(history.Disruptions), func(d Disruption) bool {
		return tl.round.Started.Sub(d.To) > rememberedFor
	})
	history = tl.signsOfNode(node, history) // first: a good answer ends the newest disruption, which must be an earlier round's
	if history.Restarted.After(before) {
		history = tl.addSign(node.ID, history, DisruptionRestart, history.LastWell, history.Restarted, history.Sign())
	}
	history = tl.signsOfClients(node.ID, history)
	history = tl.signsOfBalancer(node.ID, history)
	if history.Restarted.After(before) {
		history = history.withRestart(history.Restarted)
	}
	return history
}

// signsOfNode adds the direct request to a node: a failure begins or continues a
// disruption, and a good answer ends it.
func (tl *timeline) signsOfNode(n probes.Node, history NodeHistory) NodeHistory {
	primary, limit := tl.nodes.direct[n.ID].Primary, tl.round.Cluster.Limits.Slow
	slow := limit > 0 && primary.Timing.Total-primary.Timing.Connect > limit // a connect is slow by lost packets
	switch {
	case !completed(primary) || n.Down:
		return history
	case tl.nodes.ready(n.ID) && !slow:
		return history.recovered(primary.At)
	}
	history = tl.addSign(n.ID, history, DisruptionDown, history.LastWell, primary.At, askedDirectly(primary))
	if history.UnwellSince.IsZero() {
		history.UnwellSince = primary.At
	}
	if tl.nodes.up[n.ID] {
		return history.answersAgain(primary.At)
	}
	if history.SilentSince.IsZero() {
		history.SilentSince = primary.At
	}
	return history
}

// markSeen records when a node was well, back and left out.
func (tl *timeline) markSeen(node string, history NodeHistory) NodeHistory {
	if primary := tl.nodes.direct[node].Primary; completed(primary) && tl.nodes.ready(node) {
		history.LastWell = primary.At
	}
	if history.Restarted.After(history.RecoveredAt) {
		history.RecoveredAt = history.Restarted
	}
	switch state := tl.rotation.states[node]; {
	case state.In == Yes:
		history.LeftOutSince = time.Time{}
	case !state.ProvenOut || !tl.nodes.ready(node) || !history.LeftOutSince.IsZero():
	case tl.round.Past == nil: // the beginning is not known
		history.LeftOutSince = tl.round.Started.Add(-rememberedFor)
	default:
		history.LeftOutSince = tl.round.Started
	}
	return history
}

// oneRestart is the longest time between the signs of one restart.
const oneRestart = 3 * time.Second

// withRestart returns the history with a restart.
func (h NodeHistory) withRestart(at time.Time) NodeHistory {
	if n := len(h.Restarts); n > 0 && at.Sub(h.Restarts[n-1]) <= oneRestart {
		return h
	}
	h.Restarts = append(slices.Clone(h.Restarts), at)
	h.Restarts = h.Restarts[max(0, len(h.Restarts)-keptDisruptions):]
	return h
}

// addSign adds a sign of a disruption to the history of a node. The disruption
// reaches from when the node was last known to be well to the moment of the sign.
func (tl *timeline) addSign(node string, history NodeHistory, kind DisruptionKind, from, to time.Time, why Message) NodeHistory {
	return history.with(tl.outcomes.sign(node, kind, from, to, why), tl.consequencesFor)
}

// sign returns a sign of a disruption; see addSign.
func (oc *outcomes) sign(node string, kind DisruptionKind, from, to time.Time, why Message) Disruption {
	if from.IsZero() || from.After(to) {
		from = to
	}
	d := Disruption{Span: Span{from, to}, Unwatched: !oc.holdsSession(node), Kind: kind, Why: &why}
	if kind != DisruptionEjected {
		d.Gone = to
	}
	return d
}

// signsOfClients adds the client requests that failed because of a node, and the
// sessions that it did not answer when they were presented to it directly.
func (tl *timeline) signsOfClients(node string, history NodeHistory) NodeHistory {
	for _, a := range tl.outcomes.allAnswers {
		switch {
		case slices.Contains(a.upstreamsTried, node):
			history = tl.addSign(node, history, DisruptionEjected, a.At, a.At, msg(MsgTriedInVain, Args{At: a.At}))
		case a.failedNode == node:
			d := tl.outcomes.sign(node, DisruptionDown, a.At, a.At, msg(MsgAClientGot, Args{Why: new(describe(a.Exchange))}))
			d.Failures, d.LastFailed = Span{a.At, a.At.Add(a.Timing.Total)}, a.At
			history = history.with(d, tl.consequencesFor)
		}
	}
	for _, c := range tl.round.OwnerChecks {
		if c.To == node && (failed(c.There) || c.There.Failure == probes.FailureRefused) {
			history = tl.addSign(node, history, DisruptionDown, c.Known, c.There.At, askedDirectly(c.There))
		}
	}
	return history
}

// signsOfBalancer adds the ejections that the balancer reports, and those that
// clients show.
func (tl *timeline) signsOfBalancer(node string, history NodeHistory) NodeHistory {
	for _, e := range history.Ejections {
		history = tl.addSign(node, history, DisruptionEjected, e.From, e.To, e.Words)
	}
	if state := tl.rotation.states[node]; state.ProvenOut && tl.nodes.ready(node) {
		history = tl.addSign(node, history, DisruptionEjected, history.LastWell, tl.round.Started, state.Reason)
	}
	return history
}

// answersAgain returns the history of a node that is up again, though it may not be
// well.
func (h NodeHistory) answersAgain(at time.Time) NodeHistory {
	if n := len(h.Disruptions); n > 0 && !h.SilentSince.IsZero() {
		last := &h.Disruptions[n-1] // a copy, see addSigns
		last.NotifiedDown = last.NotifiedDown || at.Sub(h.SilentSince) >= longDown
	}
	h.SilentSince = time.Time{}
	return h
}

// recovered returns the history of a node that is well again: a disruption that was
// going on ends now.
func (h NodeHistory) recovered(at time.Time) NodeHistory {
	h = h.answersAgain(at)
	if n := len(h.Disruptions); n > 0 && !h.UnwellSince.IsZero() {
		last := &h.Disruptions[n-1] // a copy, see addSigns
		last.To, last.Gone = at, at
	}
	if !h.UnwellSince.IsZero() {
		h.RecoveredAt = at
	}
	h.UnwellSince = time.Time{}
	return h
}

// holdsSession reports whether a client of earlier rounds has its session on a node.
func (oc *outcomes) holdsSession(node string) bool {
	return slices.ContainsFunc(oc.traces, func(tr *trace) bool { return tr.Continued && (tr.opener == node || tr.holder == node) })
}
