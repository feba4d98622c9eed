package vigil

import (
	"context"
	"sync/atomic"

	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// A user holds a session and comes back to it again and again. One who has been
// thrown out begins another session, as people do.
type user struct {
	cluster  *probes.Cluster
	entrance probes.Entrance
	bases    *bases
	lane     gate.Lane // who they are, with what they met before the watch

	canary *probes.Canary // nil: the session is gone
	visits int
}

// writeEvery is after how many visits a user puts another value into the
// session, so that one that comes back older is seen.
const writeEvery = 4

func newUser(c *probes.Cluster, e probes.Entrance, key, expected string, b *bases) *user {
	return &user{
		cluster: c, entrance: e, bases: b,
		lane: gate.Lane{Through: through(e), Client: key, Expected: expected},
	}
}

// visit comes back to the session, or begins one, and now and then stores a
// value.
func (u *user) visit(ctx context.Context) []gate.Beat {
	if u.canary == nil {
		return u.begin(ctx)
	}
	came := u.note(u.canary.Return(ctx))
	u.visits++
	if u.canary != nil && came.Good && u.visits%writeEvery == 0 && u.mayWrite() {
		return []gate.Beat{came, u.note(u.canary.Write(ctx))}
	}
	return []gate.Beat{came}
}

// begin opens a session and stores a value in it.
func (u *user) begin(ctx context.Context) []gate.Beat {
	canary := probes.NewCanary(u.cluster, u.entrance, u.lane.Client, u.lane.Expected, u.bases.next())
	first := gate.BeatOf(canary.Open(ctx), probes.FateUntold)
	first.New = true
	if !first.Good {
		return []gate.Beat{first}
	}
	u.canary = canary
	if ex := canary.Write(ctx); ex.Path != "" {
		return []gate.Beat{first, u.note(ex)}
	}
	return []gate.Beat{first}
}

// note is an answer with what became of the session, which is given up when it
// is gone. The canary forgets what was before, lest it remembers all its life.
func (u *user) note(ex probes.Exchange) gate.Beat {
	walk := u.canary.Walk()
	b := gate.BeatOf(ex, walk.Fate(len(walk.Steps)-1))
	if !u.canary.Settle() {
		u.canary = nil
	}
	return b
}

// mayWrite reports whether a write could not hide a loss: where nothing but the
// value tells a session from another, storing one makes them equal.
func (u *user) mayWrite() bool {
	s := u.cluster.Session
	return s != nil && s.Write != "" && s.ID != nil
}

// A newcomer is somebody else with every visit.
type newcomer struct {
	cluster  *probes.Cluster
	entrance probes.Entrance
	lane     gate.Lane
}

func newNewcomer(c *probes.Cluster, e probes.Entrance, key, expected string) *newcomer {
	return &newcomer{c, e, gate.Lane{Through: through(e), Client: key, Expected: expected}}
}

func (n *newcomer) visit(ctx context.Context) []gate.Beat {
	ex := probes.NewCanary(n.cluster, n.entrance, n.lane.Client, n.lane.Expected, 0).Open(ctx)
	return []gate.Beat{gate.BeatOf(ex, probes.FateUntold)}
}

// bases keeps the values of all sessions apart: each counts on from a base of
// its own, and not as far as the next.
type bases struct{ opened atomic.Int64 }

func (b *bases) next() int { return 1_000_000 * int(b.opened.Add(1)) }

// through names an address of the balancer.
func through(e probes.Entrance) string {
	if shown := e.URL.Redacted(); e.URL.Host == e.Address.String() || !e.Address.IsValid() {
		return shown
	}
	return e.URL.Redacted() + " at " + e.Address.String()
}
