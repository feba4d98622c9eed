package monitor

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// A canaryPool is the set of canaries of a cluster that persist over rounds: one for each node
// at each address of the balancer, the idle ones, and a reserve.
type canaryPool struct {
	canaries        []*pooledCanary
	idle            []*idleCanary
	reserve         []*pooledCanary
	reserved        int                // size of the reserve
	followUps       int                // number of follow-ups so far
	toLeaveOut      int                // requests of canaries that address checks have replaced
	missedFollowUps map[string]int     // consecutive follow-ups without an answer of a node, by node id
	vacated         map[slot]time.Time // when the last canary of a slot was removed because it had lost its session
	addresses       Addresses          // of the balancer
}

// A pooledCanary is a canary and its slot in the pool.
type pooledCanary struct {
	*probes.Canary
	slot      slot
	ownerNode string // node that holds the session, as of the last full round
	wroteIn   int    // number of the follow-up in which it stored a value last
	settled   bool   // one node gave all answers between the last two full rounds
	identity  checks.Identity
}

// identify sets the node that holds the session, by the names that nodes have now.
func (c *pooledCanary) identify(identity checks.Identity) {
	c.ownerNode, c.identity = identity.NodeOf(c.First().Label), identity
}

// metOneNode reports whether one node gave all answers since the last full round.
func (c *pooledCanary) metOneNode() bool {
	steps := c.Trace().Steps
	return !slices.ContainsFunc(steps, func(s probes.Step) bool { return s.Label != "" && s.Label != steps[0].Label })
}

// A slot is a position in the pool. It holds one canary.
type slot struct {
	balancer netip.AddrPort
	node     string // target node of the canary, or the node that opened its session; "": one that is not listed
}

// traces returns the requests of every canary since the last full round, without those whose
// address has left.
func (p *canaryPool) traces() []probes.Trace {
	var list []probes.Trace
	add := func(canary *pooledCanary) {
		if !p.hasLeft(canary) {
			list = append(list, canary.Trace())
		}
	}
	for _, canary := range p.canaries {
		add(canary)
	}
	for _, c := range p.idle {
		add(c.pooledCanary)
	}
	for _, canary := range p.reserve {
		add(canary)
	}
	return list
}

// startGap separates the requests of canaries, so that they arrive in the order of the pool.
const startGap = 2 * time.Millisecond

// each runs a task for every canary of a list in parallel.
func each[C any](ctx context.Context, canaries []C, task func(i int, b C)) {
	var wg panics.Group
	for i, b := range canaries {
		if i > 0 {
			sleep.For(ctx, startGap)
		}
		wg.Go(func() { task(i, b) })
	}
	wg.Wait()
}

// runRound sends the requests of a full round: each canary returns, writes, and returns to
// check the written value. It skips canaries that still wait for a response in the follow-up
// before. The reserve returns once if returnReserve is set. Until the rest of the round has been asked,
// canaries return again, so that whatever happens during a long round is noticed.
func (p *canaryPool) runRound(ctx context.Context, before *followUpBatch, returnReserve bool, asked <-chan struct{}, every time.Duration) {
	var wg panics.Group
	if returnReserve {
		wg.Go(func() {
			each(ctx, p.reserve, func(_ int, canary *pooledCanary) {
				if !before.waitsFor(canary) {
					canary.Return(ctx)
				}
			})
		})
	}
	for _, c := range p.dueIdle() {
		c.last = time.Now()
		wg.Go(func() { c.Return(ctx) })
	}
	each(ctx, p.canaries, func(_ int, canary *pooledCanary) {
		if !before.waitsFor(canary) && canary.Return(ctx).OK() { // else do not wait twice for a node that hangs
			if ex := canary.Write(ctx); ex.Path != "" {
				canary.Return(ctx)
			}
		}
		for range returnsUntil(ctx, canary, p.reserve, asked, every) {
		}
	})
	wg.Wait()
}

