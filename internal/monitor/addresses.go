package monitor

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"stickwatch/probes"
)

const (
	lookUpFor = time.Second // longest look-up; a round makes its own
	maxKnown  = 1000        // addresses of a balancer that are remembered
)

// lookUp asks DNS for the balancer's addresses. It reports whether there is one that no round
// has probed yet. Some names have other addresses in every answer, so one that is missing is
// no reason for a round. A look-up that fails changes nothing.
func (w *Watcher) lookUp(ctx context.Context) (isNew bool) {
	ctx, cancel := context.WithTimeout(ctx, lookUpFor)
	defer cancel()
	listed := make(map[netip.AddrPort]bool)
	for _, f := range probes.Resolve(ctx, w.cluster) {
		if !f.Address.IsValid() || f.Waiting > 0 { // of those that wait, the addresses are not known
			return false
		}
		listed[f.Address] = true
	}
	w.canaryPool.listed.Store(&listed)
	if w.known == nil || len(w.known) > maxKnown {
		w.known = make(map[netip.AddrPort]bool)
	}
	for _, b := range w.last.Balancers {
		w.known[b.Address] = true
	}
	for address := range listed {
		isNew = isNew || !w.known[address]
		w.known[address] = true
	}
	return isNew
}

// lostAddress reports whether a canary of a follow-up got no good response at an address that
// DNS no longer lists. A browser asks DNS again then, and goes to another address.
func (w *Watcher) lostAddress(ctx context.Context, answers map[*pooledCanary]probes.Exchange) bool {
	all := slices.Collect(maps.Keys(answers))
	if !slices.ContainsFunc(all, func(b *pooledCanary) bool { return !good(answers[b]) }) {
		return false
	}
	w.lookUp(ctx)
	return slices.ContainsFunc(all, w.canaryPool.left)
}

// left reports whether a canary uses an address that DNS no longer lists, and got no good
// response there at last. While it gets good ones, users with an older answer of DNS do, too.
func (p *canaryPool) left(b *pooledCanary) bool {
	listed := p.listed.Load()
	if listed == nil || (*listed)[b.slot.balancer] {
		return false
	}
	trace := b.Trace()
	if len(trace.Steps) == 0 {
		return false
	}
	at := len(trace.Steps) - 1
	outcome := trace.SessionOutcome(at)
	return !good(trace.Steps[at].Exchange) || outcome == probes.SessionLost || outcome == probes.SessionStale
}

// good reports whether a response is a page, or leads to one.
func good(ex probes.Exchange) bool { return ex.Failure == "" && ex.Status >= 200 && ex.Status < 400 }

// leave removes the canaries whose address has left.
func (p *canaryPool) leave() {
	p.canaries = slices.DeleteFunc(p.canaries, p.left)
	p.reserve = slices.DeleteFunc(p.reserve, p.left)
	p.idle = slices.DeleteFunc(p.idle, func(c *idleCanary) bool { return p.left(c.pooledCanary) })
}
