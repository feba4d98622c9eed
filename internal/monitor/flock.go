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

// A flock is the canaries of a cluster that live on over rounds: at each
// address of the balancer one for every node.
type flock struct {
	birds  []*bird
	idle   []*idleCanary
	unseen map[string]int // visits since a node last answered one, by node id
}

// A bird is a canary and where it lives.
type bird struct {
	*probes.Canary
	perch perch
	home  string // the node that holds its session, as the last whole round knew it
	who   checks.Identity
}

// A perch is what a canary is kept for.
type perch struct {
	balancer netip.AddrPort
	node     string // that it was aimed at, or that opened its session
}

// walks are what the canaries have been through since the last whole round.
func (f *flock) walks() []probes.Walk {
	var list []probes.Walk
	for _, b := range f.birds {
		list = append(list, b.Walk())
	}
	for _, c := range f.idle {
		list = append(list, c.Walk())
	}
	return list
}

// each runs a piece for every canary, side by side.
func (f *flock) each(piece func(*bird)) {
	var wg panics.Group
	for _, b := range f.birds {
		wg.Go(func() { piece(b) })
	}
	wg.Wait()
}

// comeBack takes every canary through a round, but for those that the visit before
// it still waits for: it returns, writes, and returns to see what became of that.
func (f *flock) comeBack(ctx context.Context, before *visit) {
	f.each(func(b *bird) {
		if before.waitsFor(b) || !b.Return(ctx).OK() {
			return // to wait for a node that hangs once is enough
		}
		if ex := b.Write(ctx); ex.Path != "" {
			b.Return(ctx)
		}
	})
	f.wake(ctx, f.due(), func(*bird, probes.Exchange) {})
}

// comeBackAgain lets every canary that has not been kept waiting return once more.
func (f *flock) comeBackAgain(ctx context.Context) {
	f.each(func(b *bird) {
		if !hung(b.Canary) {
			b.Return(ctx)
		}
	})
}

// hear tells what the canaries were answered, and reports whether some of that
// is not what the last report leads to expect, and whether a client was harmed.
func (f *flock) hear(answers map[*bird]probes.Exchange, last checks.Report, o Observer) (odd, harmed bool) {
	for b, ex := range answers {
		f.probed(b, last.Cluster, ex, o)
		request := b.request(ex, last)
		o.Requested(request)
		harmed = harmed || request.Outcome.Harmful()
		odd = odd || f.strange(b, ex, last)
	}
	return odd, harmed
}

// request is the newest request of a canary with what it came to.
func (b *bird) request(ex probes.Exchange, last checks.Report) checks.Request {
	walk := b.Walk()
	return checks.Request{
		Cluster: last.Cluster, Balancer: checks.BalancerName(walk.URL, walk.Balancer), Node: b.who.Who(walk.Opener), Session: walk.First().Session,
		At: ex.At, Latency: ex.Timing.Total, Outcome: last.OutcomeOf(walk, len(walk.Steps)-1, b.who),
	}
}

// strange reports whether a canary's answer is news.
func (f *flock) strange(b *bird, ex probes.Exchange, last checks.Report) bool {
	if !ex.OK() {
		return true
	}
	walk := b.Walk()
	switch walk.Fate(len(walk.Steps) - 1) {
	case probes.FateLost, probes.FateRolledBack:
		return true
	}
	node := b.who.Who(ex.Label)
	if last.Session.Policy != probes.PolicyShared && node != b.home {
		return true
	}
	return slices.ContainsFunc(last.Nodes, func(n checks.NodeReport) bool { return n.Node == node && n.InRotation == checks.No })
}

// A patience is how many visits in a row may meet a node not at all, of so many
// canaries each.
type patience func(node string, canaries int) int

// missing reports whether a node that was in rotation has answered none of the
// canaries for longer than chance lets one expect. Where sessions stick, a
// canary of its own would have shown that.
func (f *flock) missing(answers map[*bird]probes.Exchange, last checks.Report, misses patience) (odd bool) {
	if len(f.birds) == 0 || last.Session.Policy != probes.PolicyShared {
		return false
	}
	if f.unseen == nil {
		f.unseen = make(map[string]int)
	}
	met := make(map[string]bool)
	for b, ex := range answers {
		met[b.who.Who(ex.Label)] = true
	}
	for _, n := range last.Nodes {
		switch {
		case met[n.Node], n.InRotation != checks.Yes:
			delete(f.unseen, n.Node)
		default:
			f.unseen[n.Node]++
			odd = odd || f.unseen[n.Node] >= misses(n.Node, len(f.birds))
		}
	}
	return odd
}

// canaries are the clients themselves.
func (f *flock) canaries() []*probes.Canary {
	var list []*probes.Canary
	for _, b := range f.birds {
		list = append(list, b.Canary)
	}
	for _, c := range f.idle {
		list = append(list, c.Canary)
	}
	return list
}

// settle ends a round: it lets canaries go that have lost their session or are
// of age, and keeps of the fresh ones those whose perch is free. At most one a
// round goes because of its age: a flock opened at once is renewed in turns.
func (f *flock) settle(who checks.Identity, fresh []*probes.Canary, age time.Duration) {
	clear(f.unseen) // what they have not met, newcomers have looked for
	f.settleIdle(who, age)
	renewed := false
	f.birds = slices.DeleteFunc(f.birds, func(b *bird) bool {
		if !b.Settle() {
			return true
		}
		b.home, b.who = who.Who(b.Walk().First().Label), who
		old := !renewed && time.Since(b.Opened()) > age && slices.ContainsFunc(fresh, func(c *probes.Canary) bool {
			return perchOf(c, who) == b.perch
		})
		renewed = renewed || old
		return old
	})
	for _, c := range fresh {
		at := perchOf(c, who)
		taken := slices.ContainsFunc(f.birds, func(b *bird) bool { return b.perch == at })
		if !taken && at.node != "" && c.Settle() {
			f.birds = append(f.birds, &bird{Canary: c, perch: at, home: who.Who(c.Walk().First().Label), who: who})
		}
	}
}

func perchOf(c *probes.Canary, who checks.Identity) perch {
	walk := c.Walk()
	if walk.Expected != "" {
		return perch{walk.Balancer, walk.Expected}
	}
	return perch{walk.Balancer, who.Who(walk.First().Label)}
}

// tell reports what the canaries met in a round that has just been judged.
func (f *flock) tell(r checks.Round, o Observer) {
	for _, b := range f.birds {
		for _, s := range b.Walk().Steps {
			if !s.At.Before(r.Started) {
				f.probed(b, r.Cluster.Name, s.Exchange, o)
			}
		}
	}
}

func (f *flock) probed(b *bird, cluster string, ex probes.Exchange, o Observer) {
	o.Probed(Probe{checks.Target{Cluster: cluster, Kind: checks.TargetCanary, Name: b.perch.node}, "canary", ex})
}

// told is what may be known of the canaries.
func (f *flock) told() []Canary {
	var list []Canary
	for _, b := range f.birds {
		walk := b.Walk()
		list = append(list, Canary{
			Node: b.home, Balancer: walk.URL, Client: walk.Client, Session: walk.First().Session, Opened: b.Opened(),
		})
	}
	return list
}
