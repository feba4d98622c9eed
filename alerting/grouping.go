package alerting

import (
	"slices"
	"time"

	"stickwatch/checks"
)

// This file has the rules that put findings into one incident although none explains
// another: nodes that fail together, and the consequences of a node failure.

// groupWindow is the longest time between the starts of findings of one incident, or
// between the end of a node failure and its consequences.
const groupWindow = 2 * time.Minute

// nodeFailureCodes are the codes of a node that does not serve its clients.
var nodeFailureCodes = []checks.Code{
	checks.NodeDown, checks.NodePaused, checks.NodeFailingInRotation, checks.NodeEjected, checks.PageFailing,
	checks.HandshakeBroken, checks.Slow,
}

// groupableCodes are the nodeFailureCodes that have one cause if they start on
// several nodes within groupWindow. A paused node reports its own cause.
var groupableCodes = []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.NodeEjected, checks.Slow}

// nodeLossCodes are the codes of a node that loses the sessions of its clients.
var nodeLossCodes = append(slices.Clone(groupableCodes), checks.NodePaused, checks.NodeRestarted)

// lingers reports whether findings of this code may be active for a moment after their node has
// recovered, because its clients are served through the balancer.
func lingers(code checks.Code) bool {
	return code.AtBalancer() || code == checks.SessionFailing || code == checks.NodeFailingInRotation
}

// lostContentCodes are the codes of findings that sessions lost their contents or have older ones. These findings
// are about the whole cluster, not about one node.
var lostContentCodes = []checks.Code{checks.SessionLost, checks.SessionNotShared, checks.SessionRollback}

// balancerCodes are the codes of a balancer that loses the connection to its nodes.
var balancerCodes = []checks.Code{checks.BalancerError, checks.BalancerSplit, checks.NodeEjected}

// A grouping is a rule that decides whether a cause group of a cluster belongs to the
// incident of a member. It reads the group's first finding, which is the root if that is active.
type grouping struct {
	fits func(r Rules, m Member, cluster string, group causeGroup) bool
	// merges: the rule also merges incidents that are already open.
	merges bool
}

// groupings are the rules, the most certain first.
var groupings = []grouping{
	{byProber, true},
	{sameHost, true},
	{allNodesDown, true},
	{causeFound, false},
	{sameTime, false},
	{unlistedTogether, false},
	{afterFailure, false},
	{afterDependency, false},
	{sameLoss, false},
	{sameMoves, false},
	{sameBalancer, false},
}

// impairmentWindow is the longest time between the start of an impairment of stickwatch and
// that of a failure which it explains. The first probes time out before it is recognized.
const impairmentWindow = 30 * time.Second

// byProber: nodes or balancers seem to be down because stickwatch itself cannot probe.
func byProber(_ Rules, m Member, _ string, group causeGroup) bool {
	first := group.members[0]
	mayExplain := func(prober, other checks.Finding) bool {
		return prober.CannotProbe() && (other.Code == checks.NodeDown && other.Node != "" || other.Code == checks.BalancerDown)
	}
	return m.Active() && (mayExplain(m.Finding, first.Finding) || mayExplain(first.Finding, m.Finding)) && m.Since.Sub(first.Since).Abs() <= impairmentWindow
}

// outlivesImpairment reports whether a cause group is a failure of its own, although stickwatch was
// impaired: the impairment, which is the cause of the incident, ended so long ago that rounds would have
// ended every finding that it explained.
func (c causeGroup) outlivesImpairment(at time.Time, i *Incident) bool {
	const confirmEnd = time.Minute // rounds confirm the end of a finding within it
	cause := i.Findings[0]
	return cause.CannotProbe() && c.root != cause.Key() && !cause.Active() && at.Sub(cause.Ended) > confirmEnd
}

// sameHost: nodes of several clusters are down because of one host.
func sameHost(r Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	return r.ByHost && m.Cluster != cluster && m.Host != "" && m.Host == first.Host &&
		m.Code == checks.NodeDown && first.Code == m.Code && m.Active() && startedTogether(m, first)
}

