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
	lookUpFor  = time.Second      // the longest look-up outside a round
	maxKnown   = 1000             // addresses of a balancer that are remembered: no further one is new
	rotatesFor = 10 * time.Minute // after a known address came back, answers are taken to be partial for so long
)

// Addresses follows the addresses of a balancer's name, as DNS lists them. The zero value knows
// none.
type Addresses struct {
	mu       sync.Mutex
	known    map[netip.AddrPort]bool
	unprobed map[netip.AddrPort]bool // listed, and not yet passed to MarkKnown
	listed   []probes.Frontend       // by the last answer
	asked    time.Time               // when DNS was asked for it; zero: never
	cameBack time.Time               // when an answer last listed a known address that the one before did not; zero: never
}

// MarkKnown makes addresses known, because they are probed: they are not new when DNS lists them.
func (a *Addresses) MarkKnown(addresses ...netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, address := range addresses {
		a.markKnown(address)
		delete(a.unprobed, address)
	}
}

// markKnown makes an address known. The caller has locked a.mu.
func (a *Addresses) markKnown(address netip.AddrPort) {
	if a.known == nil {
		a.known, a.unprobed = make(map[netip.AddrPort]bool), make(map[netip.AddrPort]bool)
	}
	a.known[address] = true
}

// HasUnprobed reports whether DNS lists an address that was new, and that nobody has marked as known
// since.
func (a *Addresses) HasUnprobed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.unprobed) > 0
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
			a.markKnown(f.Address)
			a.unprobed[f.Address] = true
			came = append(came, f)
		}
	}
	a.listed, a.asked = listed, asked
	maps.DeleteFunc(a.unprobed, func(address netip.AddrPort, _ bool) bool { return !a.lists(address) })
	return came
}

// lists reports whether the last answer has an address. The caller has locked a.mu.
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

// Instead returns a frontend that DNS lists with the URL of one whose address has gone. Its users go
// there; ok is false if there is none.
func (a *Addresses) Instead(of probes.Frontend) (f probes.Frontend, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.IndexFunc(a.listed, func(f probes.Frontend) bool { return f.URL == of.URL })
	if at < 0 {
		return probes.Frontend{}, false
	}
	return a.listed[at], true
}

// lookUp asks DNS for the balancer's addresses.
func (w *Watcher) lookUp(ctx context.Context) {
	for _, b := range w.last.Balancers {
		w.canaryPool.addresses.MarkKnown(b.Address)
	}
	w.canaryPool.addresses.LookUp(ctx, w.cluster)
}

// hasLostAddress reports whether a canary of a follow-up got no good response at an address that
// DNS, which it asks then, no longer lists. A browser asks DNS again, too, and goes to another address.
func (w *Watcher) hasLostAddress(ctx context.Context, answers map[*pooledCanary]probes.Exchange) bool {
	all := slices.Collect(maps.Keys(answers))
	if !slices.ContainsFunc(all, func(c *pooledCanary) bool { return !good(answers[c]) }) {
		return false
	}
	w.lookUp(ctx)
	return slices.ContainsFunc(all, w.canaryPool.hasLeft)
}
