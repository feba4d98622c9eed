package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// nodes finds enabled nodes that are down or report that they are paused. A node that
// the operator has marked down may be in any state.
func nodes(att *attribution) []Finding {
	var list []Finding
	for _, o := range att.nodes.enabled {
		switch {
		case !completed(o.Primary):
		case !att.nodes.up[o.Node]:
			f := nodeDown(att.outcomes, o)
			f.Summary.Args.Lost = att.lostHere(o.Node)
			list = append(list, f)
		case o.Status.Paused():
			list = append(list, nodePaused(o))
		}
	}
	return list
}

func nodeDown(oc *outcomes, observation probes.NodeObservation) Finding {
	finding := about(NodeDown, Warning, observation.Node)
	finding.Host = deadHost(oc.nodes, observation.Node)
	refused := oc.newClientsRefused()
	if oc.nodes.noneUp() && (refused > 0 || !oc.servedNow()) {
		finding.Severity, finding.Group = Critical, AllNodesDown
	}
	finding.Evidence = []Message{askedDirectly(observation.Primary)}
	if observation.Primary.Failure == "" {
		finding.facts.erring = true
		finding.Summary = msg(MsgNodeErrs, Args{Node: observation.Node, Status: observation.Primary.Status})
		finding.Remedy = msg(MsgReadNodeLog, Args{Node: observation.Node})
		if finding.Severity == Critical && oc.servedNow() {
			finding.Evidence = append(finding.Evidence, msg(MsgNewGotPage, Args{Of: refused}))
			finding.Remedy = msg(MsgAdmitNewClients, Args{Node: observation.Node})
		}
		return finding
	}
	finding.Summary = msg(MsgNodeSilent, Args{Node: observation.Node, Reason: why(observation.Primary)})
	switch observation.Primary.Failure {
	case probes.FailureRefused:
		finding.Remedy = msg(MsgStartApplication, Args{Address: oc.round.Cluster.Nodes[oc.round.index(observation.Node)].URL.Host})
	case probes.FailureTimeout:
		finding.facts.unanswered = true
		finding.Remedy = msg(MsgFindHang, Args{Node: observation.Node})
	default:
		finding.Remedy = msg(MsgCheckNode, Args{Node: observation.Node})
	}
	return finding
}

// servedNow reports whether the balancer served a client after every node had been asked
// directly: a node that only fails there, such as by a firewall or an expired certificate,
// costs clients nothing.
func (oc *outcomes) servedNow() bool {
	var asked time.Time
	for _, o := range oc.nodes.enabled {
		if o.Primary.At.After(asked) {
			asked = o.Primary.At
		}
	}
	return slices.ContainsFunc(oc.answers, func(a *answer) bool { return a.At.After(asked) && a.outcome.Good() })
}

// newClientsRefused returns the number of new clients that the balancer got, if there were several and none was served:
// nobody can begin, although clients that hold a session may be served.
func (oc *outcomes) newClientsRefused() (count int) {
	for _, a := range oc.answers {
		switch {
		case a.Kind != probes.StepFirst || a.trace.Continued:
		case a.outcome == OutcomeError:
			count++
		default:
			return 0
		}
	}
	if count < 2 {
		return 0
	}
	return count
}

// deadHost returns the host of a node's address if every node on it is down; "": one
// is up, so that the machine is running.
func deadHost(ns *nodeStates, id string) string {
	host := ns.round.Cluster.Nodes[ns.round.index(id)].URL.Hostname()
	for _, o := range ns.round.Nodes {
		if ns.up[o.Node] && ns.round.Cluster.Nodes[ns.round.index(o.Node)].URL.Hostname() == host {
			return ""
		}
	}
	return host
}

func nodePaused(o probes.NodeObservation) Finding {
	f := about(NodePaused, Critical, o.Node)
	f.Summary = msg(MsgNodePaused, Args{Node: o.Node, State: o.Status.State, Reason: o.Status.Reason})
	f.Evidence = []Message{msg(MsgStatusSaid, Args{Why: new(describe(o.Primary)), State: o.Status.State, Reason: o.Status.Reason})}
	f.Remedy = msg(MsgBringBackReason, Args{})
	if o.Status.Reason == "" {
		f.Remedy = msg(MsgFindWhyPaused, Args{})
	}
	return f
}

// eventReportedFor is how long a restart, a remapping or an ejection is reported: long enough to explain its
// consequences.
const eventReportedFor = 2 * time.Minute

// sessionsLost is the target of the warning that sums up the cost of restarts.
const sessionsLost = "sessions lost"

// A node that restarts CrashLoopRestarts times within crashLoopWindow is in a crash
// loop, until it has not restarted for eventReportedFor.
const (
	crashLoop         = "crash loop" // target of the finding
	CrashLoopRestarts = 3
	crashLoopWindow   = 5 * time.Minute
)

