package monitor

import (
	"context"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

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
