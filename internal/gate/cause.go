package gate

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/checks/evidence"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// cause returns why a session moved or was lost, from the state of the node that it
// left in the time between the last good answer and the one that showed the change.
// earlier are the previous moves of the same client.
func (j *judge) cause(move Move, earlier []Move) (Cause, phrase.Phrase) {
	span := checks.Span{From: move.last, To: move.At}
	down, failed := j.outageIn(move.From, span)
	balancerStates, out := j.outOfRotationState(move.From, span)
	drained := (j.limits.Drain != "" && move.From == j.limits.Drain) || (out && balancerStates.State != probes.ServerDown)
	consequence, why, explained := j.afterRestart(move, earlier)
	switch {
	case failed && (!drained || !move.At.Before(down.FirstBad)): // else the node was empty when it stopped
		return failureCause(move.From, down)
	case out && balancerStates.State != probes.ServerDown:
		return CauseDrain, phrase.Quote(balancerStates.Text)
	case explained:
		return consequence, why
	case out:
		return CauseEjection, phrase.Quote(balancerStates.Text)
	case drained:
		return CauseDrain, phrase.New("%s is being drained", move.From)
	case j.returned(move, earlier):
		return CauseReturn, phrase.New("%s is back", move.To)
	case move.Lost() && j.restarted(move.From) && len(j.Nodes[move.From].outages(j.To)) == 0: // restarted between two health checks
		return CauseRestart, phrase.New("%s was restarted: %s", move.From, j.finalReport.Timelines.Nodes[move.From].Sign())
	case j.newClientsElsewhere(move.From, move.frontend, move.sent) >= j.requiredMisses(move.From):
		return CauseEjection, phrase.New("%s answers direct requests, and got no requests from the balancer", move.From)
	case j.emptyBeforeOutage(move):
		return CauseDrain, phrase.New("%s got no requests from the balancer from then until it stopped", move.From)
	case j.policy() == probes.PolicyShared:
		return CauseShared, phrase.New("any node may answer")
	default:
		return CauseUnexplained, phrase.New("unexplained: %s was healthy and in rotation", move.From)
	}
}

// failureCause returns the cause of a move away from a node that did not answer.
func failureCause(node string, down Outage) (Cause, phrase.Phrase) {
	if down.Ongoing {
		return CauseDown, phrase.New("%s does not answer since %s", node, down.FirstBad)
	}
	return CauseRestart, phrase.New("%s did not answer from %s to %s", node, down.FirstBad, down.FirstGood)
}

// returned reports whether a session returns to a node that it had left because the
// node was unavailable.
func (j *judge) returned(m Move, earlier []Move) bool {
	for _, e := range slices.Backward(earlier) {
		if e.From == m.To {
			return m.Moved() && slices.Contains([]Cause{CauseRestart, CauseDown, CauseDrain, CauseEjection}, e.Cause)
		}
	}
	return false
}

// outageIn returns an outage of a node, as seen by direct requests, that overlaps a
// span. The outage may have begun right after the last good answer.
func (j *judge) outageIn(node string, span checks.Span) (Outage, bool) {
	for _, o := range j.Nodes[node].outages(j.To) {
		began := o.LastGood
		if began.IsZero() {
			began = j.From
		}
		if !began.After(span.To) && (o.Ongoing || !o.FirstGood.Before(span.From)) {
			return o, true
		}
	}
	return Outage{}, false
}

// outOfRotationState returns evidence of the balancer that a node is out of rotation at
// a time that overlaps a span. A state applies at most since the previous poll.
func (j *judge) outOfRotationState(node string, span checks.Span) (BalancerState, bool) {
	list := j.BalancerStates[node]
	for i, s := range list {
		if !evidence.Out(s.State) {
			continue
		}
		from, to := s.From, j.To
		if i > 0 {
			from = list[i-1].To
		}
		if i+1 < len(list) {
			to = list[i+1].From
		}
		if !from.After(span.To) && !to.Before(span.From) {
			return s, true
		}
	}
	return BalancerState{}, false
}

// emptyBeforeOutage reports whether the node that a client left stopped later, and answered no
// client of ours in between: it was taken out of rotation first, as in a deployment.
func (j *judge) emptyBeforeOutage(move Move) bool {
	outages := j.Nodes[move.From].outages(j.To)
	i := slices.IndexFunc(outages, func(o Outage) bool { return o.FirstBad.After(move.At) })
	return i >= 0 && !j.answeredIn(move.From, checks.Span{From: move.sent, To: outages[i].FirstBad})
}

// answeredIn reports whether a node answered a client of ours through the balancer within a span.
func (j *judge) answeredIn(node string, span checks.Span) bool {
	return slices.ContainsFunc(slices.Concat(j.Sessions, j.NewClients), func(client WatchedClient) bool {
		return slices.ContainsFunc(client.Timeline, func(run SampleRun) bool {
			return run.First.Good && j.nodeOf(run.First.Label) == node && run.First.At.Before(span.To) && run.Last.Done().After(span.From)
		})
	})
}

