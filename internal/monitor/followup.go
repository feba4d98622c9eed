package monitor

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A followUpBatch is one request of each canary between two full rounds.
type followUpBatch struct {
	*task      // ends after the last request
	pairs      []pair
	successors []*pooledCanary // new clients for vacant slots

	mu      sync.Mutex
	waiting map[*pooledCanary]bool
	answers map[*pooledCanary]probes.Exchange // not yet returned by take
}

// sendFollowUps sends one request of every canary and successor. A due idle canary, a client of a pair or
// of the reserve replaces the canary of the same slot. mayLeaveOut allows that a canary sends none.
func (p *canaryPool) sendFollowUps(ctx context.Context, pairs []pair, successors []*pooledCanary, mayLeaveOut bool) *followUpBatch {
	f := &followUpBatch{
		pairs: pairs, successors: successors, waiting: make(map[*pooledCanary]bool), answers: make(map[*pooledCanary]probes.Exchange),
	}
	p.followUps++
	canaries, writers := p.takeTurn(pairs, mayLeaveOut)
	for _, canary := range canaries {
		f.waiting[canary] = true
	}
	f.task = begin(func() {
		var wg panics.Group
		wg.Go(func() {
			each(ctx, canaries, func(_ int, canary *pooledCanary) {
				request := canary.Return
				if slices.Contains(writers, canary) {
					request = canary.writeOrReturn
				}
				f.answered(canary, request(ctx))
			})
		})
		for _, two := range pairs {
			wg.Go(func() { two.open(ctx, f.answered) })
		}
		for _, c := range successors {
			wg.Go(func() { pair{c}.open(ctx, f.answered) })
		}
		wg.Wait()
	})
	return f
}

// takeTurn returns the canaries that send a request in this follow-up, and those of them that store a
// value with it. Idle canaries only return.
func (p *canaryPool) takeTurn(pairs []pair, mayLeaveOut bool) (canaries, writers []*pooledCanary) {
	idle, paired, reserve := make(map[slot][]*pooledCanary), make(map[slot]bool), p.reserveTurn()
	for _, c := range p.dueIdle() {
		c.last = time.Now()
		idle[c.slot] = append(idle[c.slot], c.pooledCanary)
	}
	for _, two := range pairs {
		for _, canary := range two {
			paired[canary.slot] = true
		}
	}
	var active []*pooledCanary
	for i, canary := range p.canaries {
		switch {
		case idle[canary.slot] != nil:
			canaries = append(canaries, idle[canary.slot]...)
			delete(idle, canary.slot)
		case paired[canary.slot]:
		case mayLeaveOut && p.leavesOut(i):
			p.toLeaveOut--
		default:
			active = append(active, cmp.Or(reserve[canary.slot], canary))
			canaries = append(canaries, active[len(active)-1])
		}
	}
	return append(canaries, slices.Concat(slices.Collect(maps.Values(idle))...)...), p.writers(active)
}

// leavesOut reports whether the ith canary sends no request in this follow-up, because a request of
// an address check has replaced it: checks cost no additional requests.
func (p *canaryPool) leavesOut(i int) bool {
	return p.toLeaveOut > 0 && i == p.followUps%len(p.canaries)
}

// writeEvery is the largest number of a canary's follow-ups of which one stores a value. Otherwise
// only a full round would notice that sessions cannot be written.
const writeEvery = 5

// writers returns the canaries that store a value in this follow-up instead of only returning:
// those that have not for the longest time. There is always one, if any may, so that a failover of
// the store that loses the writes of a few seconds loses one of ours.
func (p *canaryPool) writers(canaries []*pooledCanary) []*pooledCanary {
	number := (len(canaries) + writeEvery - 1) / writeEvery
	canaries = slices.DeleteFunc(canaries, func(c *pooledCanary) bool { return !c.mayWrite() })
	slices.SortStableFunc(canaries, func(a, b *pooledCanary) int { return cmp.Compare(a.wroteIn, b.wroteIn) })
	canaries = canaries[:min(number, len(canaries))]
	for _, c := range canaries {
		c.wroteIn = p.followUps
	}
	return canaries
}

