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

// A traceDriver sends clients through one address of a balancer until it is known which nodes
// the address routes to, and whether sessions are sticky.
type traceDriver struct {
	*Prober
	cluster     *probes.Cluster
	frontend    probes.Frontend
	next        probes.Frontend // another address to which its clients may be led; zero: none
	connections chan struct{}   // bounds the open connections
	logins      *roundLogins
	until       time.Time // when no client starts a second follow-up any more; zero: never
	scatters    bool      // new clients of several addresses are known to meet several nodes

	mu       sync.Mutex
	canaries []*probes.Canary
}

// A traceResult is the result of a traceDriver.
type traceResult struct {
	traces         []probes.Trace
	failoverChecks []probes.FailoverCheck
	addressChecks  []probes.AddressCheck
	canaries       []*probes.Canary // have a session and sent follow-ups
}

const (
	// maxConnections bounds the parallel connections of one round to one address.
	maxConnections = 32
	// maxFailoverChecks bounds the nodes that one session is presented to directly.
	maxFailoverChecks = 3
)

func (p *Prober) newTraceDriver(c *probes.Cluster, frontend probes.Frontend) *traceDriver {
	return &traceDriver{Prober: p, cluster: c, frontend: frontend, connections: make(chan struct{}, maxConnections)}
}

// run opens clients, waits for the direct probes of the nodes, opens more clients as needed,
// and sends follow-ups of one canary for each node.
func (t *traceDriver) run(ctx context.Context, direct func() []probes.NodeObservation) traceResult {
	t.openClients(ctx, t.initialClients())
	nodes := direct()
	identity := checks.Identify(t.cluster, nodes)
	eligible := checks.Eligible(t.cluster, nodes)
	if t.cluster.Session == nil {
		return traceResult{traces: t.traces()}
	}
	t.openMissing(ctx, identity, eligible)
	if t.cluster.Session.Policy == probes.PolicyNone {
		return traceResult{traces: t.traces()}
	}
	canaries := t.selectCanaries(identity)
	in := t.logIn(ctx, canaries, identity)
	t.storeCounters(ctx, canaries)
	t.sendFollowUps(ctx, canaries, identity, eligible)
	t.followLeavers(ctx, canaries, identity, eligible)
	addressChecks := t.checkAddress(ctx, in, identity)
	failoverChecks := t.checkFailover(ctx, in, identity, eligible)
	return traceResult{traces: t.traces(), failoverChecks: failoverChecks, addressChecks: addressChecks, canaries: in}
}

// late reports whether the nodes are so slow that the next round is due.
func (t *traceDriver) late() bool { return !t.until.IsZero() && !time.Now().Before(t.until) }

// initialClients returns the clients that start before the state of the nodes is known.
func (t *traceDriver) initialClients() []client {
	if t.cluster.Balancer.HashesClients() || t.cluster.Session == nil {
		return targetedClients(t.cluster)
	}
	return make([]client, len(checks.Eligible(t.cluster, nil)))
}

// openMissing sends more clients for nodes that have not answered any. Under a hash, it sends
// a second client to each healthy node that did not answer the first one. Otherwise it sends
// new clients until every eligible node has answered or chance is excluded.
func (t *traceDriver) openMissing(ctx context.Context, identity checks.Identity, eligible []probes.Node) {
	if t.cluster.Balancer.HashesClients() {
		answered := t.answeredBy(identity)
		t.openClients(ctx, slices.DeleteFunc(nthTargetedClients(t.cluster, 1), func(c client) bool {
			isEligible := slices.ContainsFunc(eligible, func(n probes.Node) bool { return n.ID == c.targetNode })
			return answered[c.targetNode] || !isEligible || len(answered) == 0
		}))
		return
	}
	for {
		answered := t.answeredBy(identity)
		missing := slices.DeleteFunc(t.nodesToFind(eligible), func(n probes.Node) bool { return answered[n.ID] })
		more := t.maxNewClients(missing, eligible, len(answered)) - len(t.canaries)
		if len(missing) == 0 || len(answered) == 0 || more <= 0 || ctx.Err() != nil || t.failedWait() >= maxFailedWait {
			return
		}
		t.openClients(ctx, make([]client, min(more, max(1, len(eligible)))))
	}
}

// maxFailedWait is the total wait of failed new clients after which no more are sent to find
// missing nodes.
const maxFailedWait = 3 * time.Second

// failedWait returns how long new clients have waited for failed requests in total.
func (t *traceDriver) failedWait() (waited time.Duration) {
	for _, c := range t.canaries {
		if first := c.First(); !first.OK() {
			waited += first.Timing.Total
		}
	}
	return waited
}