// evaluate reports the responses of the canaries to the observer. It returns whether a
// response differs from the last report, and whether a client was harmed.
func (p *canaryPool) evaluate(answers map[*pooledCanary]probes.Exchange, last checks.Report, o Observer) (suspicious, harmed bool) {
	for c, ex := range answers {
		p.reportProbe(c, last.Cluster, ex, o)
		request := c.request(ex, last)
		o.Requested(request)
		harmed = harmed || request.Outcome.Harmful()
		suspicious = suspicious || p.unexpected(c, ex, last)
	}
	return suspicious, harmed
}

// stepOf returns the index of a request in the trace of its canary, which may have sent others since.
func stepOf(ex probes.Exchange, trace probes.Trace) int {
	if i := slices.IndexFunc(trace.Steps, func(s probes.Step) bool { return s.At.Equal(ex.At) }); i >= 0 {
		return i
	}
	return len(trace.Steps) - 1
}

// request returns a request of a canary with its outcome.
func (c *pooledCanary) request(ex probes.Exchange, last checks.Report) checks.Request {
	trace := c.Trace()
	return checks.Request{
		Cluster: last.Cluster, Balancer: checks.BalancerName(trace.URL, trace.Balancer), Node: c.identity.NodeOf(trace.OpenerLabel), Served: c.identity.NodeOf(ex.Label), Canary: true,
		Session: trace.First().Session, At: ex.At, Latency: ex.Timing.Total, Outcome: last.OutcomeOf(trace, stepOf(ex, trace), c.identity),
	}
}

// unexpected reports whether a canary's response differs from the last report.
func (p *canaryPool) unexpected(c *pooledCanary, ex probes.Exchange, last checks.Report) bool {
	if !ex.OK() || ex.CookieEnded() {
		return true // a full round opens another session
	}
	trace := c.Trace()
	switch trace.SessionOutcome(stepOf(ex, trace)) {
	case probes.SessionLost, probes.SessionStale:
		return true
	}
	node := c.identity.NodeOf(ex.Label)
	if last.Session.Policy != probes.PolicyShared && node != c.ownerNode {
		return true
	}
	return slices.ContainsFunc(last.Nodes, func(n checks.NodeReport) bool { return n.Node == node && n.InRotation == checks.No })
}

// A missLimit returns how many consecutive follow-ups of so many canaries a node may leave
// unanswered.
type missLimit func(node string, canaries int) int

// countMisses counts the follow-ups that missed each node, and reports whether a node in
// rotation has answered no canary for longer than chance explains. It applies to the shared
// policy only: under other policies, each node has a canary of its own that fails.
func (p *canaryPool) countMisses(answers map[*pooledCanary]probes.Exchange, last checks.Report, maxMisses missLimit) (suspicious bool) {
	if len(p.canaries) == 0 || last.Session.Policy != probes.PolicyShared {
		return false
	}
	if p.missedFollowUps == nil {
		p.missedFollowUps = make(map[string]int)
	}
	answered := make(map[string]bool)
	for c, ex := range answers {
		answered[c.identity.NodeOf(ex.Label)] = true
	}
	for _, n := range last.Nodes {
		switch {
		case answered[n.Node], n.InRotation != checks.Yes:
			delete(p.missedFollowUps, n.Node)
		default:
			p.missedFollowUps[n.Node]++
			suspicious = suspicious || p.missedFollowUps[n.Node] >= maxMisses(n.Node, len(p.canaries))
		}
	}
	return suspicious
}

// clients returns the canaries without their slots.
func (p *canaryPool) clients() []*probes.Canary {
	var list []*probes.Canary
	for _, canary := range p.canaries {
		list = append(list, canary.Canary)
	}
	for _, c := range p.idle {
		list = append(list, c.Canary)
	}
	for _, canary := range p.reserve {
		list = append(list, canary.Canary)
	}
	return list
}

