package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// timeline is the fourth stage: when each node was interrupted, this round included.
type timeline struct {
	*rotation

	aftermath   time.Duration          // how long consequences of a disruption may be seen: Aftermath, and the time until clients send their next request
	nodeHistory map[string]NodeHistory // by node id
}

// newTimeline returns the fourth stage of a round.
func newTimeline(r *rotation) *timeline {
	v := &timeline{rotation: r, nodeHistory: updateNodes(r.past().Nodes, r.Round)}
	v.aftermath = Aftermath(v.Cluster.Balancer) + 2*v.Every
	for _, n := range v.Cluster.Nodes {
		m := v.answeredOwnAddress(n, v.nodeHistory[n.ID])
		v.nodeHistory[n.ID] = v.disruptionsOf(n, v.addBalancerEvents(n, v.listed(n.ID, m)))
	}
	for _, n := range v.recentlyLeft() {
		v.nodeHistory[n.ID] = v.leave(n, v.past().Nodes[n.ID])
	}
	return v
}

// nodesDisruptedAt returns the nodes whose disruptions cover a moment, in configuration
// order. Where the choice is computed, the oracle knows of nodes that have left.
func (v *timeline) nodesDisruptedAt(at time.Time) []string {
	return v.withLeft(v.oracle == nil, func(id string) bool {
		return slices.ContainsFunc(v.nodeHistory[id].Disruptions, func(d Disruption) bool { return d.covers(at, v.aftermath) })
	})
}

// disruptionAt returns the newest disruption of a node that covers a moment.
func (v *timeline) disruptionAt(node string, at time.Time) (Disruption, bool) {
	for _, d := range slices.Backward(v.nodeHistory[node].Disruptions) {
		if d.covers(at, v.aftermath) {
			return d, true
		}
	}
	return Disruption{}, false
}

// wasDisruptedIn reports whether a node had such a disruption within a span.
func (v *timeline) wasDisruptedIn(node string, s Span, such func(Disruption) bool) bool {
	return slices.ContainsFunc(v.nodeHistory[node].Disruptions, func(d Disruption) bool {
		return d.overlaps(s, v.aftermath) && such(d)
	})
}

// nodesDisruptedIn returns the nodes with a disruption within a span, in configuration
// order.
func (v *timeline) nodesDisruptedIn(s Span) []string {
	return v.withLeft(v.oracle == nil, func(id string) bool { return v.wasDisruptedIn(id, s, func(Disruption) bool { return true }) })
}

// followed reports whether a session may have been lost at an event, or within the
// aftermath of it.
func (v *timeline) followed(a *answer, event time.Time) bool {
	lost := a.lostIn()
	return !event.IsZero() && !event.After(lost.To) && !event.Add(v.aftermath).Before(lost.From)
}

// restartedSince reports whether a node was restarted after a moment, or is down, so
// that sessions from before are gone.
func (v *timeline) restartedSince(node string, since time.Time) bool {
	m, known := v.nodeHistory[node]
	return known && (m.Down || m.Restarted.After(since))
}

// disruptionsOf adds this round's signs of disruption to the history of a node.
func (v *timeline) disruptionsOf(n probes.Node, m NodeHistory) NodeHistory {
	before := v.past().Nodes[n.ID].Restarted
	m.Disruptions = slices.DeleteFunc(slices.Clone(m.Disruptions), func(d Disruption) bool {
		return v.Started.Sub(d.To) > rememberedFor
	})
	m = v.signsOfNode(n, m) // first: a good answer ends the newest disruption, which must be an earlier round's
	if m.Restarted.After(before) {
		m = v.addSign(n.ID, m, DisruptionRestart, m.Seen, m.Restarted, m.LastSign)
	}
	m = v.signsOfClients(n.ID, m)
	m = v.signsOfBalancer(n.ID, m)
	m = v.signsOfLosses(n.ID, m) // after all other signs: a known disruption explains a loss
	if m.Restarted.After(before) {
		m = m.withRestart(m.Restarted)
	}
	return v.lastSeen(n.ID, m) // last: signs reach back to when an earlier round saw the node well
}

