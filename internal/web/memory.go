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
	slots     = 72
	shownDays = 90
	mostShown = 200 // moves of a page
)

// A record is what pages show of a cluster's past. It is shared and never
// changed.
type record struct {
	span        checks.Span // a window, up to the end of the slot that goes on
	points      map[checks.Target][]checks.Point
	uptimes     []checks.Uptime // over shownDays, of all targets
	days        map[checks.Target][]checks.Uptime
	moves       []checks.Move
	deployments []checks.Deployment
	err         error // why the rest is missing; nil: it is whole
}

// A memory shares records between those who look, for a while.
type memory struct {
	past   Past
	keep   time.Duration
	now    func() time.Time
	logger *slog.Logger

	mu   sync.Mutex
	kept map[key]*kept
}

// A key names a record.
type key struct {
	cluster string
	whole   bool
}

// kept is a record, or the place of one that is being read: who comes second
// waits for the first instead of reading the same.
type kept struct {
	mu     sync.Mutex
	at     time.Time
	record *record
}

// readingTime bounds reading a record. The present waits for it.
const readingTime = 5 * time.Second

func newMemory(c Config) *memory {
	return &memory{past: c.Past, keep: c.Remember, now: c.Now, logger: c.Logger, kept: map[key]*kept{}}
}

// brief is what the overview shows: the nodes' last hours, the balancer's days.
func (m *memory) brief(ctx context.Context, p Picture) *record {
	return m.recall(ctx, key{p.Cluster.Name, false}, func(r *reading) {
		r.nodes(p)
		r.calendar(checks.TargetBalancer)
	})
}

// whole is what a cluster's own page shows.
func (m *memory) whole(ctx context.Context, p Picture) *record {
	return m.recall(ctx, key{p.Cluster.Name, true}, func(r *reading) {
		r.nodes(p)
		r.calendar(checks.TargetBalancer, checks.TargetNode, checks.TargetDependency, checks.TargetSession)
		r.through()
		r.events()
	})
}

func (m *memory) recall(ctx context.Context, of key, read func(*reading)) *record {
	k := m.place(of)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := m.now()
	if k.record != nil && now.Sub(k.at) < m.keep {
		return k.record
	}
	// Others will see this record too: it must not end with whoever asked first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readingTime)
	defer cancel()
	r := newReading(ctx, m.past, of.cluster, now)
	read(r)
	if r.err != nil {
		m.logger.Error("reading the past for a page", "cluster", of.cluster, "err", r.err)
	}
	k.at, k.record = now, r.record
	return k.record
}

// place returns where a record is kept. There are as many places as clusters
// were ever configured, twice.
func (m *memory) place(of key) *kept {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[of]
	if !ok {
		k = &kept{}
		m.kept[of] = k
	}
	return k
}

// A reading fills a record, until the first error.
type reading struct {
	*record
	ctx     context.Context
	past    Past
	cluster string
	now     time.Time
}

func newReading(ctx context.Context, past Past, cluster string, now time.Time) *reading {
	r := &reading{ctx: ctx, past: past, cluster: cluster, now: now, record: &record{
		points: map[checks.Target][]checks.Point{},
		days:   map[checks.Target][]checks.Uptime{},
	}}
	month := checks.Span{From: now.Add(-shownDays * 24 * time.Hour), To: now}
	r.uptimes, r.err = past.Uptimes(ctx, cluster, month)
	return r
}

// nodes reads the last hours of every node, or less where there were none: a
// strip that is nearly empty tells nothing.
func (r *reading) nodes(p Picture) {
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
func (r *reading) fits(span checks.Span) bool {
	probes, seen := 0, 0
	for _, points := range r.points {
		for _, p := range points {
			if p.At.Before(span.From) {
				return false
			}
			probes, seen = probes+p.Probes, seen+1
		}
	}
	return seen > 0 && probes >= seen*int(slotTime(r.span)/slotTime(span))
}

// through reads the last hours of what goes through the balancer.
func (r *reading) through() {
	for _, u := range r.uptimes {
		if u.Kind == checks.TargetCanary || u.Kind == checks.TargetBalancer {
			r.hours(u.Target)
		}
	}
}

func (r *reading) hours(of checks.Target) {
	if r.err == nil {
		r.points[of], r.err = r.past.Points(r.ctx, of, r.span, slotTime(r.span))
	}
}

// calendar reads the days of every target of some kinds.
func (r *reading) calendar(kinds ...checks.TargetKind) {
	for _, u := range r.uptimes {
		if r.err == nil && slices.Contains(kinds, u.Kind) {
			r.days[u.Target], r.err = r.past.Days(r.ctx, u.Target, r.now, shownDays)
		}
	}
}

// events reads moves and deployments.
func (r *reading) events() {
	if r.err == nil {
		r.moves, r.err = r.past.Moves(r.ctx, r.cluster, r.span, mostShown)
	}
	if r.err == nil {
		r.deployments, r.err = r.past.Deployments(r.ctx, r.cluster, r.span)
	}
}
