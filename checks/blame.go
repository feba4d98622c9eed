package checks

import (
	"slices"

	"stickwatch/probes"
)

// attributeFailure is the node to which a failed answer is due: the one that signed it;
// the one its client was aimed at or has its session on, if that fails
// directly, too; or the only one that does. "" when nothing failed, or nobody
// can tell.
func (v *outcomes) attributeFailure(a *answer, cameBack bool) string {
	switch aim, holder := a.trace.Expected, a.trace.holder; {
	case !failed(a.Exchange) && !(a.Kind != probes.StepWrite && v.page.isWrong(a.Exchange)):
		return ""
	case a.node != "":
		return a.node
	case v.refusesAll:
		return "" // the balancer refuses everybody, those of well nodes, too: that is no node's doing
	case aim != "" && v.failsDirectly(aim):
		return aim
	case cameBack && holder != "" && v.failsDirectly(holder):
		return holder
	case aim != "":
		return "" // a well node's client failed: whoever did that, it is not known to be a node
	case cameBack && holder != "" && v.holds():
		return "" // so did one that the balancer holds on a well node
	default:
		return v.onlyFailing
	}
}

// holds reports whether the balancer is meant to hold a client on its node.
func (v *outcomes) holds() bool {
	m := v.Cluster.Balancer.Method
	return m == probes.MethodCookie || m == probes.MethodIPHash || m == probes.MethodHash
}

// servesNobody reports whether the balancer turned all clients away, although
// some of them were aimed at nodes that are well.
func (v *nodeStates) servesNobody() bool {
	aimedAtWell := false
	for _, w := range v.Traces {
		for i, s := range w.Steps {
			if w.Continued && i == 0 {
				continue
			}
			if s.Status < 500 && s.Answered() {
				return false
			}
		}
		aimedAtWell = aimedAtWell || (w.Expected != "" && v.ready(w.Expected) && !w.Continued && w.First().Status >= 500)
	}
	return aimedAtWell
}

// attributePlainFailure is blame for a request that belongs to no walk. What a well node
// says of itself is nobody else's doing.
func (v *nodeStates) attributePlainFailure(ex probes.Exchange) string {
	if !failed(ex) || v.replies[replyOf(ex)] || v.refusesAll {
		return ""
	}
	return v.onlyFailing
}

// failed: a server's error, or no answer that is one, although the balancer
// took the connection.
func failed(ex probes.Exchange) bool {
	broken := ex.Failure != "" && ex.Failure != probes.FailureCancelled
	return ex.Status >= 500 || (broken && ex.LocalAddress.IsValid())
}

// errsDirectly reports whether a node that was asked directly is down, or answers the
// page that clients request with an error.
func (v *nodeStates) errsDirectly(id string) bool {
	o, listed := v.direct[id]
	return listed && asked(o.Primary) && (!v.up[id] || o.Session != nil && asked(*o.Session) && !o.Session.OK())
}

// failsDirectly reports whether a node that was asked directly errs, or answers with
// another page than the nodes that are well.
func (v *nodeStates) failsDirectly(id string) bool {
	if v.errsDirectly(id) {
		return true
	}
	o, listed := v.direct[id]
	return listed && asked(o.Primary) && o.Session != nil && asked(*o.Session) && v.page.isWrong(*o.Session) && v.othersHavePage(id)
}

// theOnlyFailing is the node that fails when asked directly, if just one of
// several does that the balancer may send clients to.
func (v *nodeStates) theOnlyFailing() string {
	var failing []string
	for _, n := range v.Cluster.Nodes {
		if !n.Down && !n.Backup && v.errsDirectly(n.ID) {
			failing = append(failing, n.ID)
		}
	}
	if len(failing) == 1 && len(v.Cluster.Nodes) > 1 {
		return failing[0]
	}
	return ""
}

// noneUp reports whether no node is left that could serve.
func (v *nodeStates) noneUp() bool { return !slices.ContainsFunc(v.active, Up) }

// noneWell reports whether no node is left that serves and is not paused.
func (v *nodeStates) noneWell() bool {
	return !slices.ContainsFunc(v.active, func(o probes.NodeObservation) bool { return v.ready(o.Node) })
}