// signsOfNode adds the direct request to a node: a failure begins or continues a
// disruption, and a good answer ends it.
func (v *timeline) signsOfNode(n probes.Node, m NodeHistory) NodeHistory {
	primary, limit := v.direct[n.ID].Primary, v.Cluster.Limits.Slow
	slow := limit > 0 && primary.Timing.Total-primary.Timing.Connect > limit // a connect is slow by lost packets
	switch {
	case !completed(primary) || n.Down:
		return m
	case v.ready(n.ID) && !slow:
		return m.recovered(primary.At)
	}
	m = v.addSign(n.ID, m, DisruptionDown, m.Seen, primary.At, askedDirectly(primary))
	if m.DownSince.IsZero() {
		m.DownSince = primary.At
	}
	if v.up[n.ID] {
		return m.answersAgain(primary.At)
	}
	if m.SilentSince.IsZero() {
		m.SilentSince = primary.At
	}
	return m
}

// signsOfLosses adds a restart that only lost sessions show.
func (v *timeline) signsOfLosses(node string, m NodeHistory) NodeHistory {
	from, to, lost := v.inferRestart(node, m)
	if lost == 0 {
		return m
	}
	m.Restarted, m.LastSign = to, msg(MsgSessionsForgotten, Args{Count: lost})
	m.InferredRestarts = append(slices.Clone(m.InferredRestarts), to)
	m.InferredRestarts = m.InferredRestarts[max(0, len(m.InferredRestarts)-maxInferredRestarts):]
	return v.addSign(node, m, DisruptionRestart, from, to, m.LastSign)
}

// lastSeen records when a node was well, back and left out.
func (v *timeline) lastSeen(node string, m NodeHistory) NodeHistory {
	if primary := v.direct[node].Primary; completed(primary) && v.ready(node) {
		m.Seen = primary.At
	}
	if m.Restarted.After(m.Back) {
		m.Back = m.Restarted
	}
	switch state := v.rotationStates[node]; {
	case state.In == Yes:
		m.Out = time.Time{}
	case !state.Sure || !v.ready(node) || !m.Out.IsZero():
	case v.Past == nil: // the beginning is not known
		m.Out = v.Started.Add(-rememberedFor)
	default:
		m.Out = v.Started
	}
	return m
}

// withRestart returns the history with a restart. Several signs of one restart may be
// seen one after the other.
func (m NodeHistory) withRestart(at time.Time) NodeHistory {
	if n := len(m.Restarts); n > 0 && at.Sub(m.Restarts[n-1]) <= clockSlack {
		return m
	}
	m.Restarts = append(slices.Clone(m.Restarts), at)
	m.Restarts = m.Restarts[max(0, len(m.Restarts)-keptDisruptions):]
	return m
}

// addSign adds a sign of a disruption to the history of a node. The disruption
// reaches from when the node was last known to be well to the moment of the sign.
func (v *timeline) addSign(node string, m NodeHistory, kind DisruptionKind, from, to time.Time, why Message) NodeHistory {
	if from.IsZero() || from.After(to) {
		from = to
	}
	d := Disruption{Span: Span{from, to}, Unwatched: !v.holdsSession(node), Kind: kind, Why: &why}
	if kind != DisruptionEjected {
		d.Gone = to
	}
	return m.with(d, v.aftermath)
}

// signsOfClients adds the client requests that failed because of a node, and the
// sessions that it did not answer when they were presented to it directly.
func (v *timeline) signsOfClients(node string, m NodeHistory) NodeHistory {
	for _, a := range v.allAnswers {
		switch {
		case slices.Contains(a.upstreamsTried, node):
			m = v.addSign(node, m, DisruptionEjected, a.At, a.At, msg(MsgTriedInVain, Args{At: a.At}))
		case a.failedNode == node:
			m = v.addSign(node, m, DisruptionDown, a.At, a.At, msg(MsgAClientGot, Args{Why: new(describe(a.Exchange))}))
		}
	}
	for _, c := range v.OwnerChecks {
		if c.To == node && (failed(c.There) || c.There.Failure == probes.FailureRefused) {
			m = v.addSign(node, m, DisruptionDown, c.Known, c.There.At, askedDirectly(c.There))
		}
	}
	return m
}

