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

	consequencesFor time.Duration           // how long consequences of a disruption may be seen: Aftermath, and the time until clients send their next request
	nodeTimelines   map[string]NodeTimeline // by node id
}

// newTimeline returns the fourth stage of a round.
func newTimeline(rot *rotation) *timeline {
	tl := &timeline{round: rot.round, nodes: rot.nodes, outcomes: rot.outcomes, rotation: rot, nodeTimelines: updateNodes(rot.round)}
	tl.consequencesFor = Aftermath(tl.round.Cluster.Balancer) + 2*tl.round.Every
	for _, n := range tl.round.Cluster.Nodes {
		timeline := tl.round.markListed(n.ID, tl.markOwnAddress(n, tl.nodeTimelines[n.ID]))
		tl.nodeTimelines[n.ID] = tl.addSigns(n, tl.addBalancerEvents(n, timeline))
	}
	tl.inferRestarts() // after all other signs of all nodes: a known disruption explains a loss
	for _, n := range tl.round.Cluster.Nodes {
		tl.nodeTimelines[n.ID] = tl.markSeen(n.ID, tl.nodeTimelines[n.ID]) // last: signs reach back to when an earlier round saw the node ready
	}
	for _, n := range tl.round.recentlyLeft() {
		tl.nodeTimelines[n.ID] = tl.markLeft(n, tl.round.past().Nodes[n.ID])
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
		return slices.ContainsFunc(tl.nodeTimelines[id].Disruptions, func(d Disruption) bool { return d.covers(at, tl.consequencesFor) })
	})
}

// disruptionAt returns the newest disruption of a node that covers a moment.
func (tl *timeline) disruptionAt(node string, at time.Time) (Disruption, bool) {
	for _, d := range slices.Backward(tl.nodeTimelines[node].Disruptions) {
		if d.covers(at, tl.consequencesFor) {
			return d, true
		}
	}
	return Disruption{}, false
}

