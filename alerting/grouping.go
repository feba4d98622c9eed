package alerting

import (
	"slices"
	"time"

	"stickwatch/checks"
)

// This file says which findings are one trouble though none explains another: nodes
// that fail together, and what comes after a node that failed.

// OneMoment is how far apart findings of one trouble begin, or begin after the end
// of a node's failure.
const OneMoment = 2 * time.Minute

// troublesOfNodes are the findings that say that a node does not serve its clients.
var troublesOfNodes = []checks.Code{
	checks.NodeDown, checks.NodePaused, checks.NodeFailingInRotation, checks.NodeEjected, checks.PageFailing,
	checks.HandshakeBroken, checks.Slow,
}

// shared are those of them that have one cause if several nodes have them since one
// moment. Why a node is paused it says itself.
var shared = []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.NodeEjected, checks.Slow}

// metByClients are the findings that clients of a node still meet through the balancer
// for a moment after that is back.
var metByClients = append(slices.Clone(checks.AtBalancer), checks.SessionFailing, checks.NodeFailingInRotation)

// losses are the findings that say that sessions are gone, and not where that began.
var losses = []checks.Code{checks.SessionLost, checks.SessionNotShared}

// ofBalancer are the findings that say that the balancer's way to its nodes is not what
// it was.
var ofBalancer = []checks.Code{checks.BalancerError, checks.BalancerSplit, checks.NodeEjected}

// A grouping reports whether a family of a cluster belongs with a member of an open
// incident.
type grouping struct {
	fits func(r Rules, m Member, cluster string, f causeGroup) bool
	// merges: two incidents that are open already become one by it, too.
	merges bool
}

// groupings, the surest first.
var groupings = []grouping{
	{byMachine, true},
	{noNodeUp, true},
	{atOnce, false},
	{afterFailure, false},
	{sameLoss, false},
	{sameBalancer, false},
}

// byMachine: nodes of several clusters are down because of one machine.
func byMachine(r Rules, m Member, cluster string, f causeGroup) bool {
	s := f.members[0]
	return r.ByHost && m.Cluster != cluster && m.Host != "" && m.Host == s.Host &&
		m.Code == checks.NodeDown && s.Code == m.Code && m.Holds() && beganTogether(m, s)
}

// noNodeUp: the nodes of a cluster are down, all of them.
func noNodeUp(_ Rules, m Member, cluster string, f causeGroup) bool {
	return m.Cluster == cluster && m.Group == checks.AllNodesDown && m.Group == f.members[0].Group && m.Holds()
}

// atOnce: nodes of a cluster have the same trouble, or one node has several, since
// about the same moment.
func atOnce(_ Rules, m Member, cluster string, f causeGroup) bool {
	s := f.members[0]
	return m.Cluster == cluster && m.Holds() && f.rooted() && isTrouble(m.Finding) && isTrouble(s.Finding) &&
		(m.Node == s.Node || m.Code == s.Code && slices.Contains(shared, m.Code)) && beganTogether(m, s)
}

// afterFailure: a node that was down, or that restarted, is not well yet, or has cost
// what it has cost; or no node was up, and the balancer has not noticed yet that some
// are.
func afterFailure(_ Rules, m Member, cluster string, f causeGroup) bool {
	s := f.members[0]
	if m.Cluster != cluster || !isFailure(m.Finding) || !follows(m, s) {
		return false
	}
	sameNode := s.Node == m.Node && (isTrouble(s.Finding) || isFailure(s.Finding))
	named := slices.Contains(s.Nodes, m.Node) && (isCost(s.Finding) || slices.Contains(metByClients, s.Code))
	return sameNode || named || f.causedBy(m.Node) ||
		m.Group == checks.AllNodesDown && s.Node == "" && slices.Contains(checks.AtBalancer, s.Code)
}

// sameLoss: sessions are found gone in one place, and in another.
func sameLoss(_ Rules, m Member, cluster string, f causeGroup) bool {
	s := f.members[0]
	return m.Cluster == cluster && f.rooted() && slices.Contains(losses, m.Code) && slices.Contains(losses, s.Code) && follows(m, s)
}

// sameBalancer: the balancer loses its way to nodes, which shows in more than one way.
func sameBalancer(_ Rules, m Member, cluster string, f causeGroup) bool {
	s := f.members[0]
	return m.Cluster == cluster && f.rooted() && slices.Contains(ofBalancer, m.Code) && slices.Contains(ofBalancer, s.Code) &&
		follows(m, s) && beganTogether(m, s)
}

func beganTogether(m Member, s checks.ActiveFinding) bool {
	return m.Since.Sub(s.Since).Abs() <= OneMoment
}