// signsOfBalancer adds the ejections that the balancer reports, and those that
// clients show.
func (v *timeline) signsOfBalancer(node string, m NodeHistory) NodeHistory {
	for _, e := range m.Ejections {
		m = v.addSign(node, m, DisruptionEjected, e.From, e.To, e.Words)
	}
	if state := v.rotationStates[node]; state.Sure && v.ready(node) {
		m = v.addSign(node, m, DisruptionEjected, m.Seen, v.Started, state.Reason)
	}
	return m
}

// answersAgain returns the history of a node that is up again, though it may not be
// well.
func (m NodeHistory) answersAgain(at time.Time) NodeHistory {
	if n := len(m.Disruptions); n > 0 && !m.SilentSince.IsZero() {
		last := &m.Disruptions[n-1] // a copy, see disruptionsOf
		last.NotifiedDown = last.NotifiedDown || at.Sub(m.SilentSince) >= longDown
	}
	m.SilentSince = time.Time{}
	return m
}

// recovered returns the history of a node that is well again: a disruption that was
// going on ends now.
func (m NodeHistory) recovered(at time.Time) NodeHistory {
	m = m.answersAgain(at)
	if n := len(m.Disruptions); n > 0 && !m.DownSince.IsZero() {
		last := &m.Disruptions[n-1] // a copy, see disruptionsOf
		last.To, last.Gone = at, at
	}
	if !m.DownSince.IsZero() {
		m.Back = at
	}
	m.DownSince = time.Time{}
	return m
}

// holdsSession reports whether a client of earlier rounds has its session on a node.
func (v *timeline) holdsSession(node string) bool {
	return slices.ContainsFunc(v.traces, func(w *trace) bool { return w.Continued && (w.owner == node || w.holder == node) })
}

// maxInferredRestarts is the number of restarts within rememberedFor that are
// inferred from lost sessions alone. A node that loses sessions again and again
// without another sign of a restart has another problem.
const maxInferredRestarts = 2

// inferRestart infers a restart that no request saw: every session that the node had
// opened before is gone when presented to it directly, while it keeps sessions that
// it opens now. It returns between which moments the restart was, and how many
// sessions show it; 0: none.
func (v *timeline) inferRestart(node string, m NodeHistory) (from, to time.Time, lost int) {
	for _, c := range v.OwnerChecks {
		if c.To != node || c.SessionOutcome() != probes.SessionLost || c.Known.Before(m.Restarted) || m.failedSince(c.Known, c.There.At.Add(-v.aftermath)) {
			continue // a known restart or outage explains the loss
		}
		if !c.Renewed() {
			return from, to, 0 // it keeps no session at all
		}
		lost++
		if c.Known.After(from) {
			from = c.Known
		}
		if c.There.At.After(to) {
			to = c.There.At
		}
	}
	if v.keepsOlderSession(node, from) || m.inferredRestarts(v.Started) >= maxInferredRestarts {
		return from, to, 0
	}
	return from, to, lost
}

// failedSince reports whether a node failed after one moment and was well again
// before another.
func (m NodeHistory) failedSince(moment, until time.Time) bool {
	return slices.ContainsFunc(m.Disruptions, func(d Disruption) bool {
		return d.failed() && d.Gone.After(moment) && d.To.Before(until)
	})
}

// keepsOlderSession reports whether a node still knows, after a moment, a session
// that it opened before.
func (v *timeline) keepsOlderSession(node string, moment time.Time) bool {
	for _, c := range v.OwnerChecks {
		if sessionOutcome := c.SessionOutcome(); c.To == node && c.Opened.Before(moment) && (sessionOutcome == probes.SessionKept || sessionOutcome == probes.SessionStale) {
			return true
		}
	}
	return slices.ContainsFunc(v.traces, func(w *trace) bool {
		return w.Continued && w.owner == node && w.Opened.Before(moment) && slices.ContainsFunc(w.answers, func(a *answer) bool {
			return a.servingNode == node && a.sessionOutcome == probes.SessionKept && a.At.After(moment)
		})
	})
}

// inferredRestarts counts the restarts of a node that were inferred within
// rememberedFor.
func (m NodeHistory) inferredRestarts(now time.Time) int {
	n := 0
	for _, at := range m.InferredRestarts {
		if now.Sub(at) < rememberedFor {
			n++
		}
	}
	return n
}
