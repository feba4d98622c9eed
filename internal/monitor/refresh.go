package monitor

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
	"stickwatch/probes/evidence"
)

// A JobKind is a part of a cluster's probes that has an interval of its own.
type JobKind string

// The kinds of jobs.
const (
	Canaries     JobKind = "canary"
	Status       JobKind = "status" // nodes, balancer addresses, balancer evidence, handshakes
	Pages        JobKind = "pages"
	Dependencies JobKind = "dependencies"
)

// refresh repeats one part of the probes. It returns the last round with the new observations.
func (p *Prober) refresh(ctx context.Context, last checks.Round, jobKind JobKind, evidenceReader *evidence.Reader) checks.Round {
	round := p.nextRound(last)
	switch jobKind {
	case Dependencies:
		round.Dependencies = p.askDependencies(ctx, round.Cluster)
	case Pages:
		round.Nodes, round.Balancers = p.ask(ctx, pagesOnly(round.Cluster), last)
		for i := range round.Nodes {
			pages := round.Nodes[i].Pages
			round.Nodes[i] = last.Nodes[i]
			round.Nodes[i].Pages = pages
		}
		for i := range round.Balancers {
			round.Balancers[i].Primary = last.Balancers[i].Primary
		}
	default:
		var both panics.Group
		both.Go(func() { round.Handshakes = p.allHandshakes(ctx, round.Cluster, last.Balancers) })
		both.Go(func() { round.Nodes, round.Balancers = p.ask(ctx, withoutSession(withoutPages(round.Cluster)), last) })
		both.Wait()
		// the requests above left out the session page and the pages
		if round.Cluster.Status != nil {
			for i := range round.Nodes {
				keepSession(&round.Nodes[i], last.Nodes[i])
			}
		}
		if len(round.Cluster.Pages) > 0 && !onlyPagesConfigured(round.Cluster) {
			for i := range round.Nodes {
				round.Nodes[i].Pages = last.Nodes[i].Pages
			}
			for i := range round.Balancers {
				round.Balancers[i].Pages = last.Balancers[i].Pages
			}
		}
		round.Evidence = evidenceReader.Read(ctx)
	}
	round.Duration = time.Since(round.Started)
	return round
}

// askUpNodes probes the nodes again that were up, without their pages, and returns the newest
// observation of each node.
func (p *Prober) askUpNodes(ctx context.Context, c *probes.Cluster, known []probes.NodeObservation) []probes.NodeObservation {
	newest := slices.Clone(known)
	again := *withoutSession(withoutPages(c))
	indexOfUp := func(id string) int {
		return slices.IndexFunc(known, func(o probes.NodeObservation) bool { return o.Node == id && checks.Up(o) })
	}
	again.Nodes = slices.DeleteFunc(slices.Clone(c.Nodes), func(n probes.Node) bool { return indexOfUp(n.ID) < 0 })
	for _, o := range p.askNodes(ctx, &again, nil) {
		at := indexOfUp(o.Node)
		if c.Status != nil {
			keepSession(&o, known[at])
		}
		if !onlyPagesConfigured(c) {
			o.Pages = known[at].Pages
		}
		newest[at] = o
	}
	return newest
}

// nextRound returns a round that starts now with the observations of the last one. What its
// owner checks have shown is in the timelines already.
func (p *Prober) nextRound(last checks.Round) checks.Round {
	r := p.emptyRound(last.Cluster)
	r.Traces, r.FailoverChecks, r.AddressChecks = last.Traces, last.FailoverChecks, last.AddressChecks
	r.AcceptsAnyID, r.Handshakes = last.AcceptsAnyID, last.Handshakes
	r.Nodes, r.Balancers, r.Dependencies, r.Evidence = last.Nodes, last.Balancers, last.Dependencies, last.Evidence
	return r
}

