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

// A walker sends clients through one address of a balancer until it is known
// whom that address gives clients to, and whether they stay.
type walker struct {
	*Prober
	cluster  *probes.Cluster
	entrance probes.Entrance
	slots    chan struct{} // bounds the connections open at once

	mu       sync.Mutex
	canaries []*probes.Canary
}

// walked is what a walker brings home.
type walked struct {
	walks     []probes.Walk
	crossings []probes.Crossing
	canaries  []*probes.Canary // that have a session and were followed
}

const (
	// maxConnections bounds what one round opens at one address at a time.
	maxConnections = 32
	// maxCrossings bounds to how many nodes one session is presented directly.
	maxCrossings = 3
)

func (p *Prober) newWalker(c *probes.Cluster, e probes.Entrance) *walker {
	return &walker{Prober: p, cluster: c, entrance: e, slots: make(chan struct{}, maxConnections)}
}

// walk opens clients, waits for what the nodes said directly, opens as many
// more as are needed, and follows one canary a node.
func (w *walker) walk(ctx context.Context, direct func() []probes.NodeObservation) walked {
	w.open(ctx, w.first())
	nodes := direct()
	who := checks.Identify(w.cluster, nodes)
	serving := checks.Serving(w.cluster, nodes)
	if w.cluster.Session == nil {
		return walked{walks: w.walks()}
	}
	w.openMore(ctx, who, serving)
	if w.cluster.Session.Policy == probes.PolicyNone {
		return walked{walks: w.walks()}
	}
	canaries := w.choose(who)
	w.write(ctx, canaries)
	w.follow(ctx, canaries, who, serving)
	crossings := w.cross(ctx, canaries, who, serving)
	return walked{walks: w.walks(), crossings: crossings, canaries: canaries}
}

// first is who comes before anything is known of the nodes.
func (w *walker) first() []client {
	if sourceHashed(w.cluster) || w.cluster.Session == nil {
		return aim(w.cluster)
	}
	return make([]client, len(checks.Serving(w.cluster, nil)))
}

// openMore closes what gaps the first clients left. Under a hash, a second
// client is aimed at each node that is well and did not answer its first; else
// new clients come until every serving node was met or chance is excluded.
func (w *walker) openMore(ctx context.Context, who checks.Identity, serving []probes.Node) {
	if sourceHashed(w.cluster) {
		met := w.met(who)
		w.open(ctx, slices.DeleteFunc(aimNth(w.cluster, 1), func(c client) bool {
			well := slices.ContainsFunc(serving, func(n probes.Node) bool { return n.ID == c.expected })
			return met[c.expected] || !well || len(met) == 0
		}))
		return
	}
	for {
		met := w.met(who)
		missing := slices.DeleteFunc(w.wanted(serving), func(n probes.Node) bool { return met[n.ID] })
		more := w.bound(missing, serving, len(met)) - len(w.canaries)
		if len(missing) == 0 || len(met) == 0 || more <= 0 || ctx.Err() != nil || w.inVain() >= enoughWaiting {
			return
		}
		w.open(ctx, make([]client, min(more, max(1, len(serving)))))
	}
}

// enoughWaiting is for how long new clients have waited for answers that were none
// before no more are sent to find out who is missing.
const enoughWaiting = 3 * time.Second

// inVain is for how long new clients have waited for answers that were none.
func (w *walker) inVain() (waited time.Duration) {
	for _, c := range w.canaries {
		if first := c.Walk().First(); !first.OK() {
			waited += first.Timing.Total
		}
	}
	return waited
}

// wanted is whom new clients look for: every node that serves, and, until some
// client has failed, those that do not: whether the balancer still sends them
// clients is the question.
func (w *walker) wanted(serving []probes.Node) []probes.Node {
	if slices.ContainsFunc(w.canaries, func(c *probes.Canary) bool { return !c.Walk().First().OK() }) {
		return slices.Clone(serving)
	}
	return checks.Serving(w.cluster, nil)
}

