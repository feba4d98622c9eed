// Package monitor asks: it takes the rounds that package checks judges.
//
// One round asks every node directly, every address of the balancer, every
// dependency, and sends canaries through the balancer, all side by side. How
// many clients it sends is decided by arithmetic in package checks: as many as
// exclude chance to the confidence asked for, and no more, because each leaves
// a session behind.
package monitor

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
	"stickwatch/probes/evidence"
)

// A Prober takes rounds. Its zero value probes with a confidence of 0.999 and
// knows neither dependencies that need a driver nor handshakes.
type Prober struct {
	Confidence    float64 // by which chance must be excluded; 0: checks.DefaultConfidence
	ExpectVersion string  // every node must run it; "": any
	Ignore        []checks.Code

	Pingers   map[string]probes.Pinger // by URL scheme, beside tcp and http
	Handshake probes.Handshaker        // nil: handshakes are not probed

	Self *SelfCheck // whether this machine lets it probe; nil: nobody looks

	opened atomic.Int64 // clients so far, so that no two write the same values
	anyID  sync.Map     // by *probes.Cluster: whether its nodes go on with an id that nobody has issued

	// Progress is told as a round goes on; nil: nobody is. It may be called from
	// several goroutines at once and must return quickly.
	Progress func(Progress)
}

// Progress says how far a round has come.
type Progress struct {
	Cluster string
	Stage   string // nodes, clients, follow-ups, failover readiness
	Done    int
	Total   int
}

// Round asks a cluster everything once. It ends early when ctx does, with what
// it has seen by then.
func (p *Prober) Round(ctx context.Context, c *probes.Cluster) checks.Round {
	evidenceReader := evidence.NewReader(c)
	defer evidenceReader.Close()
	r, _ := p.round(ctx, p.emptyRound(c), evidenceReader, new(soFar))
	return r
}

// round takes the round that r, a blank one, is the beginning of, and returns
// with it those of its clients that could live on: the canaries. seen has what is
// known before it ends.
func (p *Prober) round(ctx context.Context, r checks.Round, evidenceReader *evidence.Reader, seen *soFar) (checks.Round, []*probes.Canary) {
	c := r.Cluster
	direct := make(chan struct{}) // closed when r.Nodes is whole
	var wg panics.Group
	wg.Go(func() {
		defer close(direct)
		r.Nodes = p.askNodes(ctx, c)
		seen.answeredBy(r.Nodes)
	})
	wg.Go(func() { r.Dependencies = p.askDependencies(ctx, c) })
	var atNodes []probes.HandshakeObservation
	wg.Go(func() { atNodes = p.handshakesWithNodes(ctx, c) })
	var canaries []*probes.Canary
	wg.Go(func() {
		frontends := probes.Resolve(ctx, c)
		r.Balancers = make([]probes.BalancerObservation, len(frontends))
		traces := make([]traceResult, len(frontends))
		handshakes := make([][]probes.HandshakeObservation, len(frontends))
		var inner panics.Group
		for i, e := range frontends {
			inner.Go(func() {
				r.Balancers[i] = probes.Through(ctx, c, e)
				seen.answeredAt(r.Balancers[i])
			})
			if !e.Address.IsValid() {
				continue
			}
			inner.Go(func() { handshakes[i] = p.handshakesThrough(ctx, c, e) })
			inner.Go(func() {
				w := p.newTraceDriver(c, e)
				seen.sentBy(w)
				traces[i] = w.run(ctx, func() []probes.NodeObservation {
					<-direct
					return r.Nodes
				})
			})
		}
		inner.Wait()
		for i := range frontends {
			canaries = append(canaries, traces[i].canaries...)
			r.Traces = append(r.Traces, traces[i].traces...)
			r.FailoverChecks = append(r.FailoverChecks, traces[i].failoverChecks...)
			r.Handshakes = append(r.Handshakes, handshakes[i]...)
		}
	})
	wg.Wait()
	r.Handshakes = append(r.Handshakes, atNodes...)
	r.AcceptsAnyID = p.acceptsAnyID(ctx, c, canaries)
	r.OwnerChecks = checkOwners(ctx, c, checks.Identify(c, r.Nodes), canaries)
	r.Evidence = evidenceReader.Read(ctx) // last, so that it knows what happened on the way
	r.Duration = time.Since(r.Started)
	return r, canaries
}

