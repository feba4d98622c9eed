package gate

import (
	"fmt"

	"stickwatch/checks"
	"stickwatch/probes"
)

// This file attributes moves to a restart that is over. Each worker of an nginx
// without zone has an ejection state of its own: it leaves a node alone for up
// to fail_timeout, and a moment, after its own last failed try. For that long
// some workers answer the clients of the node elsewhere and others do not, so
// that these clients move to and fro, and lose their sessions by it, while the
// node is well again. Source: ngx_http_upstream_round_robin.c; the lab repeats
// it with two workers.

// afterRestart finds the restart whose consequence a move is: that of the node
// that the client left, that of the node to which it comes, or that of the node
// where it was at first. When several nodes restart one after the other, a
// client may be sent from any node to any other while its own is out.
func (j *judge) afterRestart(m Move, earlier []Move) (Cause, string, bool) {
	if j.policy() == probes.PolicyShared && !m.Lost() {
		return "", "", false // any node may answer: the client need not have left for a reason
	}
	span := checks.Span{From: m.last, To: m.At}
	if o, ok := j.ejectionAfter(m.To, span); ok && m.Moved() && o.FirstGood.Before(m.At) {
		return CauseReturn, fmt.Sprintf("%s is back: it did not answer from %s to %s", m.To, clock(o.FirstBad), clock(o.FirstGood)), true
	}
	owner := awayFrom(earlier)
	if o, ok := j.outageIn(owner, span); ok {
		cause, why := failureCause(owner, o)
		return cause, why, true
	}
	for _, node := range []string{m.From, owner} {
		if o, ok := j.ejectionAfter(node, span); ok {
			return CauseRestart, fmt.Sprintf("%s did not answer from %s to %s, and workers of the balancer may leave it out until %s",
				node, clock(o.FirstBad), clock(o.FirstGood), clock(o.FirstGood.Add(checks.Aftermath(j.Cluster.Balancer)))), true
		}
	}
	return "", "", false
}

// ejectionAfter finds the newest outage of a node that was over, and for which a
// worker may have left the node out within a span.
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

// awayFrom is the node that a client left first and has not come back to; "":
// it is on its node, for all that is known.
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