// mayWrite reports whether a write hides nothing: an answer has shown the value that was written
// last, and the application does not renew the id with each answer.
func (c *pooledCanary) mayWrite() bool {
	trace := c.Trace()
	n := len(trace.Steps)
	return n > 0 && trace.Steps[n-1].OK() && trace.Steps[n-1].Kind != probes.StepWrite && !trace.Renews
}

// writeOrReturn stores a value, if the application can.
func (c *pooledCanary) writeOrReturn(ctx context.Context) probes.Exchange {
	if ex := c.Write(ctx); ex.Path != "" {
		return ex
	}
	return c.Return(ctx)
}

// returnWhile sends requests of every canary as returnsUntil does, unless the application renews the id of its session
// with each answer: a check of its owner may present the same id meanwhile.
func (p *canaryPool) returnWhile(ctx context.Context, asking <-chan struct{}, every time.Duration) *followUpBatch {
	f := &followUpBatch{waiting: make(map[*pooledCanary]bool), answers: make(map[*pooledCanary]probes.Exchange)}
	reserve := slices.Clone(p.reserve) // the pool may change before the last of these requests ends
	for _, canary := range p.canaries {
		if !canary.Trace().Renews {
			f.waiting[canary] = true
		}
	}
	f.task = begin(func() {
		var wg panics.Group
		for canary := range maps.Clone(f.waiting) {
			wg.Go(func() {
				for sender, ex := range returnsUntil(ctx, canary, reserve, asking, every) {
					f.record(sender, ex)
				}
				f.ended(canary)
			})
		}
		wg.Wait()
	})
	return f
}

// returnsUntil sends further requests of a canary in turn with those of the reserve in its slot, unless one of its
// own has timed out, until asked is closed; every is the usual time between two, 0: none. A slow node gets fewer,
// which would delay those of the round.
func returnsUntil(ctx context.Context, canary *pooledCanary, reserve []*pooledCanary, asked <-chan struct{}, every time.Duration) iter.Seq2[*pooledCanary, probes.Exchange] {
	return func(yield func(*pooledCanary, probes.Exchange) bool) {
		reserveNext := true
		for pause := every; every > 0 && !endsWithin(asked, pause) && !hung(canary.Canary); reserveNext = !reserveNext {
			next := canary
			if other := pausedLongest(reserve)[canary.slot]; reserveNext && other != nil && !hung(other.Canary) {
				next = other
			}
			began := time.Now()
			if !yield(next, next.Return(ctx)) {
				return
			}
			pause = max(every, min(time.Since(began), 3*every))
		}
	}
}

func (f *followUpBatch) record(c *pooledCanary, ex probes.Exchange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[c] = ex
}

func (f *followUpBatch) ended(c *pooledCanary) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, c)
}

func (f *followUpBatch) answered(c *pooledCanary, ex probes.Exchange) {
	f.record(c, ex)
	f.ended(c)
}

// take returns the responses since the last call.
func (f *followUpBatch) take() map[*pooledCanary]probes.Exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := f.answers
	f.answers = make(map[*pooledCanary]probes.Exchange)
	return taken
}

// newClients returns the traces of the new clients.
func (f *followUpBatch) newClients() (list []probes.Trace) {
	for _, c := range slices.Concat(slices.Concat(f.pairs...), f.successors) {
		if trace := c.Trace(); len(trace.Steps) > 0 {
			list = append(list, trace)
		}
	}
	return list
}

// waitsFor reports whether a canary's request is still in flight. It is false for a nil
// followUpBatch.
func (f *followUpBatch) waitsFor(c *pooledCanary) bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting[c]
}

// A pair is two new clients that use one address of the balancer, one directly after the
// other. If a cache gives the session of one client to another, only clients without a cookie
// that arrive while the response is cached can detect it.
type pair []*pooledCanary

