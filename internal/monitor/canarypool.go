package monitor

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A canaryPool is the canaries of a cluster that live on over rounds: at each
// address of the balancer one for every node.
type canaryPool struct {
	canaries        []*pooledCanary
	idle            []*idleCanary
	missedFollowUps map[string]int // visits since a node last answered one, by node id
}

// A pooledCanary is a canary and where it lives.
type pooledCanary struct {
	*probes.Canary
	slot     slot
	owner    string // the node that holds its session, as the last whole round knew it
	identity checks.Identity
}

// A slot is what a canary is kept for.
type slot struct {
	balancer netip.AddrPort
	node     string // that it was aimed at, or that opened its session
}

// traces are what the canaries have been through since the last whole round.
func (f *canaryPool) traces() []probes.Trace {
	var list []probes.Trace
	for _, b := range f.canaries {
		list = append(list, b.Trace())
	}
	for _, c := range f.idle {
		list = append(list, c.Trace())
	}
	return list
}

// each runs a piece for every canary, side by side.
func (f *canaryPool) each(task func(*pooledCanary)) {
	var wg panics.Group
	for _, b := range f.canaries {
		wg.Go(func() { task(b) })
	}
	wg.Wait()
}

// runRound takes every canary through a round, but for those that the visit before
// it still waits for: it returns, writes, and returns to see what became of that.
func (f *canaryPool) runRound(ctx context.Context, before *visit) {
	f.each(func(b *pooledCanary) {
		if before.waitsFor(b) || !b.Return(ctx).OK() {
			return // to wait for a node that hangs once is enough
		}
		if ex := b.Write(ctx); ex.Path != "" {
			b.Return(ctx)
		}
	})
	f.followUpIdle(ctx, f.dueIdle(), func(*pooledCanary, probes.Exchange) {})
}

// comeBackAgain lets every canary that has not been kept waiting return once more.
func (f *canaryPool) comeBackAgain(ctx context.Context) {
	f.each(func(b *pooledCanary) {
		if !hung(b.Canary) {
			b.Return(ctx)
		}
	})
}

// evaluate tells what the canaries were answered, and reports whether some of that
// is not what the last report leads to expect, and whether a client was harmed.
func (f *canaryPool) evaluate(answers map[*pooledCanary]probes.Exchange, last checks.Report, o Observer) (suspicious, harmed bool) {
	for b, ex := range answers {
		f.reportProbe(b, last.Cluster, ex, o)
		request := b.request(ex, last)
		o.Requested(request)
		harmed = harmed || request.Outcome.Harmful()
		suspicious = suspicious || f.unexpected(b, ex, last)
	}
	return suspicious, harmed
}

// request is the newest request of a canary with what it came to.
func (b *pooledCanary) request(ex probes.Exchange, last checks.Report) checks.Request {
	trace := b.Trace()
	return checks.Request{
		Cluster: last.Cluster, Balancer: checks.BalancerName(trace.URL, trace.Balancer), Node: b.identity.NodeOf(trace.OpenedBy), Session: trace.First().Session,
		At: ex.At, Latency: ex.Timing.Total, Outcome: last.OutcomeOf(trace, len(trace.Steps)-1, b.identity),
	}
}

// unexpected reports whether a canary's answer is news.
func (f *canaryPool) unexpected(b *pooledCanary, ex probes.Exchange, last checks.Report) bool {
	if !ex.OK() {
		return true
	}
	trace := b.Trace()
	switch trace.SessionOutcome(len(trace.Steps) - 1) {
	case probes.SessionLost, probes.SessionStale:
		return true
	}
	node := b.identity.NodeOf(ex.Label)
	if last.Session.Policy != probes.PolicyShared && node != b.owner {
		return true
	}
	return slices.ContainsFunc(last.Nodes, func(n checks.NodeReport) bool { return n.Node == node && n.InRotation == checks.No })
}

