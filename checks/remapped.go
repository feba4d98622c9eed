package checks

import (
	"cmp"
	"slices"
	"time"

	"stickwatch/probes"
)

// This file finds the moment at which the balancer sent many clients to another node,
// where they stay: a server was added, removed or moved in the list, or the balancer
// lost its stick table. That is an event and is reported once.

// A Remapping is a moment at which the balancer changed where it sends clients.
type Remapping struct {
	At       time.Time // when the first client was found elsewhere; zero: never
	Last     time.Time // At, as the newest round that saw the remapping has it: a change may be undone
	Moved    int       // clients that changed their node and stayed
	Of       int       // clients that were observed meanwhile
	Lost     int       // sessions that were lost because of it
	Change   Message   // the change that the arithmetic shows; zero: not known
	Nodes    []string  // nodes whose clients moved, or the node whose line was added or removed
	Follows  []string  // nodes that were out at that moment, so that clients were rehashed
	Changed  []string  // nodes that their source began or ceased to list at about that time
	Cause    string    // key of the finding that explained it first; "": none has
	Evidence []Message
}

// listDiffers reports whether the balancer no longer has the configured list.
func (t *Timelines) listDiffers() bool {
	return t != nil && !t.Balancer.Agreed && !t.Balancer.Remapped.At.IsZero()
}

// remaps is the sixth stage: whether the balancer changed where it sends clients.
type remaps struct {
	round    *Round
	nodes    *nodeStates
	outcomes *outcomes
	rotation *rotation
	timeline *timeline
	movement *movement

	remap            *observedRemap   // that this round has seen; nil: none
	forgot           bool             // this round has seen that the balancer forgets idle clients
	balancerTimeline BalancerTimeline // this round included
}

// findRemaps returns the sixth stage of a round.
func findRemaps(mov *movement) *remaps {
	rem := &remaps{
		round: mov.round, nodes: mov.nodes, outcomes: mov.outcomes, rotation: mov.rotation, timeline: mov.timeline, movement: mov,
	}
	rem.remap = rem.findRemap()
	rem.balancerTimeline = rem.updateBalancer()
	return rem
}

// An observedRemap is a remapping that this round has seen, with the clients that show it.
type observedRemap struct {
	Remapping
	traces   []*trace
	unlisted int // clients of listed nodes that nodes which are not listed answer now
	returned int // clients of nodes that are not listed that listed ones answer now
}

// add adds a client that moved with an answer.
func (r *observedRemap) add(tr *trace, a *answer) {
	r.traces = append(r.traces, tr)
	if r.At.IsZero() || a.At.Before(r.At) {
		r.At = a.At
	}
	if a.sessionOutcome == probes.SessionLost {
		r.Lost++
	}
	r.Evidence = append(r.Evidence, msg(MsgAnsweredSince, Args{Session: tr.First().Session, Node: tr.holder, Other: a.servingNode, At: a.At}))
}

// includes reports whether the remapping moved a client.
func (r *observedRemap) includes(tr *trace) bool { return r != nil && slices.Contains(r.traces, tr) }

// listTakesOver is how long it may take until all parts of a balancer, and all its servers in turn, have
// changed to another list.
const listTakesOver = 5 * time.Second

