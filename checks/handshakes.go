package checks

import (
	"cmp"
	"slices"

	"stickwatch/probes"
)

// handshakes finds handshakes that break on their way through the balancer,
// and upgrades that the balancer refuses. It finds nothing in a round that was cut
// short, which may be why they broke.
func handshakes(tl *timeline) []Finding {
	oc := tl.outcomes
	if !oc.cutShort().IsZero() {
		return nil
	}
	var broken, refused []Message
	var harm Span
	var failedNodes []string
	targets := make(map[string]bool)
	var list []Finding
	var frontends []string
	through, sidLost := 0, false
	for _, handshakeObservation := range oc.round.Handshakes {
		if tl.ranOutOfTime(handshakeObservation) {
			continue
		}
		if handshakeObservation.Node != "" {
			if f, ok := handshakeAt(oc.nodes, handshakeObservation); ok {
				f.facts.follows = tl.failedNodes(handshakeObservation)
				list = append(list, f)
			}
			continue
		}
		through++
		sidLost = sidLost || (handshakeObservation.Opened && !handshakeObservation.Known)
		switch {
		case !handshakeObservation.Opened || !handshakeObservation.Known:
			broken = append(broken, describeHandshake(handshakeObservation))
			harm = harm.and(Span{handshakeObservation.Ended, handshakeObservation.Ended})
			targets[handshakeObservation.TargetNode] = true
			failedNodes = append(failedNodes, tl.failedNodes(handshakeObservation)...)
			if at := frontendName(handshakeObservation.URL, handshakeObservation.Balancer); !slices.Contains(frontends, at) {
				frontends = append(frontends, at)
			}
		case handshakeObservation.Offered && !handshakeObservation.Upgraded:
			refused = append(refused, describeHandshake(handshakeObservation))
		}
	}
	if len(broken) > 0 {
		f := Finding{Code: HandshakeBroken, Severity: Critical}
		f.Nodes = oc.round.nodesWhere(func(id string) bool { return targets[id] })
		f.facts.frontends, f.facts.follows, f.observed.harm = frontends, failedNodes, harm
		f.Summary = msg(MsgHandshakesBreak, Args{Count: len(broken), Of: through, Name: protocol(oc.round.Cluster)})
		f.Evidence = limited(broken)
		f.Remedy = msg(MsgMakePathSticky, Args{})
		if !sidLost {
			f.Remedy = msg(MsgCheckHandshakePath, Args{Name: protocol(oc.round.Cluster)})
		}
		list = append(list, f)
	}
	if len(refused) > 0 {
		f := Finding{Code: UpgradeRefused, Severity: Warning}
		f.Summary = msg(MsgUpgradesRefused, Args{Count: len(refused), Of: through})
		f.Evidence = limited(refused)
		f.Remedy = msg(MsgPassUpgrade, Args{})
		list = append(list, f)
	}
	return list
}

// protocol returns the protocol of the cluster's handshakes for people; "": Engine.IO.
func protocol(c *probes.Cluster) string {
	if c.Handshake != nil && c.Handshake.Kind == probes.HandshakeSignalR {
		return "SignalR"
	}
	return ""
}

// ranOutOfTime reports whether a handshake timed out because its node is slow, or was until this round. Its
// requests are sent one after the other within the time-out of one request, and each takes as long as any
// other page of the node. If the node's other pages are quick enough, its endpoint is broken. A balancer may
// have chosen another node than the expected one.
func (tl *timeline) ranOutOfTime(h probes.HandshakeObservation) bool {
	return h.TimedOut && slices.ContainsFunc(tl.nodes.enabled, func(o probes.NodeObservation) bool {
		_, slow := slowest(directExchanges(o), tl.round.Cluster.Limits.Timeout/probes.HandshakeRequests)
		was := tl.nodes.up[o.Node] && !tl.round.past().Nodes[o.Node].UnreadySince.IsZero()
		return (slow || was) && (h.Node == "" || h.Node == o.Node)
	})
}

// failedNodes returns the node of a handshake if it has failed at about the time of the round. If the balancer
// may choose any node, it returns those that have just begun to.
func (tl *timeline) failedNodes(h probes.HandshakeObservation) []string {
	at := cmp.Or(h.Node, h.TargetNode)
	return tl.round.nodesWhere(func(id string) bool {
		d, ok := tl.disruptionAt(id, tl.round.Started.Add(tl.round.Duration))
		return ok && d.failed() && (at == id || at == "" && tl.round.Started.Sub(d.From) <= tl.consequencesFor)
	})
}

// handshakeAt returns the finding about a handshake with one node that was asked
// directly.
func handshakeAt(ns *nodeStates, h probes.HandshakeObservation) (Finding, bool) {
	if !ns.ready(h.Node) || (h.Opened && h.Known) {
		return Finding{}, false
	}
	f := about(HandshakeBroken, Critical, h.Node)
	f.Summary = msg(MsgHandshakeBreaksAt, Args{Node: h.Node, Name: protocol(ns.round.Cluster)})
	f.Evidence = []Message{describeHandshake(h)}
	f.Remedy = msg(MsgCheckSocketIO, Args{Node: h.Node, Name: protocol(ns.round.Cluster)})
	return f, true
}

func describeHandshake(h probes.HandshakeObservation) Message {
	return msg(MsgHandshakeGot, Args{
		Client: h.Client, Node: h.Node, Address: h.Balancer.String(), Name: cmp.Or(h.Stage, "open"),
		Status: h.Status, Reason: probes.Clean(h.Error, probes.MaxError),
	})
}