// outAtEnd reports whether the last round proves that a node is out of rotation, and how. It sends
// as many new clients as that takes, which a short watch does not.
func (j *judge) outAtEnd(node string) (proof checks.Message, out bool) {
	i := slices.IndexFunc(j.finalReport.Nodes, func(n checks.NodeReport) bool { return n.Node == node })
	if j.After.Started.IsZero() || i < 0 {
		return checks.Message{}, false
	}
	return j.finalReport.Nodes[i].Rotation, j.finalReport.Nodes[i].InRotation == checks.No
}

// newClientsElsewhere counts the new clients through an address of the balancer that
// were answered after a moment and before the next one that node answered. It returns 0
// where node had answered no new client before: with one source address the balancer
// may always choose another node.
func (j *judge) newClientsElsewhere(node, frontend string, moment time.Time) int {
	if _, out := j.outAtEnd(node); out && !j.answeredIn(node, checks.Span{From: moment, To: j.To}) {
		return certain
	}
	most := 0
	for _, client := range j.NewClients {
		if client.Frontend != frontend || (client.TargetNode != "" && client.TargetNode != node) {
			continue
		}
		n := j.countMissed(client.Timeline, node, moment)
		if n > 1 && client.TargetNode == node {
			n = certain // the client must have been sent to node
		}
		most = max(most, n)
	}
	return most
}

// countMissed counts the samples that node missed in a row from a moment on, after it had answered
// one. Those that the node missed in the same run just before the moment count as well.
func (j *judge) countMissed(t Timeline, node string, moment time.Time) int {
	met, count := false, 0
	for _, run := range t {
		by := j.nodeOf(run.First.Label)
		switch {
		case !run.First.Good || by == "":
		case run.First.At.Before(moment) && (by == node || run.Last.At.Before(moment)):
			met = met || by == node // new clients may notice an ejection before the session does
		case by == node:
			return count
		case met:
			count += run.Count
		}
	}
	return count
}

// certain is more new clients than chance keeps away from a node.
const certain = 1 << 30

// requiredMisses returns how many new clients in a row must miss a node to exclude
// chance.
func (j *judge) requiredMisses(node string) int {
	for _, n := range j.Cluster.Nodes {
		if n.ID == node {
			return checks.ClientsToMiss(j.Cluster, n, j.confidence())
		}
	}
	return certain
}

// The functions below attribute moves to a restart that has ended. Each worker of an nginx
// without zone has its own ejection state: it avoids a node for up to fail_timeout, and
// a moment, after its own last failed attempt. During that time some workers send the
// clients of the node elsewhere and others do not, so that these clients move back and
// forth and lose their sessions although the node is healthy again. Source:
// ngx_http_upstream_round_robin.c; the lab reproduces it with two workers.

// afterRestart returns the restart that caused a move: that of the node which the
// client left, of the node to which it came, or of its first node. When several nodes
// restart one after the other, a client may be sent from any node to any other while
// its own is unavailable.
func (j *judge) afterRestart(m Move, earlier []Move) (Cause, phrase.Phrase, bool) {
	if j.policy() == probes.PolicyShared && !m.Lost() {
		return "", phrase.Phrase{}, false // any node may answer: the move needs no reason
	}
	span := checks.Span{From: m.last, To: m.At}
	if o, ok := j.ejectionAfter(m.To, span); ok && m.Moved() && o.FirstGood.Before(m.At) {
		return CauseReturn, phrase.New("%s is back: it did not answer from %s to %s", m.To, o.FirstBad, o.FirstGood), true
	}
	owner := awayFrom(earlier)
	if o, ok := j.outageIn(owner, span); ok {
		cause, why := failureCause(owner, o)
		return cause, why, true
	}
	for _, node := range []string{m.From, owner} {
		if o, ok := j.ejectionAfter(node, span); ok {
			return CauseRestart, phrase.New("%s did not answer from %s to %s, and workers of the balancer may leave it out until %s",
				node, o.FirstBad, o.FirstGood, o.FirstGood.Add(checks.Aftermath(j.Cluster.Balancer))), true
		}
	}
	return "", phrase.Phrase{}, false
}

// ejectionAfter returns the newest outage of a node that had ended, and after which a
// worker may have kept the node ejected within a span.
func (j *judge) ejectionAfter(node string, span checks.Span) (Outage, bool) {
	var found Outage
	aftermath := checks.Aftermath(j.Cluster.Balancer)
	for _, o := range j.Nodes[node].outages(j.To) {
		if !o.Ongoing && !o.FirstBad.After(span.To) && !o.FirstGood.Add(aftermath).Before(span.From) {
			found = o
		}
	}
	return found, !found.IsZero()
}

// awayFrom returns the node that a client left first and has not returned to; "": the
// client is on its node as far as is known.
func awayFrom(earlier []Move) string {
	owner := ""
	for _, m := range earlier {
		switch {
		case !m.Moved():
		case owner == "":
			owner = m.From
		case m.To == owner:
			owner = ""
		}
	}
	return owner
}
