// Package monitor takes the rounds of observations that package checks judges.
//
// One round probes every node directly, every address of the balancer and every dependency,
// and sends canaries through the balancer, all in parallel. Package checks computes the number
// of clients: enough to exclude chance at the configured confidence, and no more, because each
// client leaves a session behind.
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

// A Prober takes rounds. The zero value uses a confidence of 0.999, and probes neither
// handshakes nor dependencies that need a driver.
type Prober struct {
	Confidence    float64 // with which chance is excluded; 0: checks.DefaultConfidence
	ExpectVersion string  // version that every node must run; "": any
	Ignore        []checks.Code

	Pingers   map[string]probes.Pinger // by URL scheme, in addition to tcp and http
	Handshake probes.Handshaker        // nil: handshakes are not probed

	Self *SelfCheck // detects problems of this machine; nil: disabled

	opened atomic.Int64 // number of clients so far, so that no two write the same values
	anyID  sync.Map     // by *probes.Cluster: whether its nodes accept a forged session id
	voided sync.Map     // by *probes.Cluster: when its failover checks were void, see checkFailover

	// Progress is called as a round proceeds; nil: disabled. It may be called from several
	// goroutines at once and must return quickly.
	Progress func(Progress)
}

// Progress is the progress of one stage of a round.
type Progress struct {
	Cluster string
	Stage   string // nodes, clients, follow-ups, failover readiness
	Done    int
	Total   int
}

// Round takes one full round of a cluster. If ctx ends, it returns early with the observations
// so far. If stickwatch itself could not probe meanwhile, the round is void.
func (p *Prober) Round(ctx context.Context, c *probes.Cluster) checks.Round {
	evidenceReader := evidence.NewReader(c)
	defer evidenceReader.Close()
	r, canaries := p.round(ctx, p.emptyRound(c), evidenceReader, new(partialRound), nil, time.Time{})
	logOut(ctx, canaries)
	p.Self.observe(c, r.Started, exchangesOf(r, r.Started))
	if why, ok := p.Self.Doubt(r.Started, ""); ok {
		r.Void = why
	}
	return r
}

// round completes an empty round. It also returns the clients that can continue as
// canaries. seen receives observations as they arrive. Of the new clients those that wants
// selects log in, where the application has a login. After until, no client starts a second follow-up; zero: all do.
func (p *Prober) round(ctx context.Context, round checks.Round, evidenceReader *evidence.Reader, seen *partialRound, wants wantsLogin, until time.Time) (checks.Round, []*probes.Canary) {
	cluster := round.Cluster
	if len(cluster.Nodes) == 0 { // their source has not answered yet
		return round, nil
	}
	direct := make(chan struct{}) // closed when r.Nodes is complete
	var wg panics.Group
	wg.Go(func() {
		defer close(direct)
		round.Nodes = p.askNodes(ctx, cluster, seen)
		seen.setNodes(round.Nodes)
	})
	wg.Go(func() { round.Dependencies = p.askDependencies(ctx, cluster) })
	var atNodes []probes.HandshakeObservation
	wg.Go(func() { atNodes = p.handshakesWithNodes(ctx, cluster) })
	var canaries []*probes.Canary
	wg.Go(func() {
		canaries = p.throughFrontends(ctx, &round, seen, wants, until, func() []probes.NodeObservation {
			<-direct
			return round.Nodes
		})
	})
	wg.Wait()
	round.Handshakes = append(round.Handshakes, atNodes...)
	round.AcceptsAnyID = p.acceptsAnyID(ctx, cluster, canaries)
	round.OwnerChecks = checkOwners(ctx, round, checks.Identify(cluster, round.Nodes), canaries)
	round.Login, round.Limited, round.Source = cluster.LoginStatus(), cluster.Limiter.Limited(), sourceState(cluster)
	round.Evidence = evidenceReader.Read(ctx) // last, so that it covers the whole round
	round.Duration = time.Since(round.Started)
	return round, canaries
}