// nodesToFind returns the nodes that new clients look for: all eligible nodes, and the others
// as well until a client fails, to find out whether the balancer still routes clients to them.
func (t *traceDriver) nodesToFind(eligible []probes.Node) []probes.Node {
	if slices.ContainsFunc(t.canaries, func(c *probes.Canary) bool { return !c.First().OK() }) {
		return slices.Clone(eligible)
	}
	return checks.Eligible(t.cluster, nil)
}

// maxNewClients returns how many new clients exclude chance for the missing node with the
// smallest share. It uses two samples of the size that one test needs, so that the probability
// of a wrong ejection is about one in a million. It uses one sample if no conclusion depends
// on it.
func (t *traceDriver) maxNewClients(missing, eligible []probes.Node, answered int) int {
	inconclusive := t.cluster.Balancer.Method == probes.MethodLeastConn ||
		(t.cluster.Balancer.Method == probes.MethodUnknown && answered == 1 && !t.scatters)
	need := 0
	for _, n := range missing {
		if inconclusive || !slices.ContainsFunc(eligible, func(s probes.Node) bool { return s.ID == n.ID }) {
			need = max(need, checks.NewClients(checks.Share(n, checks.Eligible(t.cluster, nil)), t.confidence()))
		} else {
			need = max(need, checks.ClientsToMiss(t.cluster, n, t.confidence()))
		}
	}
	return min(need, checks.MaxNewClients)
}

// openClients opens clients in parallel. The very first client from this machine's own address
// starts alone: a balancer with a table of client addresses learns the address from it, and
// could map parallel first requests to different nodes. Of several first clients with keys, the
// last one waits for an answer to another, because a cache that gives one client's session to
// the next one is visible only after an answer.
func (t *traceDriver) openClients(ctx context.Context, clients []client) {
	clients = t.withSyntheticAddresses(clients)
	done := t.counter(t.cluster, "clients", len(clients))
	openClient := func(c client) {
		canary := t.newClient(c)
		t.mu.Lock()
		t.canaries = append(t.canaries, canary)
		t.mu.Unlock()
		canary.Visit(ctx)
		done()
	}
	last := -1
	switch {
	case len(t.canaries) > 0 || len(clients) == 0:
	case clients[0].key == "":
		openClient(clients[0])
		clients = clients[1:]
	case len(clients) > 1:
		last = len(clients) - 1
	}
	answered := make(chan struct{}, len(clients))
	t.runParallel(len(clients), func(i int) {
		if i == last {
			await(ctx, answered, maxWaitForCache)
		}
		openClient(clients[i])
		answered <- struct{}{}
	})
}

// maxWaitForCache bounds how long a new client waits for the answer to another one.
const maxWaitForCache = time.Second

// await waits until something is received, at most for d.
func await(ctx context.Context, c <-chan struct{}, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-c:
	case <-ctx.Done():
	}
}

// newClient returns a client that has not sent a request.
func (t *traceDriver) newClient(c client) *probes.Canary {
	if c.counterBase == 0 {
		c.counterBase = t.nextCounterBase()
	}
	return probes.NewCanary(t.cluster, t.frontend, c.key, c.targetNode, c.counterBase)
}

// withSyntheticAddresses assigns an address to each client without a key, if the balancer
// takes addresses from a header. Otherwise a balancer with a table of client addresses would
// treat all of them as one client. The addresses are consecutive from a random one on: a balancer that takes
// them modulo the number of its nodes gives each node some, and when that number changes, it does not move the clients
// of earlier rounds all or none.
func (t *traceDriver) withSyntheticAddresses(clients []client) []client {
	if t.cluster.Balancer.HashesClients() || t.cluster.Balancer.ClientIPHeader == "" || t.cluster.Session == nil {
		return clients
	}
	t.opened.Add(rand.Int64N(maxAddressesSkipped))
	out := slices.Clone(clients)
	for i := range out {
		if out[i].key == "" {
			out[i].counterBase = t.nextCounterBase()
			out[i].key = syntheticAddress(out[i].counterBase / 1000).String()
		}
	}
	return out
}

// maxAddressesSkipped makes the first address random modulo each number of nodes up to six.
const maxAddressesSkipped = 60

// syntheticAddress returns the address of the nth client, in the range that RFC 2544 reserves
// for benchmarks. Consecutive addresses differ in their networks, for hashes of networks, and
// in the last byte, for hashes that use the address modulo the number of nodes.
func syntheticAddress(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + n/256%2), byte(n % 256), byte(1 + (n+n/512)%254)})
}

// answeredBy returns the nodes that have answered new clients.
func (t *traceDriver) answeredBy(identity checks.Identity) map[string]bool {
	answered := make(map[string]bool)
	for _, c := range t.canaries {
		if first := c.First(); first.OK() {
			if id := identity.NodeOf(first.Label); id != "" {
				answered[id] = true
			}
		}
	}
	return answered
}

