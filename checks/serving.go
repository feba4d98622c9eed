package checks

import (
	"slices"

	"stickwatch/probes"
)

// Serving returns the nodes of c that a balancer should give new clients:
// those not marked down or backup, and, where direct observations are given,
// up.
func Serving(c *probes.Cluster, direct []probes.NodeObservation) []probes.Node {
	var serving []probes.Node
	for _, n := range c.Nodes {
		up := func(o probes.NodeObservation) bool { return o.Node == n.ID && Up(o) }
		if !n.Down && !n.Backup && (direct == nil || slices.ContainsFunc(direct, up)) {
			serving = append(serving, n)
		}
	}
	return serving
}

// Up reports whether a node serves when asked directly. A paused node answers,
// whatever HTTP status it does that with: it is paused and not down.
func Up(o probes.NodeObservation) bool {
	return o.Primary.OK() || (o.Primary.Answered() && o.Status.Paused())
}

// asked reports whether an exchange was seen through to an end, be it a
// failure. One that stickwatch broke off, or never began, tells nothing.
func asked(ex probes.Exchange) bool {
	return ex.Failure != probes.FailureCancelled && (ex.Answered() || ex.Failure != "")
}