// restarts finds nodes that were recently restarted, or are restarted again and again
// and, after the last restart, the cost of all.
func restarts(att *attribution) []Finding {
	var list []Finding
	cost, settled, unsettled := costOfRestarts(att)
	for _, id := range att.round.everyNode() {
		if timeline := att.timeline.nodeTimelines[id]; !timeline.Restarted.IsZero() && att.round.Started.Sub(timeline.Restarted) <= eventReportedFor {
			f := about(NodeRestarted, Info, id)
			f.When, f.facts.aftermath = timeline.Restarted, att.timeline.consequencesFor
			f.Summary, f.Remedy = msg(MsgRestarted, Args{Node: id}), msg(MsgFindWhyEnded, Args{})
			if timeline.Sign().ID == MsgSessionsForgotten { // nobody has seen it
				f.Summary, f.Remedy = msg(MsgSeemsRestarted, Args{Node: id}), msg(MsgRestartOrDeletion, Args{})
			}
			f.Evidence = []Message{msg(MsgAtMoment, Args{At: timeline.Restarted, Why: timeline.LastSign})}
			f.CostFollows = slices.Contains(unsettled, id)
			list = append(list, f)
		}
		if f, ok := inCrashLoop(att, id); ok {
			list = append(list, f)
		}
	}
	if settled {
		list = append(list, cost)
	}
	return list
}

// crashes returns the restarts of a node's newest crash loop, which may have ended; nil
// if its newest restart belongs to none. A node in a crash loop may be listed while it runs
// only, so that it leaves instead.
func (t NodeTimeline) crashes() []time.Time {
	for _, ends := range [][]time.Time{t.Restarts, t.Departures} {
		if len(ends) == 0 {
			continue
		}
		last := ends[len(ends)-1]
		recent := slices.DeleteFunc(slices.Clone(ends), func(at time.Time) bool { return last.Sub(at) > crashLoopWindow })
		if len(recent) >= CrashLoopRestarts {
			return recent
		}
	}
	return nil
}

// inCrashLoop finds that a node restarts or leaves again and again. It is critical while its
// outages harm clients: a request failed in one of them, and another one recently in a later
// one.
func inCrashLoop(att *attribution, node string) (Finding, bool) {
	recent := att.timeline.nodeTimelines[node].crashes()
	if len(recent) == 0 || att.round.Started.Sub(recent[len(recent)-1]) > eventReportedFor {
		return Finding{}, false
	}
	finding := about(NodeRestarted, Warning, node)
	finding.Target, finding.Times = crashLoop, recent
	if harm := att.harmOfLoop(node, recent); !harm.From.IsZero() {
		finding.Severity, finding.observed.harm = Critical, harm
		finding.facts.aftermath = att.timeline.consequencesFor
	}
	took := recent[len(recent)-1].Sub(recent[0]).Round(time.Second)
	finding.Summary = msg(MsgCrashLoop, Args{Node: node, Count: len(recent), Duration: took, Lost: att.lostSince(node, recent[0])})
	sign := msg(MsgRestarted, Args{Node: node})
	if slices.Contains(att.timeline.nodeTimelines[node].Departures, recent[0]) {
		sign = msg(MsgLeftTheList, Args{Node: node})
		finding.Summary.ID = MsgComesAndGoes
	}
	for _, at := range slices.Backward(recent) {
		finding.Evidence = append(finding.Evidence, msg(MsgAtMoment, Args{At: at, Why: new(sign)}))
	}
	finding.Evidence = limited(finding.Evidence)
	finding.Affected = shareOfNodes(att.outcomes, finding.Nodes)
	finding.Remedy = msg(MsgEndCrashLoop, Args{Node: node})
	return finding, true
}

// lostSince returns how many sessions were lost in the disruptions of a node since a
// moment.
func (att *attribution) lostSince(node string, moment time.Time) (lost int) {
	for _, d := range att.timelines.Nodes[node].Disruptions {
		if !d.To.Before(moment) {
			lost += d.Lost
		}
	}
	return lost
}

// harmOfLoop returns the time in which requests of clients failed by the newest outage of a crash
// loop that failed any, if that is recent and one was sent before some restart and another one
// after it; otherwise zero. Between the outages, the node was well.
func (att *attribution) harmOfLoop(node string, crashes []time.Time) Span {
	failing := slices.DeleteFunc(slices.Clone(att.timelines.Nodes[node].Disruptions), func(d Disruption) bool {
		return d.To.Before(crashes[0]) || d.Failures.From.IsZero()
	})
	if len(failing) == 0 {
		return Span{}
	}
	newest := failing[len(failing)-1]
	sent := Span{failing[0].Failures.From, newest.LastFailed}
	if !slices.ContainsFunc(crashes, sent.contains) || att.round.Started.Sub(newest.Failures.To) > att.timeline.consequencesFor {
		return Span{}
	}
	return newest.Failures
}

// shareOfNodes returns the share of clients that some nodes have, by weight.
func shareOfNodes(oc *outcomes, nodes []string) Affected {
	among := Eligible(oc.round.Cluster, nil)
	a := Affected{Of: len(oc.traces)}
	for _, n := range among {
		if slices.Contains(nodes, n.ID) {
			a.Share += Share(n, among)
		}
	}
	return a
}