// throughFrontends adds what clients meet at the addresses of the balancer to a round, and returns those that can
// continue as canaries. direct waits for the answers of the nodes.
func (p *Prober) throughFrontends(ctx context.Context, round *checks.Round, seen *partialRound, wants wantsLogin, until time.Time, direct func() []probes.NodeObservation) (canaries []*probes.Canary) {
	cluster, logins := round.Cluster, &roundLogins{wants: wants}
	frontends := probes.Resolve(ctx, cluster)
	round.Balancers = make([]probes.BalancerObservation, len(frontends))
	traces := make([]traceResult, len(frontends))
	handshakes := make([][]probes.HandshakeObservation, len(frontends))
	var wg panics.Group
	for i, frontend := range frontends {
		wg.Go(func() {
			round.Balancers[i] = probes.Through(ctx, cluster, frontend)
			seen.addBalancer(round.Balancers[i])
		})
		if !frontend.Address.IsValid() {
			continue
		}
		wg.Go(func() { handshakes[i] = p.handshakesThrough(ctx, cluster, frontend) })
		wg.Go(func() {
			driver := p.newTraceDriver(cluster, frontend)
			driver.logins, driver.next, driver.until = logins, nextAddress(cluster.Balancer, frontends, i), until
			driver.scatters = round.Past != nil && round.Past.Balancer.Scatters
			seen.addDriver(driver)
			traces[i] = driver.run(ctx, direct)
		})
	}
	wg.Wait()
	for i := range frontends {
		canaries = append(canaries, traces[i].canaries...)
		round.Traces = append(round.Traces, traces[i].traces...)
		round.FailoverChecks = append(round.FailoverChecks, traces[i].failoverChecks...)
		round.AddressChecks = append(round.AddressChecks, traces[i].addressChecks...)
		round.Handshakes = append(round.Handshakes, handshakes[i]...)
	}
	return canaries
}

// acceptsAnyID checks once for each cluster whether a node accepts a forged session id. This
// matters only if the application has no page that writes to a session, because then nothing
// else proves that nodes share sessions.
func (p *Prober) acceptsAnyID(ctx context.Context, c *probes.Cluster, canaries []*probes.Canary) bool {
	if c.Session == nil || c.Session.Write != "" || c.Session.Login != nil || len(canaries) == 0 ||
		c.Session.Policy != probes.PolicyShared && c.Session.Policy != probes.PolicyReplicated {
		return false
	}
	if known, ok := p.anyID.Load(c); ok {
		return known.(bool)
	}
	for _, n := range checks.Eligible(c, nil) {
		if accepted, ok := canaries[0].PresentForged(ctx, n); ok {
			p.anyID.Store(c, accepted)
			return accepted
		}
	}
	return false
}

// emptyRound returns a round without observations.
func (p *Prober) emptyRound(c *probes.Cluster) checks.Round {
	return checks.Round{
		Cluster: c, Started: time.Now(),
		Confidence: p.confidence(), ExpectVersion: p.ExpectVersion, Ignore: p.Ignore, Source: sourceState(c), Login: c.LoginStatus(), Limited: c.Limiter.Limited(),
	}
}

// nextCounterBase returns the counter from which a new client writes. It restarts after a
// million clients, whose sessions have expired by then.
func (p *Prober) nextCounterBase() int { return 1000 * (1 + int(p.opened.Add(1)-1)%1_000_000) }

// skipCounterBase keeps new clients from the values of one that another process opened.
func (p *Prober) skipCounterBase(base int) {
	for {
		opened := p.opened.Load()
		if int64(base/1000) <= int64(opened) || p.opened.CompareAndSwap(opened, int64(base/1000)) {
			return
		}
	}
}

func (p *Prober) confidence() float64 {
	if p.Confidence <= 0 {
		return checks.DefaultConfidence
	}
	return p.Confidence
}

// askNodes asks every node. seen receives the observations as they arrive; nil: none does.
func (p *Prober) askNodes(ctx context.Context, c *probes.Cluster, seen *partialRound) []probes.NodeObservation {
	nodes := make([]probes.NodeObservation, len(c.Nodes))
	done := p.counter(c, "nodes", len(c.Nodes))
	var wg panics.Group
	for i, n := range c.Nodes {
		wg.Go(func() {
			nodes[i] = probes.Direct(ctx, c, n)
			seen.addNode(nodes[i])
			done()
		})
	}
	wg.Wait()
	return nodes
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

// pinger returns the client for a URL scheme. The configuration allows known schemes only.
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

// handshakeClients is the number of clients that try a handshake at one address. If
// the balancer sends each request to a random one of n nodes, all four requests of a handshake
// reach the same node with a probability of 1/n³.
const handshakeClients = 3

func (p *Prober) handshakesThrough(ctx context.Context, c *probes.Cluster, frontend probes.Frontend) []probes.HandshakeObservation {
	if c.Handshake == nil || p.Handshake == nil || !frontend.Address.IsValid() {
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
			seen[i] = p.handshake(ctx, probes.NewClient(frontend.Target(c, client.key)), probes.HandshakeRequest{
				Kind: c.Handshake.Kind, Path: c.Handshake.Path, TargetNode: client.targetNode,
			})
		})
	}
	wg.Wait()
	return seen
}

