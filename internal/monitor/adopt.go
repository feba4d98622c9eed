package monitor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// keptLeft is how long nodes that left are known: as long as their metrics.
const keptLeft = time.Hour

// adopt makes the nodes of a cluster those that are watched. The round that follows asks the
// new ones.
func (w *Watcher) adopt(wanted *probes.Cluster) {
	if w.cluster == wanted || w.adopted == wanted {
		return
	}
	w.adopted = wanted
	next := *wanted
	next.Left = w.leftNodes(wanted.Nodes, time.Now())
	next.Limiter = w.cluster.Limiter // canaries use it, and it knows how fast the nodes are
	next.Limiter.SetNodes(next.Nodes)
	if old := w.cluster.Session; old != nil && next.Session != nil {
		session := *next.Session
		session.Login = old.Login // it knows the refusals, and how many logins there were
		next.Session = &session
	}
	w.prober.Self.forgetHosts(w)
	w.prober.anyID.Delete(w.cluster)
	w.prober.voided.Delete(w.cluster)
	w.cluster = &next
	w.canaryPool.adopt(&next)
}

// leftNodes returns the nodes that have left when these are listed.
func (w *Watcher) leftNodes(listed []probes.Node, now time.Time) []probes.LeftNode {
	isListed := func(id string) bool {
		return slices.ContainsFunc(listed, func(n probes.Node) bool { return n.ID == id })
	}
	delisted := slices.DeleteFunc(w.cluster.LeftSince(now.Add(-keptLeft)), func(n probes.LeftNode) bool { return isListed(n.ID) })
	for _, n := range w.cluster.Nodes {
		if isListed(n.ID) {
			continue
		}
		gone := probes.LeftNode{Node: n, At: now}
		for _, o := range w.last.Nodes {
			if o.Node == n.ID {
				gone.LastLabel = cmp.Or(o.Label, o.LastLabel)
			}
		}
		delisted = append(delisted, gone)
	}
	return delisted
}

// adopt makes the canaries clients of a cluster whose nodes have changed. They keep their
// sessions and keys; the oracle names the nodes that must answer them now.
func (p *canaryPool) adopt(c *probes.Cluster) {
	picker, ok := checks.Oracle(c)
	for _, canary := range p.clients() {
		targetNode := ""
		if key := canary.Trace().Client; ok && key != "" {
			if at, named := picker.Pick(key); named {
				targetNode = c.Nodes[at].ID
			}
		}
		canary.Adopt(c, targetNode)
	}
}

// reassign gives back the slots of nodes that have left, and of nodes that answer new clients
// while their canary has settled on another node: after a failover, a balancer's cookie or table
// keeps it there. A canary that another node answers takes the slot of that one, or ends if it
// has a canary.
func (p *canaryPool) reassign(c *probes.Cluster, identity checks.Identity, fresh []*probes.Canary) {
	isLeft := func(id string) bool {
		return slices.ContainsFunc(c.Left, func(n probes.LeftNode) bool { return n.ID == id })
	}
	returns := c.Session != nil && c.Session.Policy != probes.PolicyShared // so that a canary watches one node
	isFree := func(canary *pooledCanary) bool {
		return isLeft(canary.slot.node) || returns && canary.settled && slices.ContainsFunc(fresh, func(f *probes.Canary) bool {
			return slotOf(f, identity) == canary.slot
		})
	}
	var kept []*pooledCanary
	isTaken := func(at slot) bool {
		return slices.ContainsFunc(slices.Concat(kept, p.canaries), func(canary *pooledCanary) bool { return canary.slot == at })
	}
	for _, canary := range p.canaries {
		at := slotOf(canary.Canary, identity)
		switch {
		case at == canary.slot, at.node == "", isLeft(at.node), !isFree(canary): // its own node still answers it
		case isTaken(at):
			continue
		default:
			canary.slot = at
		}
		kept = append(kept, canary)
	}
	p.canaries = kept
}

// sourceTimeout bounds how long a judgement waits for the source of nodes.
const sourceTimeout = 2 * time.Second

// nodesChanged asks the source for the nodes if a report shows something new, and reports
// whether the list is another one. The balancer often learns first that a node has left, and
// a session that was lost with it must not be taken for another fault.
func (w *Watcher) nodesChanged(ctx context.Context, report checks.Report) bool {
	if w.cluster.Source == nil || sameFindings(report, w.lastReport) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	w.cluster.Source.Update(ctx)
	before := w.cluster
	w.adopt(w.wanted.Load())
	return w.cluster != before
}

// outdated reports whether a report shows that the list of nodes may be: a node does not
// answer, or an unlisted one does.
func outdated(r checks.Report) bool {
	return len(r.Timelines.Balancer.Unlisted) > 0 || slices.ContainsFunc(r.Nodes, func(n checks.NodeReport) bool { return !n.Up })
}

// sourceState returns how far the source of a cluster's nodes can be relied on; zero: it has
// none.
func sourceState(c *probes.Cluster) probes.SourceState {
	if c.Source == nil {
		return probes.SourceState{}
	}
	return c.Source.State()
}