// pairs returns the new clients of a follow-up: at most one pair for each address in each
// status interval. Each new client replaces a canary, if possible of its target node, so that
// pairs cost no additional requests.
func (w *Watcher) pairs() (list []pair) {
	s := w.cluster.Session
	if s == nil || s.ID == nil || s.Policy == probes.PolicyNone || w.intervals.Status <= 0 || time.Since(w.lastPairs) < w.intervals.Status*9/10 {
		return nil
	}
	w.lastPairs = time.Now()
	identity := checks.Identify(w.cluster, w.last.Nodes)
	for _, b := range w.last.Balancers {
		at := urlOf(w.cluster, b)
		canaries := slices.DeleteFunc(slices.Clone(w.canaryPool.canaries), func(c *pooledCanary) bool { return c.slot.balancer != b.Address })
		if at == nil || len(canaries) == 0 {
			continue
		}
		var two pair
		for range 2 {
			two = append(two, w.newClientFor(at, canaries[(w.openedClients+1)%len(canaries)].slot, identity))
		}
		list = append(list, two)
	}
	return list
}

// newClientFor returns a client that has not sent a request, with a key for the node of a slot if the
// balancer hashes one.
func (w *Watcher) newClientFor(at *url.URL, target slot, identity checks.Identity) *pooledCanary {
	w.openedClients++
	c := client{}
	if w.cluster.Balancer.HashesClients() {
		c = targetedClient(w.cluster, target.node, w.openedClients)
	}
	driver := w.prober.newTraceDriver(w.cluster, probes.Frontend{URL: at, Address: target.balancer})
	canary := &pooledCanary{Canary: driver.newClient(driver.withSyntheticAddresses([]client{c})[0]), slot: target, identity: identity}
	if slices.ContainsFunc(w.lastReport.Nodes, func(n checks.NodeReport) bool { return n.Node == c.targetNode && n.InRotation == checks.Yes }) {
		canary.ownerNode = c.targetNode // an answer of another node is unexpected
	}
	return canary
}

// vacantFor is how long follow-ups look for a successor of a canary that has lost its session. A node
// that restarts again and again harms clients long before the next full round finds it a canary.
const vacantFor = time.Minute

// successors returns a new client for each slot whose canary has lost its session, unless that takes a login.
// A balancer that hashes our own address gives no new client another node than the canaries that are left.
func (w *Watcher) successors() (list []*pooledCanary) {
	balancer := w.cluster.Balancer
	if loginOf(w.cluster) != nil || balancer.HashesClients() && balancer.KeyHeader() == "" {
		return nil
	}
	identity := checks.Identify(w.cluster, w.last.Nodes)
	for _, b := range w.last.Balancers {
		for _, n := range w.cluster.Nodes {
			vacant := slot{b.Address, n.ID}
			if at := urlOf(w.cluster, b); at != nil && time.Since(w.canaryPool.vacated[vacant]) < vacantFor && !w.canaryPool.occupied(vacant) {
				list = append(list, w.newClientFor(at, vacant, identity))
			}
		}
	}
	return list
}

// admit makes successors canaries whose slot's node has opened their session.
func (p *canaryPool) admit(successors []*pooledCanary) {
	for _, c := range successors {
		if opener := c.identity.NodeOf(c.First().Label); opener == c.slot.node && !p.occupied(c.slot) && c.StartNextRound() {
			c.ownerNode = opener
			p.canaries = append(p.canaries, c)
		}
	}
}

// open sends the requests of the pair. The second client starts only if the first one got a
// response.
func (p pair) open(ctx context.Context, answered func(*pooledCanary, probes.Exchange)) {
	for _, c := range p {
		ex := c.Visit(ctx)
		if node := c.identity.NodeOf(ex.Label); node == "" || c.ownerNode == "" {
			c.ownerNode = node
		}
		answered(c, ex)
		if !ex.OK() {
			return
		}
	}
}

// leaked reports whether the new clients of a follow-up received the same session.
func (w *Watcher) leaked(f *followUpBatch) bool {
	if len(f.pairs) == 0 {
		return false
	}
	r := w.last
	r.Past, r.Every, r.Traces = w.timelines, w.intervals.Canary, append(w.newClientTraces(), f.newClients()...)
	return checks.LeaksSessions(r)
}
