package monitor

import (
	"context"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A pair is two new clients that come through one address of the balancer, one right
// after the other. A cache that gives the session of one client to another is seen
// only by clients without a cookie that come while one answer is kept.
type pair []*pooledCanary

// pairs are the new clients of a visit, at most one pair an address in each interval
// of the status. They stand in for as many canaries, of the nodes that they are aimed
// at where that can be computed, so that they cost no requests.
func (w *Watcher) pairs() (list []pair) {
	s := w.cluster.Session
	if s == nil || s.ID == nil || s.Policy == probes.PolicyNone || w.intervals.Status <= 0 || time.Since(w.paired) < w.intervals.Status*9/10 {
		return nil
	}
	w.paired = time.Now()
	identity := checks.Identify(w.cluster, w.last.Nodes)
	for _, b := range w.last.Balancers {
		at := urlOf(w.cluster, b)
		canaries := slices.DeleteFunc(slices.Clone(w.canaryPool.canaries), func(c *pooledCanary) bool { return c.slot.balancer != b.Address })
		if at == nil || len(canaries) == 0 {
			continue
		}
		traceDriver := w.prober.newTraceDriver(w.cluster, probes.Frontend{URL: at, Address: b.Address})
		var two pair
		for range 2 {
			w.newest++
			relieved := canaries[w.newest%len(canaries)]
			c := client{}
			if sourceHashed(w.cluster) {
				c = aimAt(w.cluster, relieved.slot.node, w.newest)
			}
			b := &pooledCanary{Canary: traceDriver.newClient(traceDriver.withSyntheticAddresses([]client{c})[0]), slot: relieved.slot, identity: identity}
			if slices.ContainsFunc(w.lastReport.Nodes, func(n checks.NodeReport) bool { return n.Node == c.targetNode && n.InRotation == checks.Yes }) {
				b.owner = c.targetNode // another node that answers is news
			}
			two = append(two, b)
		}
		list = append(list, two)
	}
	return list
}

// come lets the two come, the second one only where the first was answered.
func (p pair) come(ctx context.Context, answered func(*pooledCanary, probes.Exchange)) {
	for _, b := range p {
		ex := b.Open(ctx)
		if node := b.identity.NodeOf(ex.Label); node == "" || b.owner == "" {
			b.owner = node
		}
		answered(b, ex)
		if !ex.OK() {
			return
		}
	}
}

// leaked reports whether new clients of a visit were given one session, as far as the
// last round and they can tell.
func (w *Watcher) leaked(v *visit) bool {
	if len(v.pairs) == 0 {
		return false
	}
	r := w.last
	r.Past, r.Every, r.Traces = w.history, w.intervals.Canary, append(w.newClientTraces(), v.newClients()...)
	return slices.ContainsFunc(checks.Judge(r).Findings, func(f checks.Finding) bool { return f.Code == checks.SessionLeaked })
}