// allNodesDown: all nodes of a cluster are down.
func allNodesDown(_ Rules, m Member, cluster string, group causeGroup) bool {
	return m.Cluster == cluster && m.Group == checks.AllNodesDown && m.Group == group.members[0].Group && m.Active()
}

// causeWindow is the longest time between the starts of lost sessions and of their cause.
const causeWindow = 30 * time.Second

// causeFound: sessions that were lost after a move, or that a store lost or had older, which the first round of a fault
// could not explain, are a consequence of what a later round found, such as a changed list of servers or a full Redis.
func causeFound(_ Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	unexplained := m.LostByMove() || first.Code == checks.DependencyDown && slices.Contains(lostContentCodes, m.Code)
	return m.Cluster == cluster && unexplained && group.hasRoot() && m.Since.Sub(first.Since).Abs() <= causeWindow && checks.MayExplain(m.Finding, first.Finding)
}

// sameTime: within groupWindow, several nodes of a cluster start to fail in the same
// way, or one node starts to fail in several ways.
func sameTime(_ Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	return m.Cluster == cluster && m.Active() && group.hasRoot() && isNodeFailure(m.Finding) && isNodeFailure(first.Finding) &&
		(m.Node == first.Node || m.Code == first.Code && slices.Contains(groupableCodes, m.Code)) && startedTogether(m, first)
}

// unlistedTogether: several unlisted nodes begin to answer, as after a change of the
// balancer's list.
func unlistedTogether(_ Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	return m.Cluster == cluster && m.Active() && m.Code == checks.UnknownNode && first.Code == m.Code && startedTogether(m, first)
}

// afterFailure: one of these follows the failure of a node:
//   - the summary of the sessions that it cost,
//   - another failure of the same node, or of its clients,
//   - if all nodes were down: the balancer still fails, or sessions are lost.
func afterFailure(_ Rules, m Member, cluster string, group causeGroup) bool {
	if m.Cluster != cluster || !follows(m, group.members[0]) {
		return false
	}
	return group.summarizesLossesOf(m) || isNodeDownOrRestarted(m.Finding) &&
		(group.remainsOf(m.Node) || m.Group == checks.AllNodesDown && group.remainsOfOutage())
}

// summarizesLossesOf reports whether a cause group sums up the cost of the failure of a member.
func (c causeGroup) summarizesLossesOf(m Member) bool {
	cost := c.members[0]
	return isLossSummary(cost.Finding) && slices.ContainsFunc(cost.Nodes, m.failedWith)
}

// remainsOf reports whether a cause group is what remains of the failure of a node: a failure of the
// same node, of its clients, or one that is known to be its consequence. A node that answers that it is
// paused has recovered, and reports another cause.
func (c causeGroup) remainsOf(node string) bool {
	first := c.members[0]
	ofNode := first.Node == node && first.Code != checks.NodePaused && (isNodeFailure(first.Finding) || isNodeDownOrRestarted(first.Finding))
	ofClients := lingers(first.Code) && slices.Contains(first.Nodes, node)
	return ofNode || ofClients || c.causedBy(node)
}

// remainsOfOutage reports whether a cause group is what remains after all nodes were down: the balancer
// seems to fail, or sessions are lost.
func (c causeGroup) remainsOfOutage() bool {
	first := c.members[0]
	return first.Node == "" && first.Code.AtBalancer() || c.hasRoot() && slices.Contains(lostContentCodes, first.Code)
}

// afterDependency: sessions are lost while a dependency that their nodes use is down, or soon after
// that, for example because the store came back as a replica without sessions. The configuration
// does not say which dependency stores the sessions.
func afterDependency(_ Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	used := len(m.Nodes) == 0 || slices.ContainsFunc(first.Nodes, func(node string) bool { return slices.Contains(m.Nodes, node) })
	return m.Cluster == cluster && m.Code == checks.DependencyDown && group.hasRoot() && slices.Contains(lostContentCodes, first.Code) && used && follows(m, first)
}

