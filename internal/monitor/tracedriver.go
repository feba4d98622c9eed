package monitor

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A traceDriver sends clients through one address of a balancer until it is known
// whom that address gives clients to, and whether they stay.
type traceDriver struct {
	*Prober
	cluster     *probes.Cluster
	frontend    probes.Frontend
	connections chan struct{} // bounds the connections open at once

	mu       sync.Mutex
	canaries []*probes.Canary
}

// traceResult is what a walker brings home.
type traceResult struct {
	traces         []probes.Trace
	failoverChecks []probes.FailoverCheck
	canaries       []*probes.Canary // that have a session and were followed
}

const (
	// maxConnections bounds what one round opens at one address at a time.
	maxConnections = 32
	// maxFailoverChecks bounds to how many nodes one session is presented directly.
	maxFailoverChecks = 3
)

func (p *Prober) newTraceDriver(c *probes.Cluster, e probes.Frontend) *traceDriver {
	return &traceDriver{Prober: p, cluster: c, frontend: e, connections: make(chan struct{}, maxConnections)}
}

// run opens clients, waits for what the nodes said directly, opens as many
// more as are needed, and follows one canary a node.
func (w *traceDriver) run(ctx context.Context, direct func() []probes.NodeObservation) traceResult {
	w.openClients(ctx, w.initialClients())
	nodes := direct()
	identity := checks.Identify(w.cluster, nodes)
	serving := checks.Serving(w.cluster, nodes)
	if w.cluster.Session == nil {
		return traceResult{traces: w.traces()}
	}
	w.openMissing(ctx, identity, serving)
	if w.cluster.Session.Policy == probes.PolicyNone {
		return traceResult{traces: w.traces()}
	}
	canaries := w.selectCanaries(identity)
	w.storeCounters(ctx, canaries)
	w.sendFollowUps(ctx, canaries, identity, serving)
	failoverChecks := w.checkFailover(ctx, canaries, identity, serving)
	return traceResult{traces: w.traces(), failoverChecks: failoverChecks, canaries: canaries}
}

// initialClients is who comes before anything is known of the nodes.
func (w *traceDriver) initialClients() []client {
	if sourceHashed(w.cluster) || w.cluster.Session == nil {
		return targetedClients(w.cluster)
	}
	return make([]client, len(checks.Serving(w.cluster, nil)))
}

// openMissing closes what gaps the first clients left. Under a hash, a second
// client is aimed at each node that is well and did not answer its first; else
// new clients come until every serving node was met or chance is excluded.
func (w *traceDriver) openMissing(ctx context.Context, identity checks.Identity, serving []probes.Node) {
	if sourceHashed(w.cluster) {
		met := w.answeredBy(identity)
		w.openClients(ctx, slices.DeleteFunc(nthTargetedClients(w.cluster, 1), func(c client) bool {
			well := slices.ContainsFunc(serving, func(n probes.Node) bool { return n.ID == c.targetNode })
			return met[c.targetNode] || !well || len(met) == 0
		}))
		return
	}
	for {
		met := w.answeredBy(identity)
		missing := slices.DeleteFunc(w.nodesToFind(serving), func(n probes.Node) bool { return met[n.ID] })
		more := w.maxNewClients(missing, serving, len(met)) - len(w.canaries)
		if len(missing) == 0 || len(met) == 0 || more <= 0 || ctx.Err() != nil || w.inVain() >= enoughWaiting {
			return
		}
		w.openClients(ctx, make([]client, min(more, max(1, len(serving)))))
	}
}

// enoughWaiting is for how long new clients have waited for answers that were none
// before no more are sent to find out who is missing.
const enoughWaiting = 3 * time.Second

// inVain is for how long new clients have waited for answers that were none.
func (w *traceDriver) inVain() (waited time.Duration) {
	for _, c := range w.canaries {
		if first := c.Trace().First(); !first.OK() {
			waited += first.Timing.Total
		}
	}
	return waited
}

// nodesToFind is whom new clients look for: every node that serves, and, until some
// client has failed, those that do not: whether the balancer still sends them
// clients is the question.
func (w *traceDriver) nodesToFind(serving []probes.Node) []probes.Node {
	if slices.ContainsFunc(w.canaries, func(c *probes.Canary) bool { return !c.Trace().First().OK() }) {
		return slices.Clone(serving)
	}
	return checks.Serving(w.cluster, nil)
}