// A missLimit is how many visits in a row may meet a node not at all, of so many
// canaries each.
type missLimit func(node string, canaries int) int

// nodeMissing reports whether a node that was in rotation has answered none of the
// canaries for longer than chance lets one expect. Where sessions stick, a
// canary of its own would have shown that.
func (f *canaryPool) nodeMissing(answers map[*pooledCanary]probes.Exchange, last checks.Report, maxMisses missLimit) (suspicious bool) {
	if len(f.canaries) == 0 || last.Session.Policy != probes.PolicyShared {
		return false
	}
	if f.missedFollowUps == nil {
		f.missedFollowUps = make(map[string]int)
	}
	met := make(map[string]bool)
	for b, ex := range answers {
		met[b.identity.NodeOf(ex.Label)] = true
	}
	for _, n := range last.Nodes {
		switch {
		case met[n.Node], n.InRotation != checks.Yes:
			delete(f.missedFollowUps, n.Node)
		default:
			f.missedFollowUps[n.Node]++
			suspicious = suspicious || f.missedFollowUps[n.Node] >= maxMisses(n.Node, len(f.canaries))
		}
	}
	return suspicious
}

// clients are the clients themselves.
func (f *canaryPool) clients() []*probes.Canary {
	var list []*probes.Canary
	for _, b := range f.canaries {
		list = append(list, b.Canary)
	}
	for _, c := range f.idle {
		list = append(list, c.Canary)
	}
	return list
}

// renew ends a round: it lets canaries go that have lost their session or are
// of age, and keeps of the fresh ones those whose perch is free. At most one a
// round goes because of its age: a flock opened at once is renewed in turns.
func (f *canaryPool) renew(identity checks.Identity, fresh []*probes.Canary, age time.Duration) {
	clear(f.missedFollowUps) // what they have not met, newcomers have looked for
	f.renewIdle(identity, age)
	renewed := false
	f.canaries = slices.DeleteFunc(f.canaries, func(b *pooledCanary) bool {
		if !b.StartNextRound() {
			return true
		}
		b.owner, b.identity = identity.NodeOf(b.Trace().First().Label), identity
		old := !renewed && time.Since(b.Opened()) > age && slices.ContainsFunc(fresh, func(c *probes.Canary) bool {
			return slotOf(c, identity) == b.slot
		})
		renewed = renewed || old
		return old
	})
	for _, c := range fresh {
		at := slotOf(c, identity)
		taken := slices.ContainsFunc(f.canaries, func(b *pooledCanary) bool { return b.slot == at })
		if !taken && at.node != "" && c.StartNextRound() {
			f.canaries = append(f.canaries, &pooledCanary{Canary: c, slot: at, owner: identity.NodeOf(c.Trace().First().Label), identity: identity})
		}
	}
}

func slotOf(c *probes.Canary, identity checks.Identity) slot {
	trace := c.Trace()
	if trace.Expected != "" {
		return slot{trace.Balancer, trace.Expected}
	}
	return slot{trace.Balancer, identity.NodeOf(trace.First().Label)}
}

// reportTraces reports what the canaries met in a round that has just been judged.
func (f *canaryPool) reportTraces(r checks.Round, o Observer) {
	for _, b := range f.canaries {
		for _, s := range b.Trace().Steps {
			if !s.At.Before(r.Started) {
				f.reportProbe(b, r.Cluster.Name, s.Exchange, o)
			}
		}
	}
}

func (f *canaryPool) reportProbe(b *pooledCanary, cluster string, ex probes.Exchange, o Observer) {
	o.Probed(Probe{checks.Target{Cluster: cluster, Kind: checks.TargetCanary, Name: b.slot.node}, "canary", ex})
}

// exportedCanaries is what may be known of the canaries.
func (f *canaryPool) exportedCanaries() []Canary {
	var list []Canary
	for _, b := range f.canaries {
		trace := b.Trace()
		list = append(list, Canary{
			Node: b.owner, Balancer: trace.URL, Client: trace.Client, Session: trace.First().Session, Opened: b.Opened(),
		})
	}
	return list
}