// findRemap finds clients that left nodes which are ready and still get other clients,
// and that stay on their new node, while the balancer keeps clients of this round. If
// the balancer hashes over the nodes that are left, and one has just left or returned,
// the first answer from elsewhere is enough, also to a client of this round. So is a move for
// good to a node that is not listed, which only another list explains. For other clients of
// this round see newClientShows.
func (rem *remaps) findRemap() *observedRemap {
	if rem.round.Past == nil || rem.round.policy() == probes.PolicyNone || rem.round.policy() == probes.PolicyShared || len(rem.movement.drifts) > 0 {
		return nil
	}
	r := &observedRemap{}
	nodes := make(map[string]bool)
	newClientShows := rem.newClientShows()
	for _, trace := range rem.outcomes.traces {
		if trace.holder == "" || !slices.ContainsFunc(trace.allAnswers(), (*answer).answeredBy) {
			continue
		}
		a, settled := rem.movedForGood(trace)
		rehashed := a != nil && rem.rehashedAt(a.At)
		switched := settled && IsUnlisted(a.servingNode) && !IsUnlisted(trace.holder)
		if !trace.Continued && !rehashed && !switched && !(settled && newClientShows(trace, a)) {
			continue
		}
		r.Of++
		switch past := rem.round.past().Balancer; {
		case a == nil, !settled && !rehashed:
			continue
		case rem.timeline.mayFollow(a, past.LastDriftAt), a.idleSince(past.Remapped.Last.Add(listTakesOver)): // known already
			continue
		}
		r.add(trace, a)
		switch {
		case switched:
			r.unlisted++
		case settled && !IsUnlisted(a.servingNode) && rem.cameFromUnlisted(a):
			r.returned++
		}
		nodes[trace.holder] = true
	}
	r.Moved = len(r.traces)
	for _, trace := range rem.outcomes.traces {
		if !trace.Continued && trace.stayedThrough(r.At) {
			r.Of++
		}
	}
	change, node := rem.changeOfList()
	rem.forgot = change.IsZero() && !rem.rehashedAt(r.At) && rem.forgotIdle(r)
	if rem.forgot || !rem.manyMoved(r, change) {
		return nil
	}
	r.Change = change
	if node != "" {
		nodes = map[string]bool{node: true}
	}
	r.Nodes = rem.round.nodesWhere(func(id string) bool { return nodes[id] })
	if rem.nodes.oracle == nil || rem.nodes.rehashes() {
		r.Follows = rem.timeline.nodesDisruptedAt(r.At)
	}
	r.Changed = rem.timeline.changedAround(r.At)
	r.Evidence = limited(r.Evidence)
	return r
}

// newClientShows returns whether the move for good of a client of this round shows a remap: its first node has
// answered it several times before, or older clients have moved as well, and clients have left several nodes. A
// single one was ejected.
func (rem *remaps) newClientShows() func(tr *trace, moved *answer) bool {
	olderMoved, left := false, make(map[string]bool) // by node: whether a client left it
	for _, tr := range rem.outcomes.traces {
		if a, _ := rem.movedForGood(tr); a != nil && tr.holder != "" && !rem.movement.byEjection(a) {
			olderMoved, left[tr.holder] = olderMoved || tr.Continued, true
		}
	}
	return func(tr *trace, moved *answer) bool {
		return len(left) >= 2 && !rem.movement.byEjection(moved) && (olderMoved || rem.wasKept(tr, moved.At))
	}
}

// steadyReturns is the number of follow-ups that the first node of a client of this round answers before
// its move for good shows that the balancer had kept it.
const steadyReturns = 2

// wasKept reports whether the balancer had kept a client of this round until it moved at a moment, or keeps
// another one that has come since: it does not place each client's second request anew.
func (rem *remaps) wasKept(tr *trace, moved time.Time) bool {
	return tr.returnedBefore(moved) >= steadyReturns || slices.ContainsFunc(rem.outcomes.traces, func(other *trace) bool {
		return !other.Continued && other.First().At.After(moved) && slices.ContainsFunc(other.answers, (*answer).answeredBy) &&
			!slices.ContainsFunc(other.answers, (*answer).moved)
	})
}

// returnedBefore counts the follow-ups before a moment that a client's node answered.
func (tr *trace) returnedBefore(moment time.Time) (count int) {
	for _, a := range tr.answers {
		if a.answeredBy() && a.At.Before(moment) && !a.moved() {
			count++
		}
	}
	return count
}

// stayedThrough reports whether its node answered a client before and after a moment, and no other one did.
func (tr *trace) stayedThrough(moment time.Time) bool {
	after := slices.ContainsFunc(tr.answers, func(a *answer) bool { return a.answeredBy() && a.At.After(moment) })
	return after && tr.returnedBefore(moment) > 0 && !slices.ContainsFunc(tr.answers, (*answer).moved)
}

// answeredBy reports whether the request is a follow-up that a known node answered.
func (a *answer) answeredBy() bool { return a.isFollowUp() && a.OK() && a.servingNode != "" }

// forgotIdle reports whether the balancer forgot clients that had paused, and no active ones.
func (rem *remaps) forgotIdle(r *observedRemap) bool {
	var moved []*answer
	for _, trace := range r.traces {
		a, _ := rem.movedForGood(trace)
		moved = append(moved, a)
	}
	return rem.movement.forgottenAfter(moved) > 0
}

// forgottenFor is how long a balancer that forgot idle clients is expected to forget the next.
const forgottenFor = 10 * time.Minute