// selectCanaries selects the clients that become canaries: targeted clients, and else the
// first client of each node. If responses do not identify their node, a few clients are enough
// to check whether sessions survive.
func (t *traceDriver) selectCanaries(identity checks.Identity) []*probes.Canary {
	const maxUnlabelled = 3
	taken := make(map[string]int)
	var chosen []*probes.Canary
	for _, c := range t.canaries {
		trace := c.Trace()
		if !trace.First().OK() {
			continue
		}
		owner := identity.NodeOf(trace.First().Label)
		limit := 1
		if owner == "" {
			limit = maxUnlabelled
		}
		if trace.TargetNode != "" || taken[owner] < limit {
			taken[owner]++
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// storeCounters writes the counter twice, so that a stale copy of the session can be
// distinguished from a lost one. The canary that came last is the first: in the order in which
// they came, a round robin would give each its own node again.
func (t *traceDriver) storeCounters(ctx context.Context, canaries []*probes.Canary) {
	if t.cluster.Session.Write == "" {
		return
	}
	t.runParallel(len(canaries), func(i int) {
		canary := canaries[len(canaries)-1-i]
		if canary.Write(ctx).Failure != probes.FailureTimeout {
			canary.Write(ctx)
		}
	})
}

// sendFollowUps sends as many follow-ups of each canary as exclude chance. They run in
// parallel within the request budget, in a random order: in lockstep, they could make a round
// robin look sticky. A session that was renamed is followed again under its new names, one
// request after the other in a random order, and so is a client whose answers are split over nodes.
func (t *traceDriver) sendFollowUps(ctx context.Context, canaries []*probes.Canary, identity checks.Identity, eligible []probes.Node) {
	answered := t.answeredBy(identity)
	needed := func(c *probes.Canary) int {
		chance := checks.ChanceOfStaying(identity.NodeOf(c.First().Label), eligible, answered)
		return min(checks.FollowUps(chance, t.confidence()), checks.MaxFollowUps)
	}
	var followUps, all []*probes.Canary
	for _, c := range canaries {
		all = append(all, slices.Repeat([]*probes.Canary{c}, needed(c))...)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, c := range all {
		if !c.Trace().Renews {
			followUps = append(followUps, c)
		}
	}
	done := t.counter(t.cluster, "follow-ups", len(followUps))
	var wg panics.Group
	followed := make(map[*probes.Canary]bool)
	for _, c := range followUps {
		if hung(c) || followed[c] && t.late() { // a second request would hang as well
			done()
			continue
		}
		followed[c] = true
		t.connections <- struct{}{}
		follow := c.AwaitFollow(ctx) // called here, so that requests start in this order
		wg.Go(func() {
			defer func() { <-t.connections }()
			follow()
			done()
		})
	}
	wg.Wait()
	for _, c := range all {
		if c.Trace().Renamed() && !t.late() {
			c.Return(ctx)
		}
	}
	t.runParallel(len(canaries), func(i int) {
		for n := needed(canaries[i]); n > 0 && t.splitOverNodes(canaries[i], identity) && !t.late(); n-- {
			canaries[i].Follow(ctx)
		}
	})
}

// followLeavers opens and follows another client of each node whose canary was answered by other nodes from
// its second request on. One may have met an event; if the next one leaves as well, each client does. It
// looks for that client only as long as openMissing waits for failed ones: a node that has just failed gets none.
func (t *traceDriver) followLeavers(ctx context.Context, canaries []*probes.Canary, identity checks.Identity, eligible []probes.Node) {
	if t.cluster.Balancer.HashesClients() || t.cluster.Session.Policy == probes.PolicyShared {
		return
	}
	left, tries := make(map[string]bool), 0
	for _, n := range eligible {
		if slices.ContainsFunc(canaries, func(c *probes.Canary) bool {
			return identity.NodeOf(c.First().Label) == n.ID && leftItsNode(c, identity)
		}) {
			left[n.ID], tries = true, max(tries, checks.ClientsToMiss(t.cluster, n, t.confidence()))
		}
	}
	began := time.Now()
	for range min(tries, checks.MaxNewClients) {
		if len(left) == 0 || ctx.Err() != nil || time.Since(began) >= maxFailedWait {
			return
		}
		t.openClients(ctx, make([]client, 1))
		c := t.canaries[len(t.canaries)-1]
		if node := identity.NodeOf(c.First().Label); left[node] {
			c.Follow(ctx)
			delete(left, node)
		}
	}
}

// leftItsNode reports whether other nodes answered all follow-ups of a client.
func leftItsNode(c *probes.Canary, identity checks.Identity) bool {
	owner, left := identity.NodeOf(c.First().Label), false
	for _, s := range c.Trace().Steps[1:] {
		switch node := identity.NodeOf(s.Label); {
		case !s.OK() || node == "":
		case node == owner:
			return false
		default:
			left = true
		}
	}
	return left
}

// hung reports whether a request of a client has timed out.
func hung(c *probes.Canary) bool {
	return slices.ContainsFunc(c.Trace().Steps, func(s probes.Step) bool { return s.Failure == probes.FailureTimeout })
}

// splitOverNodes reports whether several nodes answered a client that a hash should map to
// one. Sequential requests then show whether a node left or parts of the balancer disagree.
func (t *traceDriver) splitOverNodes(c *probes.Canary, identity checks.Identity) bool {
	answered := make(map[string]bool)
	for _, s := range c.Trace().Steps {
		if id := identity.NodeOf(s.Label); s.OK() && id != "" {
			answered[id] = true
		}
	}
	return t.cluster.Balancer.HashesClients() && len(answered) > 1
}

// checkAddress presents the session of each canary at the next address of the balancer. Under
// the shared policy, any node may answer there.
func (t *traceDriver) checkAddress(ctx context.Context, canaries []*probes.Canary, identity checks.Identity) []probes.AddressCheck {
	if !t.next.Address.IsValid() {
		return nil
	}
	list := make([]probes.AddressCheck, len(canaries))
	t.runParallel(len(canaries), func(i int) {
		list[i].Void = true
		if hung(canaries[i]) || len(canaries[i].First().Rejected) > 0 {
			return
		}
		owner := identity.NodeOf(canaries[i].Holder())
		at := slices.IndexFunc(t.cluster.Nodes, func(n probes.Node) bool { return n.ID == owner })
		if at < 0 || t.cluster.Session.Policy == probes.PolicyShared {
			list[i] = canaries[i].CheckAddress(ctx, probes.Node{}, t.next, identity.NodeOf)
			return
		}
		list[i] = canaries[i].CheckAddress(ctx, t.cluster.Nodes[at], t.next, identity.NodeOf)
	})
	return list
}

// nextAddress returns the next address of b to which clients of the ith one may be led; zero: none.
func nextAddress(b probes.Balancer, all []probes.Frontend, i int) probes.Frontend {
	for _, other := range slices.Concat(all[i+1:], all[:i]) {
		if b.Leads(all[i], other) {
			return other
		}
	}
	return probes.Frontend{}
}

// voidedFor is how long a cluster is not checked after checks that were all void: where nodes end
// a session that is presented directly, each check costs one and shows nothing.
const voidedFor = 10 * time.Minute

// checkFailover presents the session of each canary to the nodes after its owner, if the
// policy requires that they know it.
func (t *traceDriver) checkFailover(ctx context.Context, canaries []*probes.Canary, identity checks.Identity, eligible []probes.Node) []probes.FailoverCheck {
	policy := t.cluster.Session.Policy
	if policy != probes.PolicyShared && policy != probes.PolicyReplicated {
		return nil
	}
	if at, voided := t.voided.Load(t.cluster); voided && time.Since(at.(time.Time)) < voidedFor {
		return nil
	}
	failoverChecks := make([][]probes.FailoverCheck, len(canaries))
	done := t.counter(t.cluster, "failover readiness", len(canaries))
	t.runParallel(len(canaries), func(i int) {
		defer done()
		if len(canaries[i].First().Rejected) > 0 {
			return // no node can know the session without its cookie
		}
		owner := identity.NodeOf(canaries[i].Holder())
		at := slices.IndexFunc(eligible, func(n probes.Node) bool { return n.ID == owner })
		if at < 0 || len(eligible) < 2 {
			return
		}
		others := slices.Concat(eligible[at+1:], eligible[:at])
		failoverChecks[i] = canaries[i].CheckFailover(ctx, eligible[at], others[:min(len(others), maxFailoverChecks)])
	})
	all := slices.Concat(failoverChecks...)
	if len(all) > 0 && !slices.ContainsFunc(all, func(c probes.FailoverCheck) bool { return !c.Void }) {
		t.voided.Store(t.cluster, time.Now())
	}
	return all
}

// tracesSoFar returns the traces of clients that have sent a request. It may be called at any
// time.
func (t *traceDriver) tracesSoFar() []probes.Trace {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(t.traces(), func(trace probes.Trace) bool { return len(trace.Steps) == 0 })
}

func (t *traceDriver) traces() []probes.Trace {
	traces := make([]probes.Trace, len(t.canaries))
	for i, c := range t.canaries {
		traces[i] = c.Trace()
	}
	return traces
}

// runParallel runs n tasks in parallel, bounded by the open connections.
func (t *traceDriver) runParallel(n int, task func(i int)) {
	var wg panics.Group
	for i := range n {
		t.connections <- struct{}{}
		wg.Go(func() {
			defer func() { <-t.connections }()
			task(i)
		})
	}
	wg.Wait()
}
