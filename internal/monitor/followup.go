package monitor

import (
	"context"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A visit is one request of each canary between two whole rounds.
type visit struct {
	*task // ends when every request has
	pairs []pair

	mu      sync.Mutex
	waiting map[*pooledCanary]bool
	answers map[*pooledCanary]probes.Exchange // that nobody has taken yet
}

// followUp lets every canary return once. Where an idle one is due, or a new client
// comes, it stands in for the canary of the same node.
func (f *canaryPool) followUp(ctx context.Context, pairs []pair) *visit {
	v := &visit{
		pairs: pairs, waiting: make(map[*pooledCanary]bool), answers: make(map[*pooledCanary]probes.Exchange),
	}
	relieved := make(map[slot]bool)
	due := f.dueIdle()
	for _, c := range due {
		relieved[c.slot], v.waiting[c.pooledCanary] = true, true
	}
	for _, two := range pairs {
		for _, b := range two {
			relieved[b.slot] = true
		}
	}
	var canaries []*pooledCanary
	for _, b := range f.canaries {
		if !relieved[b.slot] {
			canaries, v.waiting[b] = append(canaries, b), true
		}
	}
	v.task = begin(func() {
		var wg panics.Group
		for _, b := range canaries {
			wg.Go(func() { v.answered(b, b.Return(ctx)) })
		}
		for _, two := range pairs {
			wg.Go(func() { two.come(ctx, v.answered) })
		}
		wg.Go(func() { f.followUpIdle(ctx, due, v.answered) })
		wg.Wait()
	})
	return v
}

func (v *visit) answered(b *pooledCanary, ex probes.Exchange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.waiting, b)
	v.answers[b] = ex
}

// take returns the answers that came since the last call.
func (v *visit) take() map[*pooledCanary]probes.Exchange {
	v.mu.Lock()
	defer v.mu.Unlock()
	taken := v.answers
	v.answers = make(map[*pooledCanary]probes.Exchange)
	return taken
}

// newcomers are the walks of new clients.
func (v *visit) newClients() (list []probes.Trace) {
	for _, two := range v.pairs {
		for _, b := range two {
			if trace := b.Trace(); len(trace.Steps) > 0 {
				list = append(list, trace)
			}
		}
	}
	return list
}

// waitsFor reports whether a canary's request goes on. A nil visit waits for none.
func (v *visit) waitsFor(b *pooledCanary) bool {
	if v == nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.waiting[b]
}

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