// follows reports whether a finding begins while a member holds, or a moment later.
func follows(m Member, s checks.ActiveFinding) bool {
	return m.Holds() || s.Since.Sub(m.Ended) <= OneMoment
}

// isTrouble reports whether a finding is about one node that does not serve its
// clients.
func isTrouble(f checks.Finding) bool {
	return f.Node != "" && slices.Contains(troublesOfNodes, f.Code)
}

// isFailure reports whether a finding is that a node is down, or was restarted.
func isFailure(f checks.Finding) bool {
	return f.Node != "" && (f.Code == checks.NodeDown || f.Code == checks.NodeRestarted)
}

// causedBy reports whether the root of a family, which need not be believed yet, is
// that a node is down, or was restarted.
func (f causeGroup) causedBy(node string) bool {
	return f.root == (checks.Finding{Code: checks.NodeDown, Node: node}).Key() ||
		f.root == (checks.Finding{Code: checks.NodeRestarted, Node: node}).Key()
}

// isCost reports whether a finding sums up what failures and restarts of nodes have
// cost.
func isCost(f checks.Finding) bool {
	return f.Node == "" && (f.Code == checks.NodeDown || f.Code == checks.NodeRestarted)
}

// groups reports whether an open incident takes a family in by a grouping: for its
// cause, or for a finding that has no cause in it.
func (g grouping) groups(r Rules, i *Incident, cluster string, f causeGroup) bool {
	for n, m := range i.Findings {
		if (n == 0 || m.raises() && i.member(m.Cluster, m.ExplainedBy) == nil) && g.fits(r, m, cluster, f) {
			return true
		}
	}
	return false
}

// grouped returns the oldest open incident that takes a family in by a grouping, the
// surest first; nil: none does.
func (d *openIncidents) grouped(cluster string, f causeGroup) *Incident {
	for _, g := range groupings {
		for _, i := range d.open {
			if i.State != Resolved && g.groups(d.rules, i, cluster, f) {
				return i
			}
		}
	}
	return nil
}

// mergedBy reports whether a grouping makes an open incident, and the one of a family,
// one.
func (d *openIncidents) mergedBy(i *Incident, cluster string, f causeGroup) bool {
	return slices.ContainsFunc(groupings, func(g grouping) bool { return g.merges && g.groups(d.rules, i, cluster, f) })
}

// sameFailure is how far apart the end of a failure is seen in two ways.
const sameFailure = 30 * time.Second

// failures remembers when nodes failed or restarted whose incident was notified, by
// the end of that: what it has cost is known later, and no incident of its own.
type failures map[subject]time.Time

// learn takes over what an incident knows. A subject is a node.
func (f failures) learn(i *Incident) {
	if len(i.Notified) == 0 {
		return
	}
	for _, m := range i.Findings {
		s, end := subject{m.Cluster, m.Node}, m.Ended
		switch {
		case m.Code == checks.NodeRestarted && !m.When.After(i.Fired):
			end = m.When
		case m.Code != checks.NodeDown:
			continue
		}
		if m.Node != "" && end.After(f[s]) && (len(f) < maxSubjects || !f[s].IsZero()) {
			f[s] = end
		}
	}
}

// forget drops what cannot be meant any more.
func (f failures) forget(at time.Time) {
	for s, end := range f {
		if at.Sub(end) > FlapWindow {
			delete(f, s)
		}
	}
}

// explain reports whether a family sums up what failures have cost that were notified.
func (f failures) explain(cluster string, of causeGroup) bool {
	s := of.members[0]
	return of.rooted() && isCost(s.Finding) && slices.ContainsFunc(s.Nodes, func(node string) bool {
		end, known := f[subject{cluster, node}]
		return known && s.When.Sub(end).Abs() <= sameFailure
	})
}

// Alike are the findings that are the trouble itself, and not what it brought about: the
// cause, and where several nodes have one trouble those of the others. Those that are
// active come first; once nothing of the incident is, all count as that. There is always
// one.
func (i *Incident) Alike() (active, over []Member) {
	if len(i.Findings) == 0 {
		return []Member{{ActiveFinding: checks.ActiveFinding{Finding: i.Cause}, Cluster: i.Cluster}}, nil
	}
	for n, m := range i.Findings {
		same := m.Code == i.Cause.Code && isTrouble(m.Finding) && slices.Contains(shared, m.Code) && m.raises() && i.member(m.Cluster, m.ExplainedBy) == nil
		switch {
		case n > 0 && !same:
		case m.Holds():
			active = append(active, m)
		default:
			over = append(over, m)
		}
	}
	switch {
	case len(active) > 0:
		return active, over
	case i.Holds():
		return over[:1], over[1:]
	default:
		return over, nil
	}
}