// wasDisruptedIn reports whether a node had such a disruption within a span.
func (tl *timeline) wasDisruptedIn(node string, s Span, such func(Disruption) bool) bool {
	return slices.ContainsFunc(tl.nodeTimelines[node].Disruptions, func(d Disruption) bool {
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
	timeline, known := tl.nodeTimelines[node]
	return known && (timeline.RefusesConnections || timeline.Restarted.After(since))
}

// addSigns adds this round's signs of disruption to the timeline of a node.
func (tl *timeline) addSigns(node probes.Node, timeline NodeTimeline) NodeTimeline {
	before := tl.round.past().Nodes[node.ID].Restarted
	timeline.Disruptions = slices.DeleteFunc(slices.Clone(timeline.Disruptions), func(d Disruption) bool {
		return tl.round.Started.Sub(d.To) > rememberedFor
	})
	timeline = tl.slowAtFirst(node, timeline)
	timeline = tl.signsOfNode(node, timeline) // first: a good answer ends the newest disruption, which must be an earlier round's
	if timeline.Restarted.After(before) {
		timeline = tl.addSign(node.ID, timeline, DisruptionRestart, timeline.LastReady, timeline.Restarted, timeline.Sign())
	}
	timeline = tl.signsOfClients(node.ID, timeline)
	timeline = tl.signsOfBalancer(node.ID, timeline)
	if timeline.Restarted.After(before) {
		timeline = timeline.withRestart(timeline.Restarted)
	}
	return timeline
}

// signsOfNode adds the direct request to a node: a failure begins or continues a
// disruption, and a good answer ends it.
func (tl *timeline) signsOfNode(n probes.Node, timeline NodeTimeline) NodeTimeline {
	primary := tl.nodes.direct[n.ID].Primary
	switch {
	case !completed(primary) || n.Down:
		return timeline
	case tl.nodes.ready(n.ID) && !tl.round.answeredSlowly(primary):
		return timeline.recovered(primary.At)
	}
	timeline = tl.addSign(n.ID, timeline, DisruptionDown, timeline.LastReady, primary.At, askedDirectly(primary))
	if timeline.UnreadySince.IsZero() {
		timeline.UnreadySince = primary.At
	}
	if tl.nodes.up[n.ID] {
		return timeline.answersAgain(primary.At)
	}
	if timeline.SilentSince.IsZero() {
		timeline.SilentSince = primary.At
	}
	timeline.SilentLast = primary.At
	return timeline
}

// answeredSlowly reports whether a node took longer than the limit to answer. A connect is slow by lost packets.
func (r *Round) answeredSlowly(direct probes.Exchange) bool {
	return r.Cluster.Limits.Slow > 0 && direct.Timing.Total-direct.Timing.Connect > r.Cluster.Limits.Slow
}

// slowAtFirst adds the first direct request of a long round to a node that was slow then, and may be quick by now.
func (tl *timeline) slowAtFirst(n probes.Node, timeline NodeTimeline) NodeTimeline {
	at := slices.IndexFunc(tl.round.NodesFirst, func(o probes.NodeObservation) bool { return o.Node == n.ID && tl.round.answeredSlowly(o.Primary) })
	if at < 0 || n.Down {
		return timeline
	}
	primary := tl.round.NodesFirst[at].Primary
	return tl.addSign(n.ID, timeline, DisruptionDown, timeline.LastReady, primary.At, askedDirectly(primary))
}

// markSeen records when a node was well, back and left out.
func (tl *timeline) markSeen(node string, timeline NodeTimeline) NodeTimeline {
	if primary := tl.nodes.direct[node].Primary; completed(primary) && tl.nodes.ready(node) {
		timeline.LastReady = primary.At
	}
	if timeline.Restarted.After(timeline.RecoveredAt) {
		timeline.RecoveredAt = timeline.Restarted
	}
	switch state := tl.rotation.states[node]; {
	case state.In == Yes:
		timeline.LeftOutSince = time.Time{}
	case !state.ProvenOut || !tl.nodes.ready(node) || !timeline.LeftOutSince.IsZero():
	case tl.round.Past == nil: // the beginning is not known
		timeline.LeftOutSince = tl.round.Started.Add(-rememberedFor)
	default:
		timeline.LeftOutSince = tl.round.Started
	}
	return timeline
}

// oneRestart is the longest time between the signs of one restart.
const oneRestart = 3 * time.Second

func (t NodeTimeline) withRestart(at time.Time) NodeTimeline {
	if n := len(t.Restarts); n > 0 && at.Sub(t.Restarts[n-1]) <= oneRestart {
		return t
	}
	t.Restarts = append(slices.Clone(t.Restarts), at)
	t.Restarts = t.Restarts[max(0, len(t.Restarts)-keptDisruptions):]
	return t
}

// addSign adds a sign of a disruption to the timeline of a node. The disruption
// reaches from when the node was last known to be ready to the moment of the sign.
func (tl *timeline) addSign(node string, timeline NodeTimeline, kind DisruptionKind, from, to time.Time, why Message) NodeTimeline {
	return timeline.with(tl.outcomes.sign(node, kind, from, to, why), tl.consequencesFor)
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
func (tl *timeline) signsOfClients(node string, timeline NodeTimeline) NodeTimeline {
	for _, a := range tl.outcomes.allAnswers {
		switch {
		case slices.Contains(a.upstreamsTried, node):
			timeline = tl.addSign(node, timeline, DisruptionEjected, a.At, a.At, msg(MsgTriedInVain, Args{At: a.At}))
		case a.failedNode == node:
			d := tl.outcomes.sign(node, DisruptionDown, a.At, a.At, msg(MsgAClientGot, Args{Why: new(describe(a.Exchange))}))
			d.Failures, d.LastFailed = Span{a.At, a.At.Add(a.Timing.Total)}, a.At
			timeline = timeline.with(d, tl.consequencesFor)
		}
	}
	for _, c := range tl.round.OwnerChecks {
		if c.To == node && (failed(c.There) || c.There.Failure == probes.FailureRefused) {
			timeline = tl.addSign(node, timeline, DisruptionDown, c.Known, c.There.At, askedDirectly(c.There))
		}
	}
	for _, ex := range tl.nodes.direct[node].Pages {
		if ex.Failure == probes.FailureRefused { // it ended after it had been asked for its status
			timeline = tl.addSign(node, timeline, DisruptionDown, tl.nodes.direct[node].Primary.At, ex.At, askedDirectly(ex))
		}
	}
	return timeline
}

// signsOfBalancer adds the ejections that the balancer reports, and those that
// clients show.
func (tl *timeline) signsOfBalancer(node string, timeline NodeTimeline) NodeTimeline {
	for _, e := range timeline.Ejections {
		timeline = tl.addSign(node, timeline, DisruptionEjected, e.From, e.To, e.Words)
	}
	if state := tl.rotation.states[node]; state.ProvenOut && tl.nodes.ready(node) {
		timeline = tl.addSign(node, timeline, DisruptionEjected, timeline.LastReady, tl.round.Started, state.Reason)
	}
	return timeline
}

// answersAgain returns the timeline of a node that is up again, though it may not be
// ready. A node that was found silent once, before a long round, was not notified as down.
func (t NodeTimeline) answersAgain(at time.Time) NodeTimeline {
	if n := len(t.Disruptions); n > 0 && !t.SilentSince.IsZero() {
		last := &t.Disruptions[n-1] // a copy, see addSigns
		last.NotifiedDown = last.NotifiedDown || t.SilentLast.After(t.SilentSince) && at.Sub(t.SilentSince) >= longDown
	}
	t.SilentSince = time.Time{}
	return t
}

// recovered returns the timeline of a node that is ready again: a disruption that was
// going on ends now.
func (t NodeTimeline) recovered(at time.Time) NodeTimeline {
	t = t.answersAgain(at)
	if n := len(t.Disruptions); n > 0 && !t.UnreadySince.IsZero() {
		last := &t.Disruptions[n-1] // a copy, see addSigns
		last.To, last.Gone = at, at
	}
	if !t.UnreadySince.IsZero() {
		t.RecoveredAt = at
	}
	t.UnreadySince = time.Time{}
	return t
}

// holdsSession reports whether a client of earlier rounds has its session on a node.
func (oc *outcomes) holdsSession(node string) bool {
	return slices.ContainsFunc(oc.traces, func(tr *trace) bool { return tr.Continued && (tr.opener == node || tr.holder == node) })
}