// renew ends a full round. It removes canaries that lost their session or reached the maximum
// age, and adds fresh ones to free slots. At most one canary is removed by age in each round,
// so that a pool that was opened at once is renewed gradually. Canaries of later nodes come first:
// a round robin that has forgotten its clients would give each its own node again if they came in
// the order of the nodes. One canary at each address may be a client of a node that is not listed, whose
// name is one of unlisted.
func (p *canaryPool) renew(c *probes.Cluster, identity checks.Identity, fresh []*probes.Canary, unlisted []string, age time.Duration) {
	if p.vacated == nil {
		p.vacated = make(map[slot]time.Time)
	}
	maps.DeleteFunc(p.vacated, func(_ slot, at time.Time) bool { return time.Since(at) > vacantFor })
	clear(p.missedFollowUps) // the new clients of the full round have looked for these nodes
	p.renewIdle(identity, age)
	p.reserve = slices.DeleteFunc(p.reserve, func(canary *pooledCanary) bool {
		if !canary.StartNextRound() || canary.pause() > reservedFor || time.Since(canary.Opened()) > age {
			return true
		}
		canary.identify(identity)
		return false
	})
	var oldest *pooledCanary // of those with a successor
	p.canaries = slices.DeleteFunc(p.canaries, func(canary *pooledCanary) bool {
		canary.settled = canary.metOneNode()
		if !canary.StartNextRound() {
			p.vacated[canary.slot] = time.Now()
			return true
		}
		canary.identify(identity)
		succeeded := slices.ContainsFunc(fresh, func(f *probes.Canary) bool { return slotOf(f, identity) == canary.slot })
		if succeeded && (oldest == nil || canary.Opened().Before(oldest.Opened())) {
			oldest = canary
		}
		return false
	})
	if oldest != nil && time.Since(oldest.Opened()) > age {
		p.canaries = slices.DeleteFunc(p.canaries, func(canary *pooledCanary) bool { return canary == oldest })
	}
	p.reassign(c, identity, fresh)
	for _, f := range fresh {
		at := slotOf(f, identity)
		taken := p.occupied(at)
		unknown := at.node == "" && !slices.Contains(unlisted, f.First().Label)
		if taken && len(p.reserve) >= p.reserved || unknown || !f.StartNextRound() {
			continue
		}
		canary := &pooledCanary{Canary: f, slot: at}
		canary.identify(identity)
		if taken {
			p.reserve = append(p.reserve, canary)
		} else {
			p.canaries = append(p.canaries, canary)
		}
	}
	position := func(canary *pooledCanary) int {
		return slices.IndexFunc(c.Nodes, func(n probes.Node) bool { return n.ID == canary.slot.node })
	}
	slices.SortStableFunc(p.canaries, func(a, b *pooledCanary) int { return position(b) - position(a) })
}

// The reserve are clients of the latest full rounds, for balancers that may place the clients of
// all nodes anew when one joins or leaves.
// If one of those places clients anew, a canary for each node may happen to keep its node, while
// most users do not. So the reserve takes turns with the canaries.
const (
	reserveSize = 8
	reservedFor = 5 * time.Minute // longest pause of a client in the reserve
)

// reserveOf returns the size of the reserve for a cluster.
func reserveOf(c *probes.Cluster) int {
	if loginOf(c) != nil || c.Balancer.Method != probes.MethodUnknown && c.Balancer.Method != probes.MethodSource || c.Session == nil || c.Session.Policy == probes.PolicyShared || c.Session.Policy == probes.PolicyNone || c.SessionTimeout() < 2*reservedFor {
		return 0
	}
	return reserveSize
}

// reserveTurn returns the clients of the reserve that replace canaries in this follow-up: in every
// second one, each slot's client that has paused longest.
func (p *canaryPool) reserveTurn() map[slot]*pooledCanary {
	if p.followUps%2 != 0 {
		return nil
	}
	return pausedLongest(p.reserve)
}

// pausedLongest returns the client of a reserve that has paused longest, by slot.
func pausedLongest(reserve []*pooledCanary) map[slot]*pooledCanary {
	longest := make(map[slot]*pooledCanary)
	for _, c := range reserve {
		if other := longest[c.slot]; other == nil || c.pause() > other.pause() {
			longest[c.slot] = c
		}
	}
	return longest
}