// sameLoss: lost sessions are reported in two ways.
func sameLoss(_ Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	return m.Cluster == cluster && group.hasRoot() && slices.Contains(lostContentCodes, m.Code) && slices.Contains(lostContentCodes, first.Code) && follows(m, first)
}

// sameMoves: a balancer that does not keep clients on their node is reported by the sessions that this
// costs, and, once clients have moved often enough, as drift.
func sameMoves(_ Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	moves := func(f checks.Finding) bool { return f.Code == checks.SessionDrift || f.LostByMove() }
	return m.Cluster == cluster && group.hasRoot() && moves(m.Finding) && moves(first.Finding) && follows(m, first)
}

// sameBalancer: a balancer that loses the connection to its nodes is reported in
// several ways.
func sameBalancer(_ Rules, m Member, cluster string, group causeGroup) bool {
	first := group.members[0]
	return m.Cluster == cluster && group.hasRoot() && slices.Contains(balancerCodes, m.Code) && slices.Contains(balancerCodes, first.Code) &&
		follows(m, first) && startedTogether(m, first)
}

func startedTogether(m Member, f checks.ActiveFinding) bool {
	return m.Since.Sub(f.Since).Abs() <= groupWindow
}

// follows reports whether a member is still active, or ended at most groupWindow before a finding
// started. The finding may have started before the member.
func follows(m Member, f checks.ActiveFinding) bool {
	return m.Active() || f.Since.Sub(m.Ended) <= groupWindow
}

// isNodeFailure reports whether a finding is about one node that does not serve its
// clients.
func isNodeFailure(f checks.Finding) bool {
	return f.Node != "" && slices.Contains(nodeFailureCodes, f.Code)
}

// isNodeDownOrRestarted reports whether a finding is about one node that is down or
// was restarted.
func isNodeDownOrRestarted(f checks.Finding) bool {
	return f.Node != "" && (f.Code == checks.NodeDown || f.Code == checks.NodeRestarted)
}

// causedBy reports whether the root of a cause group, active or not, is that a node
// is down or was restarted.
func (c causeGroup) causedBy(node string) bool {
	return c.root == (checks.Finding{Code: checks.NodeDown, Node: node}).Key() ||
		c.root == (checks.Finding{Code: checks.NodeRestarted, Node: node}).Key()
}

// failedWith reports whether a member is the failure or restart of a node, or a
// consequence of one that may have ended before it was confirmed.
func (m Member) failedWith(node string) bool {
	return slices.ContainsFunc(nodeLossCodes, func(code checks.Code) bool {
		failure := checks.Finding{Code: code, Node: node}.Key()
		return m.Key() == failure || m.ExplainedBy == failure
	})
}

// isLossSummary reports whether a finding sums up the cost of node failures and restarts.
func isLossSummary(f checks.Finding) bool {
	return f.Node == "" && (f.Code == checks.NodeDown || f.Code == checks.NodeRestarted)
}

// matches reports whether a rule puts a cause group into an open incident. It compares
// the group with the cause and with findings that have no cause in the incident.
func (g grouping) matches(r Rules, i *Incident, cluster string, group causeGroup) bool {
	for n, m := range i.Findings {
		if (n == 0 || m.alerts() && i.member(m.Cluster, m.ExplainedBy) == nil) && g.fits(r, m, cluster, group) {
			return true
		}
	}
	return false
}

// incidentByRule returns the oldest open incident for a cause group by the most certain rule
// that matches; nil: none.
func (o *openIncidents) incidentByRule(at time.Time, cluster string, group causeGroup) *Incident {
	for _, g := range groupings {
		for _, i := range o.open {
			if i.State != Resolved && !group.outlivesImpairment(at, i) && g.matches(o.rules, i, cluster, group) {
				return i
			}
		}
	}
	return nil
}

// mergedBy reports whether a rule merges an open incident with that of a cause group.
func (o *openIncidents) mergedBy(i *Incident, cluster string, group causeGroup) bool {
	return slices.ContainsFunc(groupings, func(g grouping) bool { return g.merges && g.matches(o.rules, i, cluster, group) })
}