// bound is how many new clients exclude chance for the rarest missing node:
// two samples of the size one test needs, so that a wrong ejection is a matter
// of one in a million; one where no conclusion hangs on it.
func (w *walker) bound(missing, serving []probes.Node, met int) int {
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

// open lets clients in side by side. Where they come as ourselves, the very
// first comes alone: a balancer that keeps a table of clients by address learns
// ours from it, and would give clients that race for the entry different nodes.
func (w *walker) open(ctx context.Context, clients []client) {
	clients = w.asStrangers(clients)
	done := w.counter(w.cluster, "clients", len(clients))
	admit := func(c client) {
		canary := w.newClient(c)
		w.mu.Lock()
		w.canaries = append(w.canaries, canary)
		w.mu.Unlock()
		canary.Open(ctx)
		done()
	}
	if len(w.canaries) == 0 && len(clients) > 0 && clients[0].key == "" {
		admit(clients[0])
		clients = clients[1:]
	}
	w.sideBySide(len(clients), func(i int) { admit(clients[i]) })
}

// newClient returns a client that has not come yet.
func (w *walker) newClient(c client) *probes.Canary {
	if c.base == 0 {
		c.base = w.base()
	}
	return probes.NewCanary(w.cluster, w.entrance, c.key, c.expected, c.base)
}

// asStrangers gives clients that come as nobody in particular an address each, where
// the balancer takes addresses from a header: a balancer that keeps a table of
// clients by address would take them all for one.
func (w *walker) asStrangers(clients []client) []client {
	if sourceHashed(w.cluster) || w.cluster.Balancer.ClientIPHeader == "" || w.cluster.Session == nil {
		return clients
	}
	out := slices.Clone(clients)
	for i := range out {
		if out[i].key == "" {
			out[i].base = w.base()
			out[i].key = strangersAddress(out[i].base / 1000).String()
		}
	}
	return out
}

// strangersAddress is the address of the nth client, of the range that RFC 2544
// sets aside for benchmarks. Neighbours are of different networks.
func strangersAddress(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + n/256%2), byte(n % 256), byte(1 + n/512%254)})
}

// met is the nodes that answered new clients so far.
func (w *walker) met(who checks.Identity) map[string]bool {
	met := make(map[string]bool)
	for _, c := range w.canaries {
		if first := c.Walk().First(); first.OK() {
			if id := who.Who(first.Label); id != "" {
				met[id] = true
			}
		}
	}
	return met
}