// pause returns the time since the newest request of a canary.
func (c *pooledCanary) pause() time.Duration {
	steps := c.Trace().Steps
	return time.Since(steps[len(steps)-1].At)
}

// occupied reports whether there is a canary in a slot.
func (p *canaryPool) occupied(s slot) bool {
	return slices.ContainsFunc(p.canaries, func(canary *pooledCanary) bool { return canary.slot == s })
}

func slotOf(c *probes.Canary, identity checks.Identity) slot {
	trace := c.Trace()
	if trace.TargetNode != "" {
		return slot{trace.Balancer, trace.TargetNode}
	}
	return slot{trace.Balancer, identity.NodeOf(trace.First().Label)}
}

// reportTraces reports the canary requests of a round that was just judged.
func (p *canaryPool) reportTraces(r checks.Round, o Observer) {
	for _, c := range p.canaries {
		for _, s := range c.Trace().Steps {
			if !s.At.Before(r.Started) {
				p.reportProbe(c, r.Cluster.Name, s.Exchange, o)
			}
		}
	}
}

// reportProbe reports a request of a canary as a probe of its node. One that is not listed has no history.
func (p *canaryPool) reportProbe(c *pooledCanary, cluster string, ex probes.Exchange, o Observer) {
	if c.slot.node == "" {
		return
	}
	o.Probed(Probe{checks.Target{Cluster: cluster, Kind: checks.TargetCanary, Name: c.slot.node}, ForCanary, ex})
}

// exportedCanaries returns the public data of the canaries.
func (p *canaryPool) exportedCanaries() []CanarySession {
	var list []CanarySession
	for _, c := range p.canaries {
		if c.slot.node != "" {
			list = append(list, CanarySession{Node: c.ownerNode, Session: c.Trace().First().Session, Opened: c.Opened()})
		}
	}
	return list
}

// An idleCanary is a client that pauses between two requests, as people do. It detects
// sessions that the application drops while they are unused.
type idleCanary struct {
	*pooledCanary
	idleTime time.Duration
	index    int       // in the list of idleTimes
	last     time.Time // start of its newest request
}

// idleTimes returns the pauses of the idle canaries. Each is at most half of the session timeout. The
// shortest is that of several, on different nodes: one whose node the balancer forgot may get it again by
// chance. They are no more than can return one at a time after that pause, at one follow-up in each every.
func idleTimes(c *probes.Cluster, every time.Duration) []time.Duration {
	if c.Session == nil || c.Session.Policy == probes.PolicyNone || len(c.Nodes) == 0 {
		return nil
	}
	timeout := c.SessionTimeout()
	list := []time.Duration{30 * time.Second, 5 * time.Minute, timeout / 2}
	list = slices.DeleteFunc(list, func(d time.Duration) bool { return d >= timeout || d > timeout/2 })
	slices.Sort(list)
	list = slices.Compact(list)
	several := min(3, len(c.Nodes), max(1, int(list[0]/max(every, time.Second))))
	return slices.Concat(slices.Repeat(list[:1], several-1), list)
}

// dueIdle returns the idle canaries whose pause has passed, at most one of each pause: the follow-ups of
// active clients beside it show whether the pause matters.
func (p *canaryPool) dueIdle() []*idleCanary {
	due := slices.DeleteFunc(slices.Clone(p.idle), func(c *idleCanary) bool { return time.Since(c.last) < c.idleTime })
	slices.SortFunc(due, func(a, b *idleCanary) int { return cmp.Or(cmp.Compare(a.idleTime, b.idleTime), a.last.Compare(b.last)) })
	return slices.CompactFunc(due, func(a, b *idleCanary) bool { return a.idleTime == b.idleTime })
}

// renewIdle ends a full round for the idle canaries. It removes those that lost their session
// or reached the maximum age.
func (p *canaryPool) renewIdle(identity checks.Identity, age time.Duration) {
	p.idle = slices.DeleteFunc(p.idle, func(c *idleCanary) bool {
		if !c.StartNextRound() {
			return true
		}
		c.identify(identity)
		return time.Since(c.Opened()) > age+2*c.idleTime
	})
}

