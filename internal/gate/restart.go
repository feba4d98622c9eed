package gate

import (
	"fmt"

	"stickwatch/checks"
	"stickwatch/probes"
)

// This file attributes moves to a restart that has ended. Each worker of an nginx
// without zone has its own ejection state: it avoids a node for up to fail_timeout, and
// a moment, after its own last failed attempt. During that time some workers send the
// clients of the node elsewhere and others do not, so that these clients move back and
// forth and lose their sessions although the node is healthy again. Source:
// ngx_http_upstream_round_robin.c; the lab reproduces it with two workers.

// afterRestart returns the restart that caused a move: that of the node which the
// client left, of the node to which it came, or of its first node. When several nodes
// restart one after the other, a client may be sent from any node to any other while
// its own is unavailable.
func (j *judge) afterRestart(m Move, earlier []Move) (Cause, string, bool) {
	if j.policy() == probes.PolicyShared && !m.Lost() {
		return "", "", false // any node may answer: the move needs no reason
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