// An idleCanary is a client that pauses between two requests, as people do: it
// notices a session that is thrown away while nobody uses it.
type idleCanary struct {
	*pooledCanary
	idleTime time.Duration
	last     time.Time // when its newest request began
}

// assumedTimeout is how long an application keeps an unused session, if the
// configuration does not say.
const assumedTimeout = 30 * time.Minute

// idleTimes are for how long idle canaries pause. None pauses for as long as the
// application keeps a session.
func idleTimes(c *probes.Cluster) []time.Duration {
	if c.Session == nil || c.Session.Policy == probes.PolicyNone {
		return nil
	}
	timeout := sessionTimeout(c)
	list := []time.Duration{30 * time.Second, 5 * time.Minute, timeout / 2}
	list = slices.DeleteFunc(list, func(d time.Duration) bool { return d >= timeout || d > timeout/2 })
	slices.Sort(list)
	return slices.Compact(list)
}

// dueIdle are the idle canaries whose pause has passed.
func (f *canaryPool) dueIdle() []*idleCanary {
	return slices.DeleteFunc(slices.Clone(f.idle), func(c *idleCanary) bool { return time.Since(c.last) < c.idleTime })
}

// followUpIdle lets idle canaries come back once, and reports each answer.
func (f *canaryPool) followUpIdle(ctx context.Context, due []*idleCanary, answered func(*pooledCanary, probes.Exchange)) {
	var wg panics.Group
	for _, c := range due {
		c.last = time.Now()
		wg.Go(func() { answered(c.pooledCanary, c.Return(ctx)) })
	}
	wg.Wait()
}

// renewIdle ends a round for the idle canaries: those that have lost their
// session go, and so do those of age.
func (f *canaryPool) renewIdle(identity checks.Identity, age time.Duration) {
	f.idle = slices.DeleteFunc(f.idle, func(c *idleCanary) bool {
		if !c.StartNextRound() {
			return true
		}
		c.owner, c.identity = identity.NodeOf(c.Trace().First().Label), identity
		return time.Since(c.Opened()) > age+2*c.idleTime
	})
}

// dropIdle lets the idle canaries go that were opened after a moment.
func (f *canaryPool) dropIdle(moment time.Time) {
	f.idle = slices.DeleteFunc(f.idle, func(c *idleCanary) bool { return c.Opened().After(moment) })
}

// addIdleCanaries opens an idle canary for each pause that has none, one at every call, at
// the addresses of the balancer in turns.
func (w *Watcher) addIdleCanaries(ctx context.Context, identity checks.Identity) {
	for i, pause := range idleTimes(w.cluster) {
		if slices.ContainsFunc(w.canaryPool.idle, func(c *idleCanary) bool { return c.idleTime == pause }) {
			continue
		}
		frontends := slices.DeleteFunc(probes.Resolve(ctx, w.cluster), func(e probes.Frontend) bool { return !e.Address.IsValid() })
		if len(frontends) == 0 {
			return
		}
		client := aimAt(w.cluster, w.cluster.Nodes[i%len(w.cluster.Nodes)].ID, i)
		canary := probes.NewCanary(w.cluster, frontends[i%len(frontends)], client.key, client.targetNode, w.prober.nextCounterBase())
		canary.Open(ctx)
		canary.Write(ctx)
		canary.Write(ctx) // an older copy of a session with one value holds none, as a new session does
		if ctx.Err() != nil || !canary.StartNextRound() {
			continue
		}
		b := &pooledCanary{Canary: canary, slot: slotOf(canary, identity), owner: identity.NodeOf(canary.Trace().First().Label), identity: identity}
		w.canaryPool.idle = append(w.canaryPool.idle, &idleCanary{pooledCanary: b, idleTime: pause, last: time.Now()})
	}
}