// forgottenAfter returns the shortest pause of the clients that moved with these answers, if a table or a
// cookie of the balancer ended meanwhile; otherwise 0. Clients that paused less were then answered by their
// own node, also after the first move, and chance gave only some of those that paused as long their node
// again, also in earlier rounds. Where that is already known of the balancer, the pauses may be short.
func (mov *movement) forgottenAfter(moved []*answer) time.Duration {
	balancer := mov.round.Cluster.Balancer
	if balancer.Method.Hashes() && !balancer.HashesCookie() {
		return 0 // it computes the node of each request
	}
	moved = slices.DeleteFunc(slices.Clone(moved), mov.byDisruption) // the balancer knew them, and their node was out
	if len(moved) == 0 {
		return 0
	}
	shortest := leastPause(moved)
	first := slices.MinFunc(moved, func(a, b *answer) int { return a.At.Compare(b.At) }).At
	known := mov.round.Started.Sub(mov.round.past().Balancer.LastForgotAt) <= forgottenFor
	switch {
	case known:
	case shortest < shortestPause, mov.round.past().Balancer.Returns.refute(shortest, mov.round.Started, len(mov.round.Cluster.Nodes)):
		return 0
	}
	active, idle := 0, 0 // clients that stayed
	for _, tr := range mov.outcomes.traces {
		if !tr.Continued || slices.ContainsFunc(moved, func(a *answer) bool { return a.trace == tr }) {
			continue
		}
		var longest time.Duration
		var last time.Time
		for _, a := range tr.allAnswers() {
			if a.answeredBy() && !a.moved() {
				longest, last = max(longest, a.pauseBefore()), a.At
			}
		}
		switch {
		case longest == 0:
		case 10*longest >= 9*shortest: // one that paused a moment less shows nothing
			idle++
		case known, last.After(first.Add(-time.Second)): // a table that was lost would have moved it, too
			active++
		}
	}
	if active == 0 || idle > 3*len(moved) {
		return 0
	}
	return shortest
}

// manyMoved reports whether too many clients moved for chance, or the arithmetic
// shows what changed.
func (rem *remaps) manyMoved(r *observedRemap, change Message) bool {
	switch {
	case r.Moved == 0:
		return false
	case !change.IsZero(), rem.rehashedAt(r.At), r.unlisted >= 2, r.returned > 0 && !rem.outcomes.unlistedAnswer(r.At.Add(-time.Second)):
		return true
	case r.Moved >= 2 && 3*r.Moved >= r.Of:
		return true
	case rem.nodes.rehashes() && slices.ContainsFunc(r.traces, rem.round.knownByHolder):
		return true // only the balancer has changed: the node still knows the session
	default:
		byAddress := rem.nodes.oracle == nil && rem.round.Cluster.Balancer.Method != probes.MethodCookie && !rem.round.Cluster.Balancer.HashesCookie()
		return r.Of == 1 && byAddress && rem.round.Cluster.Balancer.KeyHeader() == "" // a single client is all that one address can show
	}
}

// unlistedAnswer reports whether a node that is not listed answered a client since a moment.
func (oc *outcomes) unlistedAnswer(since time.Time) bool {
	return slices.ContainsFunc(oc.allAnswers, func(a *answer) bool { return IsUnlisted(a.servingNode) && !a.At.Before(since) })
}

// cameFromUnlisted reports whether the client of an answer came from a node that is not listed: each listed one has
// another name, which it did not change meanwhile, or had been down for long when that node last answered.
func (rem *remaps) cameFromUnlisted(a *answer) bool {
	label, kept, identity := a.trace.First().Label, a.sinceLastKept().From, rem.nodes.identity
	if label == "" || identity.NodeOf(label) != "" || identity.Ambiguous(label) {
		return false
	}
	mayBeIt := func(id string) bool {
		disruptions := rem.timeline.nodeTimelines[id].Disruptions
		wasDown := slices.ContainsFunc(disruptions, func(d Disruption) bool {
			return d.failed() && d.From.Add(longDown).Before(kept) && !d.To.Before(kept)
		})
		mayBeRenamed := slices.ContainsFunc(disruptions, func(d Disruption) bool {
			return d.covers(a.At, rem.timeline.consequencesFor) && !d.From.After(a.trace.Opened)
		})
		unnamed := slices.Contains(rem.outcomes.unnamed, id) && rem.nodes.direct[id].LastLabel == ""
		return !wasDown && (mayBeRenamed || unnamed)
	}
	return len(rem.nodes.disruptable(mayBeIt)) == 0
}