// acceptsAnyID tries once whether a node goes on with a session id that nobody has
// issued. It matters only where nothing can be stored in a session to prove that
// nodes share it.
func (p *Prober) acceptsAnyID(ctx context.Context, c *probes.Cluster, canaries []*probes.Canary) bool {
	if c.Session == nil || c.Session.Write != "" || len(canaries) == 0 ||
		c.Session.Policy != probes.PolicyShared && c.Session.Policy != probes.PolicyReplicated {
		return false
	}
	if known, ok := p.anyID.Load(c); ok {
		return known.(bool)
	}
	for _, n := range checks.Serving(c, nil) {
		if accepted, ok := canaries[0].PresentForged(ctx, n); ok {
			p.anyID.Store(c, accepted)
			return accepted
		}
	}
	return false
}

// emptyRound is a round in which nothing has been asked yet.
func (p *Prober) emptyRound(c *probes.Cluster) checks.Round {
	return checks.Round{
		Cluster: c, Started: time.Now(),
		Confidence: p.confidence(), ExpectVersion: p.ExpectVersion, Ignore: p.Ignore,
	}
}

// nextCounterBase is the counter after which a new client writes. It begins anew after a
// million clients, whose sessions are over by then.
func (p *Prober) nextCounterBase() int { return 1000 * (1 + int(p.opened.Add(1)-1)%1_000_000) }

func (p *Prober) confidence() float64 {
	if p.Confidence <= 0 {
		return checks.DefaultConfidence
	}
	return p.Confidence
}

func (p *Prober) askNodes(ctx context.Context, c *probes.Cluster) []probes.NodeObservation {
	seen := make([]probes.NodeObservation, len(c.Nodes))
	done := p.counter(c, "nodes", len(c.Nodes))
	var wg panics.Group
	for i, n := range c.Nodes {
		wg.Go(func() {
			seen[i] = probes.Direct(ctx, c, n)
			done()
		})
	}
	wg.Wait()
	return seen
}

func (p *Prober) askDependencies(ctx context.Context, c *probes.Cluster) []probes.DependencyObservation {
	seen := make([]probes.DependencyObservation, len(c.Dependencies))
	var wg panics.Group
	for i, d := range c.Dependencies {
		wg.Go(func() { seen[i] = d.Ask(ctx, p.pinger(d.URL.Scheme), c.Limits.Timeout) })
	}
	wg.Wait()
	return seen
}

// pinger finds the client for a scheme. Configurations name known schemes only.
func (p *Prober) pinger(scheme string) probes.Pinger {
	switch scheme {
	case "http", "https":
		return probes.PingHTTP
	default:
		if ping, ok := p.Pingers[scheme]; ok {
			return ping
		}
		return probes.PingTCP
	}
}

// handshakeClients is how many Engine.IO clients try a handshake at one address. Behind a
// balancer that sends each request elsewhere, one passes all four requests of a
// handshake by luck once in n³.
const handshakeClients = 3