// lostHere returns how many sessions were lost in the newest disruption of a node.
func (att *attribution) lostHere(node string) int {
	list := att.timelines.Nodes[node].Disruptions
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1].Lost
}

type nodeDisruption struct {
	node string
	Disruption
}

// failureRuns returns the failures and restarts of all nodes, grouped by those that
// follow each other within the aftermath, as in a rolling restart. The newest run is
// the first. Long outages and crash loops report their own cost, also after their end, and
// do not delay that of other nodes. Neither does a node that is paused for long.
func (att *attribution) failureRuns() (runs [][]nodeDisruption) {
	var all []nodeDisruption
	for _, id := range att.round.everyNode() {
		known := att.timelines.Nodes[id]
		crashes := known.crashes()
		for i, d := range known.Disruptions {
			ongoing := i == len(known.Disruptions)-1 && !known.UnreadySince.IsZero() && att.round.Started.Sub(known.UnreadySince) >= longDown
			inLoop := len(crashes) > 0 && !d.To.Before(crashes[0])
			if d.failed() && !d.NotifiedDown && !ongoing && !inLoop {
				all = append(all, nodeDisruption{id, d})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b nodeDisruption) int { return b.To.Compare(a.To) })
	var begin time.Time // of the newest run so far
	for _, d := range all {
		if n := len(runs); n > 0 && begin.Sub(d.To) <= att.timeline.consequencesFor {
			runs[n-1] = append(runs[n-1], d)
		} else {
			runs, begin = append(runs, []nodeDisruption{d}), d.From
		}
		if d.From.Before(begin) {
			begin = d.From
		}
	}
	return runs
}

// costOfRestarts sums up the sessions that were lost with their nodes in the newest run
// of failures that cost any and whose aftermath has passed. unsettled are the nodes that
// have lost some in a run whose aftermath has not.
func costOfRestarts(att *attribution) (cost Finding, settled bool, unsettled []string) {
	if att.round.policy() != probes.PolicySticky {
		return Finding{}, false, nil
	}
	for _, run := range att.failureRuns() {
		cost, ok := costOf(att, run)
		if settled = att.round.Started.Sub(run[0].To) > att.timeline.consequencesFor; ok && settled {
			return cost, true, unsettled
		}
		unsettled = append(unsettled, cost.Nodes...)
	}
	return Finding{}, false, unsettled
}

// costOf sums up the sessions that were lost in a run of failures.
func costOf(att *attribution, run []nodeDisruption) (Finding, bool) {
	lost, unwatched, failed, delisted, inferred := 0, false, false, false, false
	var evidence []Message
	nodes := make(map[string]bool)
	for _, id := range att.round.everyNode() {
		for _, d := range slices.Backward(run) {
			recent := d.node == id && att.round.Started.Sub(d.To) <= eventReportedFor+att.timeline.consequencesFor
			if recent && d.Kind == DisruptionRestart && d.Unwatched && d.Lost == 0 {
				nodes[id], unwatched = true, true
				evidence = append(evidence, msg(MsgNoneWatched, Args{Node: id, At: d.To, Why: d.Why}))
			}
			if recent && d.Lost > 0 {
				nodes[id] = true
				lost += d.Lost
				failed = failed || d.Kind == DisruptionDown
				delisted = delisted || d.Kind == DisruptionLeft
				inferred = inferred || d.Why != nil && d.Why.ID == MsgSessionsForgotten
				evidence = append(evidence, msg(MsgLostThere, Args{Node: id, At: d.To, Count: d.Lost, Why: d.Why}))
			}
		}
	}
	if lost == 0 && !unwatched {
		return Finding{}, false
	}
	finding := aboutAll(NodeRestarted, Warning, att.round.withLeft(func(id string) bool { return nodes[id] }))
	finding.Node, finding.Target, finding.When = "", sessionsLost, run[0].To
	finding.Began = slices.MinFunc(run, func(a, b nodeDisruption) int { return a.From.Compare(b.From) }).From
	finding.Summary = msg(MsgLostWithRestart, Args{Count: lost, Nodes: finding.Nodes})
	finding.Evidence = limited(evidence)
	if failed {
		finding.Code = NodeDown
		finding.Summary = msg(MsgLostWithFailure, Args{Count: lost, Nodes: finding.Nodes})
	}
	if delisted && !failed {
		finding.Summary.ID = MsgLostWithLeaving
	}
	if lost == 0 {
		finding.Summary = msg(MsgRestartUnwatched, Args{Nodes: finding.Nodes})
	}
	finding.Affected = shareOfNodes(att.outcomes, finding.Nodes)
	finding.Remedy = msg(MsgDrainFirst, Args{})
	if inferred { // nobody has seen a restart
		finding.Remedy = msg(MsgRestartOrDeletion, Args{})
	}
	return finding, true
}
