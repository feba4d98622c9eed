package web

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
)

// What pages show of the past: the last hours in slots of a strip, and days.
const (
	barBuckets   = 72
	uptimeDays   = 90
	maxPageMoves = 200 // moves of a page
)

// A clusterHistory is what pages show of a cluster's past. It is shared and never
// changed.
type clusterHistory struct {
	span        checks.Span // a window, up to the end of the slot that goes on
	points      map[checks.Target][]checks.Point
	uptimes     []checks.Uptime // over uptimeDays, of all targets
	days        map[checks.Target][]checks.Uptime
	moves       []checks.Move
	deployments []checks.Deployment
	err         error // why the rest is missing; nil: it is whole
}

// A historyCache shares records between those who look, for a while.
type historyCache struct {
	history History
	ttl     time.Duration
	now     func() time.Time
	logger  *slog.Logger

	mu   sync.Mutex
	kept map[cacheKey]*kept
}

// A cacheKey names a record.
type cacheKey struct {
	cluster string
	full    bool
}

// kept is a record, or the place of one that is being read: who comes second
// waits for the first instead of reading the same.
type kept struct {
	mu             sync.Mutex
	at             time.Time
	clusterHistory *clusterHistory
}

// historyTimeout bounds reading a record. The present waits for it.
const historyTimeout = 5 * time.Second

func newHistoryCache(c Config) *historyCache {
	return &historyCache{history: c.History, ttl: c.CacheFor, now: c.Now, logger: c.Logger, kept: map[cacheKey]*kept{}}
}

// forOverview is what the overview shows: the nodes' last hours, the balancer's days.
func (m *historyCache) forOverview(ctx context.Context, p Snapshot) *clusterHistory {
	return m.load(ctx, cacheKey{p.Cluster.Name, false}, func(r *historyReader) {
		r.nodes(p)
		r.calendar(checks.TargetBalancer)
	})
}

// forClusterPage is what a cluster's own page shows.
func (m *historyCache) forClusterPage(ctx context.Context, p Snapshot) *clusterHistory {
	return m.load(ctx, cacheKey{p.Cluster.Name, true}, func(r *historyReader) {
		r.nodes(p)
		r.calendar(checks.TargetBalancer, checks.TargetNode, checks.TargetDependency, checks.TargetSession)
		r.readFrontends()
		r.events()
	})
}

func (m *historyCache) load(ctx context.Context, of cacheKey, read func(*historyReader)) *clusterHistory {
	k := m.entry(of)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := m.now()
	if k.clusterHistory != nil && now.Sub(k.at) < m.ttl {
		return k.clusterHistory
	}
	// Others will see this record too: it must not end with whoever asked first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), historyTimeout)
	defer cancel()
	r := newHistoryReader(ctx, m.history, of.cluster, now)
	read(r)
	if r.err != nil {
		m.logger.Error("reading the past for a page", "cluster", of.cluster, "err", r.err)
	}
	k.at, k.clusterHistory = now, r.clusterHistory
	return k.clusterHistory
}

// entry returns where a record is kept. There are as many places as clusters
// were ever configured, twice.
func (m *historyCache) entry(of cacheKey) *kept {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[of]
	if !ok {
		k = &kept{}
		m.kept[of] = k
	}
	return k
}

// A historyReader fills a record, until the first error.
type historyReader struct {
	*clusterHistory
	ctx     context.Context
	history History
	cluster string
	now     time.Time
}

func newHistoryReader(ctx context.Context, history History, cluster string, now time.Time) *historyReader {
	r := &historyReader{ctx: ctx, history: history, cluster: cluster, now: now, clusterHistory: &clusterHistory{
		points: map[checks.Target][]checks.Point{},
		days:   map[checks.Target][]checks.Uptime{},
	}}
	month := checks.Span{From: now.Add(-uptimeDays * 24 * time.Hour), To: now}
	r.uptimes, r.err = history.Uptimes(ctx, cluster, month)
	return r
}

// nodes reads the last hours of every node, or less where there were none: a
// strip that is nearly empty tells nothing.
func (r *historyReader) nodes(p Snapshot) {
	for i, window := range windows {
		span := spanUntil(r.now, window)
		if i > 0 && !r.fits(span) {
			return
		}
		r.span = span
		for _, n := range p.Cluster.Nodes {
			r.hours(checks.Target{Cluster: r.cluster, Kind: checks.TargetNode, Name: n.ID})
		}
	}
}

// fits reports whether a narrower span has all that was read, and enough of it
// for a probe in each of its slots.
func (r *historyReader) fits(span checks.Span) bool {
	probes, seen := 0, 0
	for _, points := range r.points {
		for _, p := range points {
			if p.At.Before(span.From) {
				return false
			}
			probes, seen = probes+p.Probes, seen+1
		}
	}
	return seen > 0 && probes >= seen*int(bucketWidth(r.span)/bucketWidth(span))
}

// readFrontends reads the last hours of what goes through the balancer.
func (r *historyReader) readFrontends() {
	for _, u := range r.uptimes {
		if u.Kind == checks.TargetCanary || u.Kind == checks.TargetBalancer {
			r.hours(u.Target)
		}
	}
}

func (r *historyReader) hours(of checks.Target) {
	if r.err == nil {
		r.points[of], r.err = r.history.Points(r.ctx, of, r.span, bucketWidth(r.span))
	}
}

// calendar reads the days of every target of some kinds.
func (r *historyReader) calendar(kinds ...checks.TargetKind) {
	for _, u := range r.uptimes {
		if r.err == nil && slices.Contains(kinds, u.Kind) {
			r.days[u.Target], r.err = r.history.Days(r.ctx, u.Target, r.now, uptimeDays)
		}
	}
}

// events reads moves and deployments.
func (r *historyReader) events() {
	if r.err == nil {
		r.moves, r.err = r.history.Moves(r.ctx, r.cluster, r.span, maxPageMoves)
	}
	if r.err == nil {
		r.deployments, r.err = r.history.Deployments(r.ctx, r.cluster, r.span)
	}
}
