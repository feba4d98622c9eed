package daemon

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"stickwatch/checks"
)

// A placementRecorder sums the requests of canaries up to placements. A canary that is
// answered as before extends its placement, so that a calm cluster stores next to nothing.
// It also bounds what a session that never stays costs: a token bucket of maxChanges changes
// is refilled by one each changeEvery; while it is empty, changes are stored as SeveralNodes.
type placementRecorder struct {
	mu   sync.Mutex
	open map[placementKey]*openPlacement
}

type placementKey struct{ cluster, balancer, owner string }

// An openPlacement is the newest placement of a key.
type openPlacement struct {
	checks.Placement
	saved   time.Time        // To as stored
	pause   time.Duration    // longest time between two requests, of which earlier ones count less and less
	changes *rate.Limiter    // changes that may be stored
	newest  checks.Placement // requests since the last change, stored or not
}

const (
	// placementSaveEvery bounds what a crash loses, and what storing costs. A page takes a longer time
	// without requests for a gap.
	placementSaveEvery = checks.PlacementGap / 2
	// maxChanges is what a rolling restart of a large cluster needs; changeEvery bounds a
	// permanent drift to 480 rows a day.
	maxChanges  = 20
	changeEvery = 3 * time.Minute
	// A session that stayed on a node for this long is stored as being there, whatever it did before.
	stayedLongEnough = time.Minute
)

// observe returns the placements that a request completes or begins, to be stored. A
// placement that was stored before replaces the stored one. Where a node loses every session at
// once, only new clients show it.
func (p *placementRecorder) observe(request checks.Request) []checks.Placement {
	if !request.Canary && !request.Outcome.Harmful() || request.Node == "" || request.Outcome == checks.OutcomeUnknown {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := placementKey{request.Cluster, request.Balancer, request.Node}
	o := p.open[key]
	if o == nil {
		if p.open == nil {
			p.open = make(map[placementKey]*openPlacement)
		}
		o = &openPlacement{
			Placement: placementOf(request), newest: placementOf(request), saved: request.At,
			changes: rate.NewLimiter(rate.Every(changeEvery), maxChanges),
		}
		p.open[key] = o
		return []checks.Placement{o.Placement}
	}
	return o.observe(request)
}

func placementOf(q checks.Request) checks.Placement {
	return checks.Placement{
		Cluster: q.Cluster, Balancer: q.Balancer, Owner: q.Node,
		Span: checks.Span{From: q.At, To: q.At}, Node: q.Served, Outcome: q.Outcome,
	}
}

func (o *openPlacement) observe(request checks.Request) []checks.Placement {
	pause := request.At.Sub(o.To)
	interrupted := pause > max(checks.PlacementGap, 3*o.pause) // longer than usual, too
	o.pause = max(pause, o.pause-o.pause/8)
	if !request.Canary && !interrupted && o.Outcome.Harmful() {
		return o.extend(request.At) // new clients show that the harm goes on, and canaries what it is
	}
	if interrupted || o.newest.Node != request.Served || o.newest.Outcome != request.Outcome {
		o.newest = placementOf(request)
	}
	if request.At.After(o.newest.To) {
		o.newest.To = request.At
	}
	if !interrupted && o.Node == request.Served && o.Outcome == request.Outcome {
		return o.extend(request.At)
	}
	if allowed := o.changes.AllowN(request.At, 1); allowed || interrupted || request.At.Sub(o.newest.From) >= stayedLongEnough {
		return o.replace(o.newest)
	}
	if o.Node != request.Served {
		o.Node = checks.SeveralNodes
	}
	if request.Outcome.WorseThan(o.Outcome) {
		o.Outcome = request.Outcome
	}
	return o.extend(request.At)
}

// extend moves the end of the placement. Requests of two canaries may end in any order.
func (o *openPlacement) extend(to time.Time) []checks.Placement {
	if to.After(o.To) {
		o.To = to
	}
	if o.To.Sub(o.saved) < placementSaveEvery {
		return nil
	}
	o.saved = o.To
	return []checks.Placement{o.Placement}
}

// replace begins another placement. Its first request may have been sent before those of the
// one that ends.
func (o *openPlacement) replace(next checks.Placement) []checks.Placement {
	ended := o.Placement
	o.Placement = next
	if !next.From.After(ended.From) { // no two placements of a session may begin together: From is part of the key of its row
		o.From = ended.From.Add(time.Millisecond)
	}
	if o.To.Before(o.From) {
		o.To = o.From
	}
	if ended.To.After(o.From) {
		ended.To = o.From
	}
	o.saved = o.To
	return []checks.Placement{ended, o.Placement}
}

// forget drops a cluster that is no longer watched.
func (p *placementRecorder) forget(cluster string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.open, func(key placementKey, _ *openPlacement) bool { return key.cluster == cluster })
}

// unsaved returns the placements whose end has not been stored.
func (p *placementRecorder) unsaved() []checks.Placement {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []checks.Placement
	for _, o := range p.open {
		if o.To.After(o.saved) {
			o.saved = o.To
			list = append(list, o.Placement)
		}
	}
	return list
}