// maxNewClients is how many new clients exclude chance for the rarest missing node:
// two samples of the size one test needs, so that a wrong ejection is a matter
// of one in a million; one where no conclusion hangs on it.
func (w *traceDriver) maxNewClients(missing, serving []probes.Node, met int) int {
	inconclusive := w.cluster.Balancer.Method == probes.MethodLeastConn ||
		(w.cluster.Balancer.Method == probes.MethodUnknown && met == 1)
	need := 0
	for _, n := range missing {
		if inconclusive || !slices.ContainsFunc(serving, func(s probes.Node) bool { return s.ID == n.ID }) {
			need = max(need, checks.FreshClients(checks.Share(n, checks.Serving(w.cluster, nil)), w.confidence()))
		} else {
			need = max(need, checks.ClientsToMiss(w.cluster, n, w.confidence()))
		}
	}
	return min(need, checks.MaxFreshClients)
}

// openClients lets clients in side by side. Where they come as ourselves, the very
// first comes alone: a balancer that keeps a table of clients by address learns
// ours from it, and would give clients that race for the entry different nodes.
func (w *traceDriver) openClients(ctx context.Context, clients []client) {
	clients = w.withSyntheticAddresses(clients)
	done := w.counter(w.cluster, "clients", len(clients))
	openClient := func(c client) {
		canary := w.newClient(c)
		w.mu.Lock()
		w.canaries = append(w.canaries, canary)
		w.mu.Unlock()
		canary.Open(ctx)
		done()
	}
	if len(w.canaries) == 0 && len(clients) > 0 && clients[0].key == "" {
		openClient(clients[0])
		clients = clients[1:]
	}
	w.runParallel(len(clients), func(i int) { openClient(clients[i]) })
}

// newClient returns a client that has not come yet.
func (w *traceDriver) newClient(c client) *probes.Canary {
	if c.counterBase == 0 {
		c.counterBase = w.nextCounterBase()
	}
	return probes.NewCanary(w.cluster, w.frontend, c.key, c.targetNode, c.counterBase)
}

// withSyntheticAddresses gives clients that come as nobody in particular an address each, where
// the balancer takes addresses from a header: a balancer that keeps a table of
// clients by address would take them all for one.
func (w *traceDriver) withSyntheticAddresses(clients []client) []client {
	if sourceHashed(w.cluster) || w.cluster.Balancer.ClientIPHeader == "" || w.cluster.Session == nil {
		return clients
	}
	out := slices.Clone(clients)
	for i := range out {
		if out[i].key == "" {
			out[i].counterBase = w.nextCounterBase()
			out[i].key = syntheticAddress(out[i].counterBase / 1000).String()
		}
	}
	return out
}

// syntheticAddress is the address of the nth client, of the range that RFC 2544
// sets aside for benchmarks. Neighbours are of different networks, for hashes of those,
// and differ in the last byte, for hashes that take the address by the number of nodes.
func syntheticAddress(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + n/256%2), byte(n % 256), byte(1 + (n+n/512)%254)})
}

// answeredBy is the nodes that answered new clients so far.
func (w *traceDriver) answeredBy(identity checks.Identity) map[string]bool {
	met := make(map[string]bool)
	for _, c := range w.canaries {
		if first := c.Trace().First(); first.OK() {
			if id := identity.NodeOf(first.Label); id != "" {
				met[id] = true
			}
		}
	}
	return met
}