// choose picks the clients that become canaries: those the oracle aimed, and
// otherwise the first that met each node. Where answers do not tell their node,
// a few have to do: whether sessions survive can still be seen.
func (w *walker) choose(who checks.Identity) []*probes.Canary {
	const untold = 3
	taken := make(map[string]int)
	var chosen []*probes.Canary
	for _, c := range w.canaries {
		walk := c.Walk()
		if !walk.First().OK() {
			continue
		}
		home := who.Who(walk.First().Label)
		limit := 1
		if home == "" {
			limit = untold
		}
		if walk.Expected != "" || taken[home] < limit {
			taken[home]++
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// write stores the counter twice, so that a stale copy of the session can be
// told from a lost one.
func (w *walker) write(ctx context.Context, canaries []*probes.Canary) {
	if w.cluster.Session.Write == "" {
		return
	}
	w.sideBySide(len(canaries), func(i int) {
		if canaries[i].Write(ctx).Failure != probes.FailureTimeout {
			canaries[i].Write(ctx)
		}
	})
}

// follow lets every canary come back as often as excludes luck, as far side by
// side as the budget admits, in an order shuffled over all canaries: in step with
// each other they could make a round robin look sticky. A session that was renamed on the way
// is followed again under its names, one after the other, and so is a client
// that is torn.
func (w *walker) follow(ctx context.Context, canaries []*probes.Canary, who checks.Identity, serving []probes.Node) {
	met := w.met(who)
	needed := func(c *probes.Canary) int {
		luck := checks.Luck(who.Who(c.Walk().First().Label), serving, met)
		return min(checks.FollowUps(luck, w.confidence()), checks.MaxFollowUps)
	}
	var visits []*probes.Canary
	for _, c := range canaries {
		visits = append(visits, slices.Repeat([]*probes.Canary{c}, needed(c))...)
	}
	rand.Shuffle(len(visits), func(i, j int) { visits[i], visits[j] = visits[j], visits[i] })
	done := w.counter(w.cluster, "follow-ups", len(visits))
	var wg panics.Group
	for _, c := range visits {
		if hung(c) {
			done()
			continue // one that hangs has been waited for, and its fellows would hang, too
		}
		w.slots <- struct{}{}
		follow := c.AwaitFollow(ctx) // here, so that requests leave in this order
		wg.Go(func() {
			defer func() { <-w.slots }()
			follow()
			done()
		})
	}
	wg.Wait()
	w.sideBySide(len(canaries), func(i int) {
		for n := needed(canaries[i]); n > 0 && canaries[i].Walk().Renamed(); n-- {
			canaries[i].Return(ctx)
		}
		for n := needed(canaries[i]); n > 0 && w.torn(canaries[i], who); n-- {
			canaries[i].Follow(ctx)
		}
	})
}

// hung reports whether a request of a client has timed out.
func hung(c *probes.Canary) bool {
	return slices.ContainsFunc(c.Walk().Steps, func(s probes.Step) bool { return s.Failure == probes.FailureTimeout })
}

// torn reports whether a client that a hash should hold on one node was
// answered by several. Whether a node has left, or parts of the balancer do not
// agree on it, shows by answers one after the other.
func (w *walker) torn(c *probes.Canary, who checks.Identity) bool {
	met := make(map[string]bool)
	for _, s := range c.Walk().Steps {
		if id := who.Who(s.Label); s.OK() && id != "" {
			met[id] = true
		}
	}
	return sourceHashed(w.cluster) && len(met) > 1
}

// cross presents each canary's session to the nodes after its own, where the
// policy promises that they know it.
func (w *walker) cross(ctx context.Context, canaries []*probes.Canary, who checks.Identity, serving []probes.Node) []probes.Crossing {
	policy := w.cluster.Session.Policy
	if policy != probes.PolicyShared && policy != probes.PolicyReplicated {
		return nil
	}
	crossings := make([][]probes.Crossing, len(canaries))
	done := w.counter(w.cluster, "failover readiness", len(canaries))
	w.sideBySide(len(canaries), func(i int) {
		defer done()
		if len(canaries[i].Walk().First().Rejected) > 0 {
			return // without its cookie no node could know the session
		}
		home := who.Who(canaries[i].Holder())
		at := slices.IndexFunc(serving, func(n probes.Node) bool { return n.ID == home })
		if at < 0 || len(serving) < 2 {
			return
		}
		others := slices.Concat(serving[at+1:], serving[:at])
		crossings[i] = canaries[i].Cross(ctx, serving[at], others[:min(len(others), maxCrossings)])
	})
	return slices.Concat(crossings...)
}

// walksSoFar are the walks of clients that have come by now. It may be called at any
// time.
func (w *walker) walksSoFar() []probes.Walk {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(w.walks(), func(walk probes.Walk) bool { return len(walk.Steps) == 0 })
}

func (w *walker) walks() []probes.Walk {
	walks := make([]probes.Walk, len(w.canaries))
	for i, c := range w.canaries {
		walks[i] = c.Walk()
	}
	return walks
}

// sideBySide runs n pieces at once, as far as there are slots.
func (w *walker) sideBySide(n int, piece func(i int)) {
	var wg panics.Group
	for i := range n {
		w.slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-w.slots }()
			piece(i)
		})
	}
	wg.Wait()
}
