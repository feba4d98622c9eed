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
	lookUpFor  = time.Second      // longest look-up; a round makes its own
	maxKnown   = 1000             // addresses of a balancer that are remembered: no further one is new
	rotatesFor = 10 * time.Minute // for which an address that came back shows that answers list some only
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
	before := w.canaryPool.listed.Swap(&listed)
	if w.known == nil {
		w.known = make(map[netip.AddrPort]bool)
	}
	for _, b := range w.last.Balancers {
		w.known[b.Address] = true
	}
	for address := range listed {
		switch {
		case w.known[address] && before != nil && !(*before)[address]:
			w.canaryPool.cameBack.Store(new(time.Now()))
		case !w.known[address] && len(w.known) < maxKnown:
			isNew, w.known[address] = true, true
		}
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
// response there at last. While it gets good ones, users with an older answer of DNS do, too, also
// if they lose their sessions. Where answers list some addresses only, a missing one has not left.
func (p *canaryPool) left(b *pooledCanary) bool {
	listed, back := p.listed.Load(), p.cameBack.Load()
	if listed == nil || (*listed)[b.slot.balancer] || back != nil && time.Since(*back) < rotatesFor {
		return false
	}
	steps := b.Trace().Steps
	return len(steps) > 0 && !good(steps[len(steps)-1].Exchange)
}

// good reports whether a response is a page, or leads to one.
func good(ex probes.Exchange) bool { return ex.Failure == "" && ex.Status >= 200 && ex.Status < 400 }

// leave removes the canaries whose address has left.
func (p *canaryPool) leave() {
	p.canaries = slices.DeleteFunc(p.canaries, p.left)
	p.reserve = slices.DeleteFunc(p.reserve, p.left)
	p.idle = slices.DeleteFunc(p.idle, func(c *idleCanary) bool { return p.left(c.pooledCanary) })
}