// ask probes every node, and every balancer address of the last round. An address that is no
// longer configured, or was not resolved, keeps its observation.
func (p *Prober) ask(ctx context.Context, c *probes.Cluster, last checks.Round) (nodes []probes.NodeObservation, balancers []probes.BalancerObservation) {
	var wg panics.Group
	wg.Go(func() { nodes = p.askNodes(ctx, c, nil) })
	balancers = make([]probes.BalancerObservation, len(last.Balancers))
	for i, b := range last.Balancers {
		at := urlOf(c, b)
		if at == nil {
			balancers[i] = b
			continue
		}
		wg.Go(func() {
			balancers[i] = probes.Through(ctx, c, probes.Frontend{URL: at, Address: b.Address, Waiting: b.Waiting, NoRoute: b.NoRoute})
		})
	}
	wg.Wait()
	return nodes, balancers
}

// allHandshakes tries handshakes with every node, and at every balancer address of the last
// round.
func (p *Prober) allHandshakes(ctx context.Context, c *probes.Cluster, last []probes.BalancerObservation) []probes.HandshakeObservation {
	if c.Handshake == nil {
		return nil
	}
	seen := make([][]probes.HandshakeObservation, len(last)+1)
	var wg panics.Group
	for i, b := range last {
		if at := urlOf(c, b); at != nil {
			wg.Go(func() { seen[i] = p.handshakesThrough(ctx, c, probes.Frontend{URL: at, Address: b.Address}) })
		}
	}
	wg.Go(func() { seen[len(last)] = p.handshakesWithNodes(ctx, c) })
	wg.Wait()
	return slices.Concat(seen...)
}

// urlOf returns the configured URL of a probed balancer address, or nil if there is none.
func urlOf(c *probes.Cluster, b probes.BalancerObservation) *url.URL {
	at := slices.IndexFunc(c.Balancer.URLs, func(u *url.URL) bool { return u.Redacted() == b.URL })
	if at < 0 || !b.Address.IsValid() {
		return nil
	}
	return c.Balancer.URLs[at]
}

// onlyPagesConfigured reports whether pages are the only probes of a cluster's nodes.
func onlyPagesConfigured(c *probes.Cluster) bool { return c.Status == nil && c.Session == nil }

// withoutPages omits the pages, unless one of them is the primary request.
func withoutPages(c *probes.Cluster) *probes.Cluster {
	if onlyPagesConfigured(c) {
		return c
	}
	out := *c
	out.Pages = nil
	return &out
}

// withoutSession omits the session page of nodes that have a status page. A request to the session
// page leaves a session behind, and canaries check it anyway.
func withoutSession(c *probes.Cluster) *probes.Cluster {
	if c.Status == nil {
		return c
	}
	out := *c
	out.Session = nil
	return &out
}

// keepSession copies the data of the session page from an earlier observation.
func keepSession(o *probes.NodeObservation, earlier probes.NodeObservation) {
	o.Session, o.Label = earlier.Session, earlier.Label
	o.Version = cmp.Or(o.Version, earlier.Version)
}

func pagesOnly(c *probes.Cluster) *probes.Cluster {
	out := *c
	out.Status, out.Session, out.Version = nil, nil, nil
	return &out
}

// reportProbes reports the results of the parts of a round that were probed again.
func (w *Watcher) reportProbes(round checks.Round, jobKinds ...JobKind) {
	name := round.Cluster.Name
	probed := func(kind checks.TargetKind, target string, purpose Purpose, ex probes.Exchange) {
		w.observer.Probed(Probe{checks.Target{Cluster: name, Kind: kind, Name: target}, purpose, ex})
	}
	for _, jobKind := range jobKinds {
		switch jobKind {
		case Status:
			for _, o := range round.Nodes {
				probed(checks.TargetNode, o.Node, ForStatus, o.Primary)
			}
			for _, b := range round.Balancers {
				probed(checks.TargetBalancer, checks.BalancerName(b.URL, b.Address), ForStatus, b.Primary)
			}
		case Pages:
			for _, o := range round.Nodes {
				for _, ex := range o.Pages {
					probed(checks.TargetNode, o.Node, ForPage, ex)
				}
			}
		case Dependencies:
			for _, d := range round.Dependencies {
				ex := probes.Exchange{At: round.Started, Timing: probes.Timing{Total: d.Took}, Error: d.Error}
				if !d.Up {
					ex.Failure = probes.FailureOther
				}
				probed(checks.TargetDependency, d.Name, ForPing, ex)
			}
		}
	}
}