// dropIdle removes the idle canaries that were opened after a moment.
func (p *canaryPool) dropIdle(moment time.Time) {
	p.idle = slices.DeleteFunc(p.idle, func(c *idleCanary) bool { return c.Opened().After(moment) })
}

// addIdleCanaries opens the idle canaries that are missing. It uses the addresses of the balancer in turn.
func (w *Watcher) addIdleCanaries(ctx context.Context, identity checks.Identity) {
	if w.cluster.LoginStatus().Single || w.cluster.LoginStatus().Problem != "" {
		return // a login would end the session of another canary, or be refused
	}
	var missing []*idleCanary
	for index, pause := range idleTimes(w.cluster, w.intervals.Canary) {
		if !slices.ContainsFunc(w.canaryPool.idle, func(c *idleCanary) bool { return c.index == index && c.idleTime == pause }) {
			missing = append(missing, &idleCanary{idleTime: pause, index: index})
		}
	}
	if len(missing) == 0 {
		return
	}
	frontends := slices.DeleteFunc(probes.Resolve(ctx, w.cluster), func(f probes.Frontend) bool { return !f.Address.IsValid() })
	if len(frontends) == 0 {
		return
	}
	each(ctx, missing, func(_ int, c *idleCanary) {
		t := w.prober.newTraceDriver(w.cluster, frontends[c.index%len(frontends)])
		target := targetedClient(w.cluster, w.cluster.Nodes[c.index%len(w.cluster.Nodes)].ID, c.index)
		canary := t.newClient(t.withSyntheticAddresses([]client{target})[0])
		canary.Open(ctx)
		if canary.Trace().Visitor {
			return // the account may not be used now
		}
		canary.Write(ctx)
		canary.Write(ctx) // a stale copy of a session with one value looks like a new session
		if ctx.Err() == nil && canary.StartNextRound() {
			c.pooledCanary, c.last = &pooledCanary{Canary: canary, slot: slotOf(canary, identity)}, time.Now()
			c.identify(identity)
		}
	})
	for _, c := range missing {
		if c.pooledCanary != nil {
			w.canaryPool.idle = append(w.canaryPool.idle, c)
		}
	}
}

// hasLeft reports whether a canary uses an address that DNS no longer lists, and got no good
// response there at last. While it gets good ones, users with an older answer of DNS do, too, also
// if they lose their sessions.
func (p *canaryPool) hasLeft(c *pooledCanary) bool {
	if !p.addresses.Gone(c.slot.balancer) {
		return false
	}
	steps := c.Trace().Steps
	return len(steps) > 0 && !good(steps[len(steps)-1].Exchange)
}

// good reports whether a response is a page, or leads to one.
func good(ex probes.Exchange) bool { return ex.Failure == "" && ex.Status >= 200 && ex.Status < 400 }

// removeWithoutAddress removes the canaries whose address is gone.
func (p *canaryPool) removeWithoutAddress() {
	p.canaries = slices.DeleteFunc(p.canaries, p.hasLeft)
	p.reserve = slices.DeleteFunc(p.reserve, p.hasLeft)
	p.idle = slices.DeleteFunc(p.idle, func(c *idleCanary) bool { return p.hasLeft(c.pooledCanary) })
}

// disregard discards the failed requests of canaries since a moment. If the impairment lasted
// long, unused sessions may have timed out. That is no lost session, so all canaries are
// dropped.
func (p *canaryPool) disregard(since time.Time, lasted, timeout time.Duration) {
	if lasted >= timeout/2 {
		p.canaries, p.idle, p.reserve = nil, nil, nil
		return
	}
	for _, canary := range slices.Concat(p.canaries, p.reserve) {
		canary.Disregard(since)
	}
	p.idle = slices.DeleteFunc(p.idle, func(c *idleCanary) bool { return c.Disregard(since) })
}