// rehashedAt reports whether the balancer may have placed the clients of all nodes anew
// because one had just left or returned.
func (rem *remaps) rehashedAt(at time.Time) bool {
	return rem.nodes.rehashes() && len(rem.timeline.nodesDisruptedAt(at)) > 0
}

// knownByHolder reports whether the node that a client left still knew its session
// when it was presented there directly.
func (r *Round) knownByHolder(tr *trace) bool {
	return slices.ContainsFunc(r.OwnerChecks, func(c probes.OwnerCheck) bool {
		return c.To == tr.holder && c.Opened.Equal(tr.Opened) && c.Session == tr.First().Session && c.SessionOutcome() == probes.SessionKept
	})
}

// refutedWithin is how soon a client of a remapping that is back refutes it: a change that is undone takes longer.
const refutedWithin = 10 * time.Second

// refuted reports whether a remapping that lost nothing was none: a client that moved then is back on the node that
// opened its session. A failure that nobody saw moved them, and an application that sets another route keeps some there.
func (rem *remaps) refuted(r Remapping) bool {
	return !r.At.IsZero() && r.Lost == 0 && slices.ContainsFunc(rem.outcomes.traces, func(tr *trace) bool {
		away, back := tr.holder != tr.opener && !tr.First().At.Before(r.At), false
		for _, a := range tr.allAnswers() {
			switch {
			case !a.answeredBy() || a.At.Before(r.At):
			case a.servingNode != tr.opener:
				away, back = true, false
			default:
				back = away && a.At.Sub(r.Last) <= refutedWithin
			}
		}
		return back
	})
}

// movedForGood returns the answer that first showed a client on another node, if all
// later answers came from that node; nil: it did not move, or a disruption of its own
// node explains it. It is settled once a later answer has confirmed it, or the client
// sent no other request in this round. A client that was rehashed may be back: nodes
// restart within a moment.
//
// After the whole list was replaced, its new nodes count as one: see placedAnew.
func (rem *remaps) movedForGood(tr *trace) (first *answer, settled bool) {
	var last *answer
	for _, a := range tr.allAnswers() {
		switch {
		case !a.answeredBy():
		case first != nil && rem.rehashedAt(first.At) && a.servingNode == tr.holder:
		case a.servingNode == tr.holder:
			first = nil
		case first == nil:
			first, last = a, a
		case a.servingNode != first.servingNode && !placedAnew(tr.holder, first.servingNode, a.servingNode):
			return nil, false
		default:
			last = a
		}
	}
	switch {
	case first == nil, rem.movedByDisruption(first):
	case rem.round.index(tr.holder) >= 0 && !rem.nodes.ready(tr.holder), rem.timeline.nodeTimelines[tr.holder].RefusesConnections: // its node does not serve
	case rem.rotation.states[tr.holder].ProvenOut && !rem.takenOut(tr.holder, first.At): // or is left out
	case slices.Contains(first.upstreamsTried, tr.holder): // or was tried
	case first.servingNode == tr.opener: // it went back
	default:
		return first, last != first || len(tr.answers) <= 1
	}
	return nil, false
}

// placedAnew reports whether two nodes that answered a holder's client may both be of another list than the holder: the
// balancer's cookie of the client then names a server that the balancer does not know, and each request is placed anew.
func placedAnew(holder, first, next string) bool {
	return IsUnlisted(first) == IsUnlisted(next) && (IsUnlisted(first) || IsUnlisted(holder))
}

// movedByDisruption reports whether a disruption since the last answer of a client's
// own node explains that another node answered. A client that paused may have been
// moved by any disruption meanwhile, unless one has just begun or ended: then it shows
// what happens to clients now.
func (rem *remaps) movedByDisruption(a *answer) bool {
	since := a.sinceLastKept()
	out := slices.DeleteFunc(rem.timeline.nodesDisruptedIn(since), func(id string) bool { return rem.takenOut(id, a.At) })
	if rem.movement.byDisruptionOf(a, out) && !rem.movedByReturn(a, out) {
		return true
	}
	return a.pauseBefore() >= shortestPause && !rem.justRehashed(a.At) && rem.movement.byRestartElsewhere(a, since)
}

