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
	*bird
	pause time.Duration
	last  time.Time // when its newest request began
}

// assumedTimeout is how long an application keeps an unused session, if the
// configuration does not say.
const assumedTimeout = 30 * time.Minute

// pausesOf are for how long idle canaries pause. None pauses for as long as the
// application keeps a session.
func pausesOf(c *probes.Cluster) []time.Duration {
	if c.Session == nil || c.Session.Policy == probes.PolicyNone {
		return nil
	}
	timeout := sessionTimeout(c)
	list := []time.Duration{30 * time.Second, 5 * time.Minute, timeout / 2}
	list = slices.DeleteFunc(list, func(d time.Duration) bool { return d >= timeout || d > timeout/2 })
	slices.Sort(list)
	return slices.Compact(list)
}

// due are the idle canaries whose pause has passed.
func (f *flock) due() []*idleCanary {
	return slices.DeleteFunc(slices.Clone(f.idle), func(c *idleCanary) bool { return time.Since(c.last) < c.pause })
}

// wake lets idle canaries come back once, and reports each answer.
func (f *flock) wake(ctx context.Context, due []*idleCanary, answered func(*bird, probes.Exchange)) {
	var wg panics.Group
	for _, c := range due {
		c.last = time.Now()
		wg.Go(func() { answered(c.bird, c.Return(ctx)) })
	}
	wg.Wait()
}

// settleIdle ends a round for the idle canaries: those that have lost their
// session go, and so do those of age.
func (f *flock) settleIdle(who checks.Identity, age time.Duration) {
	f.idle = slices.DeleteFunc(f.idle, func(c *idleCanary) bool {
		if !c.Settle() {
			return true
		}
		c.home, c.who = who.Who(c.Walk().First().Label), who
		return time.Since(c.Opened()) > age+2*c.pause
	})
}

// dropIdle lets the idle canaries go that were opened after a moment.
func (f *flock) dropIdle(moment time.Time) {
	f.idle = slices.DeleteFunc(f.idle, func(c *idleCanary) bool { return c.Opened().After(moment) })
}

// fillIdle opens an idle canary for each pause that has none, one at every call, at
// the addresses of the balancer in turns.
func (w *Watcher) fillIdle(ctx context.Context, who checks.Identity) {
	for i, pause := range pausesOf(w.cluster) {
		if slices.ContainsFunc(w.flock.idle, func(c *idleCanary) bool { return c.pause == pause }) {
			continue
		}
		entrances := slices.DeleteFunc(probes.Resolve(ctx, w.cluster), func(e probes.Entrance) bool { return !e.Address.IsValid() })
		if len(entrances) == 0 {
			return
		}
		client := aimAt(w.cluster, w.cluster.Nodes[i%len(w.cluster.Nodes)].ID, i)
		canary := probes.NewCanary(w.cluster, entrances[i%len(entrances)], client.key, client.expected, w.prober.base())
		canary.Open(ctx)
		canary.Write(ctx)
		canary.Write(ctx) // an older copy of a session with one value holds none, as a new session does
		if ctx.Err() != nil || !canary.Settle() {
			continue
		}
		b := &bird{Canary: canary, perch: perchOf(canary, who), home: who.Who(canary.Walk().First().Label), who: who}
		w.flock.idle = append(w.flock.idle, &idleCanary{bird: b, pause: pause, last: time.Now()})
	}
}