// handshakesWithNodes tries a handshake with every node directly. Under a hash, clients from
// this machine may never reach the node whose endpoint is broken.
func (p *Prober) handshakesWithNodes(ctx context.Context, c *probes.Cluster) []probes.HandshakeObservation {
	if c.Handshake == nil || p.Handshake == nil {
		return nil
	}
	nodes := slices.DeleteFunc(slices.Clone(c.Nodes), func(n probes.Node) bool {
		return n.Protocol == probes.ProtocolH2C // Go's client of HTTP/2 has no upgrade to a WebSocket
	})
	seen := make([]probes.HandshakeObservation, len(nodes))
	var wg panics.Group
	for i, n := range nodes {
		wg.Go(func() {
			seen[i] = p.handshake(ctx, probes.NewClient(c.NodeTarget(n)), probes.HandshakeRequest{Kind: c.Handshake.Kind, Path: c.Handshake.Path})
			seen[i].Node = n.ID
		})
	}
	wg.Wait()
	return seen
}

// handshake runs a handshake within the request budget of the cluster.
func (p *Prober) handshake(ctx context.Context, client *probes.Client, r probes.HandshakeRequest) (obs probes.HandshakeObservation) {
	budgetRequest := probes.RequestSequence{Path: r.Path, Requests: probes.HandshakeRequests, TargetNode: r.TargetNode}
	err := client.Admit(ctx, budgetRequest, func() (timedOut bool) {
		began := time.Now()
		if err := panics.Catch(panics.Handshake, func() { obs = p.Handshake(ctx, client, r) }); err != nil {
			obs.Stage, obs.Error = "open", err.Error()
		}
		obs.Ended = time.Now()
		return obs.Stage != "" && obs.Ended.Sub(began) >= client.Target().Timeout
	})
	if err != nil {
		obs.Stage, obs.Error = "open", "stickwatch was interrupted"
	}
	target := client.Target()
	obs.URL, obs.Balancer, obs.Client, obs.TargetNode = target.URL.Redacted(), target.Address, target.Key, r.TargetNode
	return obs
}

// counter returns a function that reports the completion of one of total items.
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

// maxOwnerChecks returns how many sessions may be presented to their owner in a round. A slow one gets a single one.
func maxOwnerChecks(round checks.Round, owner string) int {
	if slices.ContainsFunc(round.Nodes, func(o probes.NodeObservation) bool {
		return o.Node == owner && (!checks.Up(o) || o.Primary.Timing.Total > time.Second)
	}) {
		return 1
	}
	return 3
}

// checkOwners presents sessions that were lost, or answered by another node, directly to the
// nodes that opened them. If the node still knows the session, the balancer sent the client
// elsewhere; if not, the node restarted. Only the sticky policy needs this check: under other
// policies, any loss is a fault.
func checkOwners(ctx context.Context, round checks.Round, identity checks.Identity, canaries []*probes.Canary) []probes.OwnerCheck {
	cluster := round.Cluster
	if cluster.Session == nil || cluster.Session.Policy != probes.PolicySticky {
		return nil
	}
	var list []probes.OwnerCheck
	var mu sync.Mutex
	var wg panics.Group
	asked := make(map[string]int)
	for _, canary := range canaries {
		trace := canary.Trace()
		owner := identity.NodeOf(trace.OpenerLabel)
		at := slices.IndexFunc(cluster.Nodes, func(n probes.Node) bool { return n.ID == owner })
		if at < 0 || asked[owner] >= maxOwnerChecks(round, owner) || !movedOrLost(trace, identity) {
			continue
		}
		asked[owner]++
		wg.Go(func() {
			check := canary.CheckOwner(ctx, cluster.Nodes[at])
			mu.Lock()
			defer mu.Unlock()
			list = append(list, check)
		})
	}
	wg.Wait()
	return list
}

// checkKept presents to each node that has lost a session the session of another canary. A
// node that restarted has lost that, too.
func checkKept(ctx context.Context, cluster *probes.Cluster, identity checks.Identity, lost []probes.OwnerCheck, canaries []*pooledCanary) (list []probes.OwnerCheck) {
	for _, n := range cluster.Nodes {
		if !slices.ContainsFunc(lost, func(c probes.OwnerCheck) bool { return c.To == n.ID && c.SessionOutcome() == probes.SessionLost }) {
			continue
		}
		for _, canary := range canaries {
			if trace := canary.Trace(); identity.NodeOf(trace.OpenerLabel) == n.ID && !movedOrLost(trace, identity) {
				list = append(list, canary.CheckOwner(ctx, n))
				break
			}
		}
	}
	return list
}

// movedOrLost reports whether a client lost its session or was answered by another node than
// the one that opened it.
func movedOrLost(trace probes.Trace, identity checks.Identity) bool {
	owner := identity.NodeOf(trace.OpenerLabel)
	for i, step := range trace.Steps {
		if node := identity.NodeOf(step.Label); i > 0 && step.OK() && (trace.SessionOutcome(i) == probes.SessionLost || node != "" && node != owner) {
			return true
		}
	}
	return false
}
