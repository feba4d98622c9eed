package monitor

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"stickwatch/probes"
)

const (
	lookUpFor  = time.Second      // longest look-up; a round makes its own
	maxKnown   = 1000             // addresses of a balancer that are remembered: no further one is new
	rotatesFor = 10 * time.Minute // for which an address that came back shows that answers list some only
)

// Addresses follows the addresses of a balancer's name, as DNS lists them. The zero value knows
// none.
type Addresses struct {
	mu       sync.Mutex
	known    map[netip.AddrPort]bool
	listed   []probes.Frontend // by the last answer
	asked    time.Time         // when DNS was asked for it; zero: never
	cameBack time.Time         // when an answer last listed a known address that the one before did not; zero: never
}

// Known makes addresses known: they are not new when DNS lists them.
func (a *Addresses) Known(addresses ...netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, address := range addresses {
		a.know(address)
	}
}

func (a *Addresses) know(address netip.AddrPort) {
	if a.known == nil {
		a.known = make(map[netip.AddrPort]bool)
	}
	a.known[address] = true
}

// LookUp asks DNS and returns the frontends at addresses that were not known; they are now. Some
// names have other addresses in every answer, so one that is missing is nothing new. A look-up
// that fails changes nothing.
func (a *Addresses) LookUp(ctx context.Context, c *probes.Cluster) (came []probes.Frontend) {
	ctx, cancel := context.WithTimeout(ctx, lookUpFor)
	defer cancel()
	asked := time.Now()
	listed := probes.Resolve(ctx, c)
	for _, f := range listed {
		if !f.Address.IsValid() || f.Waiting > 0 { // of those that wait, the addresses are not known
			return nil
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if asked.Before(a.asked) {
		return nil // another one has a newer answer
	}
	for _, f := range listed {
		switch {
		case a.known[f.Address] && !a.asked.IsZero() && !a.lists(f.Address):
			a.cameBack = asked
		case !a.known[f.Address] && len(a.known) < maxKnown:
			a.know(f.Address)
			came = append(came, f)
		}
	}
	a.listed, a.asked = listed, asked
	return came
}

// lists reports whether the last answer has an address.
func (a *Addresses) lists(address netip.AddrPort) bool {
	return slices.ContainsFunc(a.listed, func(f probes.Frontend) bool { return f.Address == address })
}

// Gone reports whether DNS no longer lists an address. Where answers list some addresses only,
// a missing one has not gone.
func (a *Addresses) Gone(address netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.asked.IsZero() && !a.lists(address) && (a.cameBack.IsZero() || time.Since(a.cameBack) >= rotatesFor)
}

// Instead returns the frontend to which the users of one whose address has gone go, if DNS lists
// any.
func (a *Addresses) Instead(of probes.Frontend) (probes.Frontend, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.IndexFunc(a.listed, func(f probes.Frontend) bool { return f.URL == of.URL })
	if at < 0 {
		return probes.Frontend{}, false
	}
	return a.listed[at], true
}

// lookUp asks DNS for the balancer's addresses. It reports whether there is one that no round
// has probed yet.
func (w *Watcher) lookUp(ctx context.Context) (isNew bool) {
	for _, b := range w.last.Balancers {
		w.canaryPool.addresses.Known(b.Address)
	}
	return len(w.canaryPool.addresses.LookUp(ctx, w.cluster)) > 0
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
// if they lose their sessions.
func (p *canaryPool) left(b *pooledCanary) bool {
	if !p.addresses.Gone(b.slot.balancer) {
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
