package watch

import (
	"context"
	"sync/atomic"

	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// A user holds a session and sends requests with it. When the session is lost, the user
// opens another one.
type user struct {
	cluster       *probes.Cluster
	frontend      probes.Frontend
	counterBases  *counterBases
	watchedClient gate.WatchedClient // the client, with its timeline since before the watch

	canary   *probes.Canary // nil: the session is lost
	requests int
}

// writeEvery is the number of samples after which a user stores another value in the
// session, so that a stale session is noticed.
const writeEvery = 4

func newUser(c *probes.Cluster, e probes.Frontend, key, targetNode string, b *counterBases) *user {
	return &user{
		cluster: c, frontend: e, counterBases: b,
		watchedClient: gate.WatchedClient{Frontend: frontendName(e), Client: key, TargetNode: targetNode},
	}
}

// sample sends a request of the session, or opens one, and sometimes stores a value.
func (u *user) sample(ctx context.Context) []gate.Sample {
	if u.canary == nil {
		return u.openSession(ctx)
	}
	came := u.record(u.canary.Return(ctx))
	u.requests++
	if u.canary != nil && came.Good && u.requests%writeEvery == 0 && u.mayWrite() {
		return []gate.Sample{came, u.record(u.canary.Write(ctx))}
	}
	return []gate.Sample{came}
}

// openSession opens a session and stores a value in it.
func (u *user) openSession(ctx context.Context) []gate.Sample {
	canary := probes.NewCanary(u.cluster, u.frontend, u.watchedClient.Client, u.watchedClient.TargetNode, u.counterBases.next())
	first := gate.SampleOf(canary.Open(ctx), probes.SessionUnknown)
	first.New = true
	if !first.Good {
		return []gate.Sample{first}
	}
	u.canary = canary
	if ex := canary.Write(ctx); ex.Path != "" {
		return []gate.Sample{first, u.record(ex)}
	}
	return []gate.Sample{first}
}

// record converts an answer and drops the session if it is lost. It clears the canary's
// history, which would grow without limit.
func (u *user) record(ex probes.Exchange) gate.Sample {
	trace := u.canary.Trace()
	b := gate.SampleOf(ex, trace.SessionOutcome(len(trace.Steps)-1))
	if !u.canary.StartNextRound() {
		u.canary = nil
	}
	return b
}

// mayWrite reports whether a write cannot hide a loss: where only the value
// distinguishes one session from another, storing one makes them equal.
func (u *user) mayWrite() bool {
	s := u.cluster.Session
	return s != nil && s.Write != "" && s.ID != nil
}

// A newClient is another client with every request.
type newClient struct {
	cluster       *probes.Cluster
	frontend      probes.Frontend
	watchedClient gate.WatchedClient
}

func newNewClient(c *probes.Cluster, e probes.Frontend, key, targetNode string) *newClient {
	return &newClient{c, e, gate.WatchedClient{Frontend: frontendName(e), Client: key, TargetNode: targetNode}}
}

func (n *newClient) sample(ctx context.Context) []gate.Sample {
	ex := probes.NewCanary(n.cluster, n.frontend, n.watchedClient.Client, n.watchedClient.TargetNode, 0).Open(ctx)
	return []gate.Sample{gate.SampleOf(ex, probes.SessionUnknown)}
}

// counterBases keeps the values of all sessions distinct: each session counts from its
// own base, and not up to the next one.
type counterBases struct{ opened atomic.Int64 }

func (b *counterBases) next() int { return 1_000_000 * int(b.opened.Add(1)) }

// frontendName returns the display name of an address of the balancer.
func frontendName(e probes.Frontend) string {
	if shown := e.URL.Redacted(); e.URL.Host == e.Address.String() || !e.Address.IsValid() {
		return shown
	}
	return e.URL.Redacted() + " at " + e.Address.String()
}
