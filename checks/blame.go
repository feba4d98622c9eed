package checks

import (
	"slices"

	"stickwatch/probes"
)

// blame is the node to which a failed answer is due: the one that signed it;
// the one its client was aimed at or has its session on, if that fails
// directly, too; or the only one that does. "" when nothing failed, or nobody
// can tell.
func (v *view) blame(a *answer, cameBack bool) string {
	switch aim, home := a.walk.Expected, a.walk.home; {
	case !failed(a.Exchange):
		return ""
	case a.node != "":
		return a.node
	case aim != "" && v.failsDirectly(aim):
		return aim
	case cameBack && home != "" && v.failsDirectly(home):
		return home
	case aim != "":
		return "" // a well node's client failed: whoever did that, it is not known to be a node
	default:
		return v.onlyFailing
	}
}

// blamePlain is blame for a request that belongs to no walk. What a well node
// says of itself is nobody else's doing.
func (v *view) blamePlain(ex probes.Exchange) string {
	if !failed(ex) || v.outcomes[outcomeOf(ex)] {
		return ""
	}
	return v.onlyFailing
}

// failed: a server's error, or no whole answer although the balancer took the
// connection.
func failed(ex probes.Exchange) bool {
	cut := ex.Failure == probes.FailureTimeout || ex.Failure == probes.FailureReset
	return ex.Status >= 500 || (cut && ex.Own.IsValid())
}

// failsDirectly: the node fails the very thing that walks ask of it.
func (v *view) failsDirectly(id string) bool {
	o, listed := v.direct[id]
	if !listed || !asked(o.Primary) {
		return false
	}
	return !v.up[id] || (o.Session != nil && asked(*o.Session) && !o.Session.OK())
}

// theOnlyFailing is the node that fails when asked directly, if just one of
// several does that the balancer may send clients to.
func (v *view) theOnlyFailing() string {
	var failing []string
	for _, n := range v.Cluster.Nodes {
		if !n.Down && !n.Backup && v.failsDirectly(n.ID) {
			failing = append(failing, n.ID)
		}
	}
	if len(failing) == 1 && len(v.Cluster.Nodes) > 1 {
		return failing[0]
	}
	return ""
}

// nobodyUp reports whether no node is left that could serve.
func (v *view) nobodyUp() bool { return !slices.ContainsFunc(v.active, Up) }

// nobodyWell reports whether no node is left that serves and is not paused.
func (v *view) nobodyWell() bool {
	return !slices.ContainsFunc(v.active, func(o probes.NodeObservation) bool { return v.well(o.Node) })
}