// takenOut reports whether the balancer ceased to use a node that was well, and by its
// arithmetic places the clients of all nodes anew then. This is a remap also for the
// clients of that node.
func (rem *remaps) takenOut(node string, at time.Time) bool {
	d, ok := rem.timeline.disruptionAt(node, at)
	return ok && !d.failed() && rem.nodes.oracle != nil && rem.nodes.rehashes()
}

// justRehashed reports whether a node left within the last minute, or returned within
// the aftermath, and the balancer may have placed the clients of all nodes anew.
func (rem *remaps) justRehashed(at time.Time) bool {
	return rem.nodes.rehashes() && slices.ContainsFunc(rem.round.Cluster.Nodes, func(n probes.Node) bool {
		timeline := rem.timeline.nodeTimelines[n.ID]
		d, ok := rem.timeline.disruptionAt(n.ID, at)
		return ok && (at.Sub(d.From) <= time.Minute || timeline.UnreadySince.IsZero() && timeline.LeftOutSince.IsZero())
	})
}

// movedByReturn reports whether a client of ready nodes moved to a node because that one
// returned. Its leaving moved clients of other nodes, so its return does, too; the
// client is not one of its own that it gets back.
func (rem *remaps) movedByReturn(a *answer, out []string) bool {
	leaving := rem.round.past().Balancer.Remapped
	d, ok := rem.timeline.disruptionAt(a.servingNode, a.At)
	return ok && rem.nodes.rehashes() && slices.Contains(leaving.Follows, a.servingNode) && d.covers(leaving.At, rem.timeline.consequencesFor) &&
		!slices.Contains(out, a.trace.holder) && !slices.Contains(out, a.trace.opener)
}

// remapFindings finds that the balancer has recently sent many clients to another node.
func remapFindings(rem *remaps) []Finding {
	remapping := rem.balancerTimeline.Remapped
	if remapping.At.IsZero() || rem.round.Started.Sub(remapping.At) > eventReportedFor {
		return nil
	}
	finding := Finding{Code: BalancerRemapped, Severity: Warning, Nodes: remapping.Nodes, When: remapping.At}
	finding.facts.follows, finding.ExplainedBy = remapping.Follows, remapping.Cause
	finding.facts.serverAdded = remapping.Change.ID == MsgLineAdded || remapping.Change.IsZero() && len(remapping.Follows) == 0
	for _, node := range remapping.Follows { // the failure may have ended
		if d, ok := rem.timeline.disruptionAt(node, remapping.At); ok && d.failed() {
			finding.ExplainedBy = cmp.Or(finding.ExplainedBy, d.Finding)
		}
	}
	if remapping.Lost > 0 {
		finding.Severity = Critical
	}
	finding.Summary = msg(MsgRemapped, Args{Count: remapping.Moved, Of: remapping.Of, At: remapping.At, Lost: remapping.Lost, Why: whyRemapped(rem.nodes, remapping)})
	finding.Affected = Affected{Share: float64(remapping.Moved) / float64(max(1, remapping.Of)), Of: remapping.Of}
	finding.Evidence = remapping.Evidence
	finding.Remedy = remapRemedy(rem.nodes, remapping)
	return []Finding{finding}
}

// whyRemapped returns what was changed; nil: not known.
func whyRemapped(ns *nodeStates, r Remapping) *Message {
	switch {
	case !r.Change.IsZero():
		return &r.Change
	case len(r.Follows) > 0:
		return new(msg(MsgNodesCameOrWent, Args{Nodes: r.Follows}))
	case len(r.Changed) > 0:
		return new(msg(MsgNodesCameOrWent, Args{Nodes: r.Changed}))
	case ns.round.Cluster.Balancer.Method == probes.MethodCookie:
		return new(msg(MsgRoutesChanged, Args{}))
	case ns.oracle == nil:
		return new(msg(MsgTableForgotten, Args{}))
	default:
		return nil
	}
}

func remapRemedy(ns *nodeStates, r Remapping) Message {
	switch {
	case ns.round.Cluster.Balancer.Method == probes.MethodSource:
		return msg(MsgHashConsistently, Args{})
	case r.Change.ID == MsgLineRemoved:
		return msg(MsgMarkDown, Args{})
	case ns.oracle != nil:
		return msg(MsgKeepLines, Args{})
	case ns.round.Cluster.Balancer.Method == probes.MethodCookie:
		return msg(MsgKeepRoutes, Args{})
	default:
		return msg(MsgCarryTable, Args{})
	}
}
