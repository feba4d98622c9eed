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
type pair []*bird

// pairs are the new clients of a visit, at most one pair an address in each interval
// of the status. They stand in for as many canaries, of the nodes that they are aimed
// at where that can be computed, so that they cost no requests.
func (w *Watcher) pairs() (list []pair) {
	s := w.cluster.Session
	if s == nil || s.ID == nil || s.Policy == probes.PolicyNone || w.pace.Status <= 0 || time.Since(w.paired) < w.pace.Status*9/10 {
		return nil
	}
	w.paired = time.Now()
	who := checks.Identify(w.cluster, w.last.Nodes)
	for _, b := range w.last.Balancers {
		at := urlOf(w.cluster, b)
		canaries := slices.DeleteFunc(slices.Clone(w.flock.birds), func(c *bird) bool { return c.perch.balancer != b.Address })
		if at == nil || len(canaries) == 0 {
			continue
		}
		walker := w.prober.newWalker(w.cluster, probes.Entrance{URL: at, Address: b.Address})
		var two pair
		for range 2 {
			w.newest++
			relieved := canaries[w.newest%len(canaries)]
			c := client{}
			if sourceHashed(w.cluster) {
				c = aimAt(w.cluster, relieved.perch.node, w.newest)
			}
			b := &bird{Canary: walker.newClient(walker.asStrangers([]client{c})[0]), perch: relieved.perch, who: who}
			if slices.ContainsFunc(w.verdict.Nodes, func(n checks.NodeReport) bool { return n.Node == c.expected && n.InRotation == checks.Yes }) {
				b.home = c.expected // another node that answers is news
			}
			two = append(two, b)
		}
		list = append(list, two)
	}
	return list
}

// come lets the two come, the second one only where the first was answered.
func (p pair) come(ctx context.Context, answered func(*bird, probes.Exchange)) {
	for _, b := range p {
		ex := b.Open(ctx)
		if node := b.who.Who(ex.Label); node == "" || b.home == "" {
			b.home = node
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
	r.Past, r.Every, r.Walks = w.history, w.pace.Canary, append(w.newcomers(), v.newcomers()...)
	return slices.ContainsFunc(checks.Judge(r).Findings, func(f checks.Finding) bool { return f.Code == checks.SessionLeaked })
}