// selectCanaries picks the clients that become canaries: those the oracle aimed, and
// otherwise the first that met each node. Where answers do not tell their node,
// a few have to do: whether sessions survive can still be seen.
func (w *traceDriver) selectCanaries(identity checks.Identity) []*probes.Canary {
	const maxUnlabelled = 3
	taken := make(map[string]int)
	var chosen []*probes.Canary
	for _, c := range w.canaries {
		trace := c.Trace()
		if !trace.First().OK() {
			continue
		}
		owner := identity.NodeOf(trace.First().Label)
		limit := 1
		if owner == "" {
			limit = maxUnlabelled
		}
		if trace.Expected != "" || taken[owner] < limit {
			taken[owner]++
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// storeCounters stores the counter twice, so that a stale copy of the session can be
// told from a lost one.
func (w *traceDriver) storeCounters(ctx context.Context, canaries []*probes.Canary) {
	if w.cluster.Session.Write == "" {
		return
	}
	w.runParallel(len(canaries), func(i int) {
		if canaries[i].Write(ctx).Failure != probes.FailureTimeout {
			canaries[i].Write(ctx)
		}
	})
}

// sendFollowUps lets every canary come back as often as excludes luck, as far side by
// side as the budget admits, in an order shuffled over all canaries: in step with
// each other they could make a round robin look sticky. A session that was renamed on the way
// is followed again under its names, one after the other, and so is a client
// that is torn.
func (w *traceDriver) sendFollowUps(ctx context.Context, canaries []*probes.Canary, identity checks.Identity, serving []probes.Node) {
	met := w.answeredBy(identity)
	needed := func(c *probes.Canary) int {
		chance := checks.ChanceOfStaying(identity.NodeOf(c.Trace().First().Label), serving, met)
		return min(checks.FollowUps(chance, w.confidence()), checks.MaxFollowUps)
	}
	var followUps []*probes.Canary
	for _, c := range canaries {
		followUps = append(followUps, slices.Repeat([]*probes.Canary{c}, needed(c))...)
	}
	rand.Shuffle(len(followUps), func(i, j int) { followUps[i], followUps[j] = followUps[j], followUps[i] })
	done := w.counter(w.cluster, "follow-ups", len(followUps))
	var wg panics.Group
	for _, c := range followUps {
		if hung(c) {
			done()
			continue // one that hangs has been waited for, and its fellows would hang, too
		}
		w.connections <- struct{}{}
		follow := c.AwaitFollow(ctx) // here, so that requests leave in this order
		wg.Go(func() {
			defer func() { <-w.connections }()
			follow()
			done()
		})
	}
	wg.Wait()
	w.runParallel(len(canaries), func(i int) {
		for n := needed(canaries[i]); n > 0 && canaries[i].Trace().Renamed(); n-- {
			canaries[i].Return(ctx)
		}
		for n := needed(canaries[i]); n > 0 && w.splitOverNodes(canaries[i], identity); n-- {
			canaries[i].Follow(ctx)
		}
	})
}

// hung reports whether a request of a client has timed out.
func hung(c *probes.Canary) bool {
	return slices.ContainsFunc(c.Trace().Steps, func(s probes.Step) bool { return s.Failure == probes.FailureTimeout })
}

// splitOverNodes reports whether a client that a hash should hold on one node was
// answered by several. Whether a node has left, or parts of the balancer do not
// agree on it, shows by answers one after the other.
func (w *traceDriver) splitOverNodes(c *probes.Canary, identity checks.Identity) bool {
	met := make(map[string]bool)
	for _, s := range c.Trace().Steps {
		if id := identity.NodeOf(s.Label); s.OK() && id != "" {
			met[id] = true
		}
	}
	return sourceHashed(w.cluster) && len(met) > 1
}

// checkFailover presents each canary's session to the nodes after its own, where the
// policy promises that they know it.
func (w *traceDriver) checkFailover(ctx context.Context, canaries []*probes.Canary, identity checks.Identity, serving []probes.Node) []probes.FailoverCheck {
	policy := w.cluster.Session.Policy
	if policy != probes.PolicyShared && policy != probes.PolicyReplicated {
		return nil
	}
	failoverChecks := make([][]probes.FailoverCheck, len(canaries))
	done := w.counter(w.cluster, "failover readiness", len(canaries))
	w.runParallel(len(canaries), func(i int) {
		defer done()
		if len(canaries[i].Trace().First().Rejected) > 0 {
			return // without its cookie no node could know the session
		}
		owner := identity.NodeOf(canaries[i].Holder())
		at := slices.IndexFunc(serving, func(n probes.Node) bool { return n.ID == owner })
		if at < 0 || len(serving) < 2 {
			return
		}
		others := slices.Concat(serving[at+1:], serving[:at])
		failoverChecks[i] = canaries[i].CheckFailover(ctx, serving[at], others[:min(len(others), maxFailoverChecks)])
	})
	return slices.Concat(failoverChecks...)
}

// tracesSoFar are the walks of clients that have come by now. It may be called at any
// time.
func (w *traceDriver) tracesSoFar() []probes.Trace {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(w.traces(), func(trace probes.Trace) bool { return len(trace.Steps) == 0 })
}

func (w *traceDriver) traces() []probes.Trace {
	traces := make([]probes.Trace, len(w.canaries))
	for i, c := range w.canaries {
		traces[i] = c.Trace()
	}
	return traces
}

// runParallel runs n pieces at once, as far as there are slots.
func (w *traceDriver) runParallel(n int, task func(i int)) {
	var wg panics.Group
	for i := range n {
		w.connections <- struct{}{}
		wg.Go(func() {
			defer func() { <-w.connections }()
			task(i)
		})
	}
	wg.Wait()
}