func (p *Prober) handshakesThrough(ctx context.Context, c *probes.Cluster, e probes.Frontend) []probes.HandshakeObservation {
	if c.Handshake == nil || p.Handshake == nil || !e.Address.IsValid() {
		return nil
	}
	clients := targetedClients(c)
	rand.Shuffle(len(clients), func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
	for len(clients) < handshakeClients {
		clients = append(clients, clients[0])
	}
	seen := make([]probes.HandshakeObservation, handshakeClients)
	var wg panics.Group
	for i, client := range clients[:handshakeClients] {
		wg.Go(func() {
			obs := p.handshake(ctx, probes.NewClient(e.Target(c, client.key)), probes.HandshakeRequest{
				Path: c.Handshake.Path, Client: client.key, Expected: client.targetNode,
			})
			obs.URL, obs.Balancer, obs.Client, obs.Expected = e.URL.Redacted(), e.Address, client.key, client.targetNode
			seen[i] = obs
		})
	}
	wg.Wait()
	return seen
}

// handshakesWithNodes asks every node directly: behind a hash, our own clients
// may never reach the one whose endpoint is broken.
func (p *Prober) handshakesWithNodes(ctx context.Context, c *probes.Cluster) []probes.HandshakeObservation {
	if c.Handshake == nil || p.Handshake == nil {
		return nil
	}
	seen := make([]probes.HandshakeObservation, len(c.Nodes))
	var wg panics.Group
	for i, n := range c.Nodes {
		wg.Go(func() {
			seen[i] = p.handshake(ctx, probes.NewClient(c.NodeTarget(n)), probes.HandshakeRequest{Path: c.Handshake.Path})
			seen[i].Node = n.ID
		})
	}
	wg.Wait()
	return seen
}

// handshake takes a client through a handshake within the cluster's budget.
func (p *Prober) handshake(ctx context.Context, client *probes.Client, r probes.HandshakeRequest) (obs probes.HandshakeObservation) {
	budgetRequest := probes.RequestSequence{Path: r.Path, Requests: probes.HandshakeRequests, Expected: r.Expected}
	err := client.Admit(ctx, budgetRequest, func() (timedOut bool) {
		began := time.Now()
		if err := panics.Catch(panics.Handshake, func() { obs = p.Handshake(ctx, client, r) }); err != nil {
			obs.Stage, obs.Error = "open", err.Error()
		}
		return obs.Stage != "" && time.Since(began) >= client.Target().Timeout
	})
	if err != nil {
		obs.Stage, obs.Error = "open", "stickwatch was interrupted"
	}
	return obs
}

// counter returns a function that reports one more of total done.
func (p *Prober) counter(c *probes.Cluster, stage string, total int) func() {
	if p.Progress == nil || total == 0 {
		return func() {}
	}
	var mu sync.Mutex
	done := 0
	return func() {
		mu.Lock()
		done++
		now := done
		mu.Unlock()
		p.Progress(Progress{Cluster: c.Name, Stage: stage, Done: now, Total: total})
	}
}

// maxChecksPerOwner bounds how many sessions are presented to one node directly in a
// round.
const maxChecksPerOwner = 3

// checkOwners presents the sessions that were lost, or that another node answered,
// to the nodes that opened them: whether those still know them tells a restart
// from a balancer that sent the client elsewhere. Under other policies than sticky
// any loss counts, whatever its node knows.
func checkOwners(ctx context.Context, c *probes.Cluster, identity checks.Identity, canaries []*probes.Canary) []probes.OwnerCheck {
	if c.Session == nil || c.Session.Policy != probes.PolicySticky {
		return nil
	}
	var list []probes.OwnerCheck
	var mu sync.Mutex
	var wg panics.Group
	asked := make(map[string]int)
	for _, canary := range canaries {
		trace := canary.Trace()
		owner := identity.NodeOf(trace.OpenedBy)
		at := slices.IndexFunc(c.Nodes, func(n probes.Node) bool { return n.ID == owner })
		if at < 0 || asked[owner] >= maxChecksPerOwner || !movedOrLost(trace, identity) {
			continue
		}
		asked[owner]++
		wg.Go(func() {
			check := canary.CheckOwner(ctx, c.Nodes[at])
			mu.Lock()
			defer mu.Unlock()
			list = append(list, check)
		})
	}
	wg.Wait()
	return list
}

// movedOrLost reports whether a client lost its session, or met another node than the
// one that opened it.
func movedOrLost(w probes.Trace, identity checks.Identity) bool {
	owner := identity.NodeOf(w.OpenedBy)
	for i, s := range w.Steps {
		if node := identity.NodeOf(s.Label); i > 0 && s.OK() && (w.SessionOutcome(i) == probes.SessionLost || node != "" && node != owner) {
			return true
		}
	}
	return false
}
