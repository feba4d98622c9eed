package watch

import (
	"context"
	"slices"
	"sync"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/internal/monitor"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

const (
	lookUpEvery = time.Second
	lookUpPause = 200 * time.Millisecond // shortest time between two look-ups of clients whose requests fail
	maxCame     = 8                      // addresses that come during a watch and get clients
)

// addresses follows the addresses of the balancer's name during a watch.
type addresses struct {
	monitor.Addresses

	asking sync.Mutex // held during a look-up, which clients with failed requests wait for
	asked  time.Time
	came   []probes.Frontend // without clients yet
}

// lookUp asks DNS, unless it was just asked.
func (a *addresses) lookUp(ctx context.Context, c *probes.Cluster) {
	a.asking.Lock()
	defer a.asking.Unlock()
	if time.Since(a.asked) >= lookUpPause {
		a.came = append(a.came, a.LookUp(ctx, c)...)
		a.asked = time.Now()
	}
}

// take returns the frontends that have come since it was called last.
func (a *addresses) take() []probes.Frontend {
	a.asking.Lock()
	defer a.asking.Unlock()
	came := a.came
	a.came = nil
	return came
}

// followAddresses gives clients to addresses of the balancer that come.
func (w *Watch) followAddresses(ctx context.Context) {
	remaining := maxCame
	for moment := time.Now(); sleep.Until(ctx, moment); moment = moment.Add(lookUpEvery) {
		w.addresses.lookUp(ctx, w.cluster)
		came := w.addresses.take()
		came = came[:min(remaining, len(came))]
		remaining -= len(came)
		if len(came) > 0 {
			users, newClients := w.openClients(ctx, came)
			w.runClients(ctx, users, newClients)
		}
	}
}

// A client has an address of the balancer.
type client interface {
	at() probes.Frontend
	stays() bool                      // also while DNS lists the address no more and it answers
	moveTo(probes.Frontend) (ok bool) // goes on at another address
}

// departs reports whether a client has to leave its address, which DNS lists no more. What it
// met there says nothing then.
func (w *Watch) departs(ctx context.Context, c client, samples []gate.Sample) bool {
	if slices.ContainsFunc(samples, func(s gate.Sample) bool { return !s.Good }) {
		w.addresses.lookUp(ctx, w.cluster)
	} else if c.stays() {
		return false
	}
	return w.addresses.Gone(c.at().Address)
}

// move makes a client go on at another address, if it can.
func (w *Watch) move(c client) (ok bool) {
	to, ok := w.addresses.Instead(c.at())
	return ok && c.moveTo(to)
}
