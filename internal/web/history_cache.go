package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// Limits of the history on pages.
const (
	barBuckets   = 72
	uptimeDays   = 90
	maxPageMoves = 200
)

// A clusterHistory is the history of a cluster as pages show it. It is shared and immutable.
type clusterHistory struct {
	span        checks.Span // ends with the current bucket
	points      map[checks.Target][]checks.Point
	uptimes     []checks.Uptime  // of all targets over uptimeDays
	latencies   []checks.Latency // of nodes and addresses of the balancer over the span
	days        map[checks.Target][]checks.Uptime
	moves       []checks.Move // newest first
	moreMoves   bool          // there are earlier ones in the span
	deployments []checks.Deployment
	placements  []checks.Placement        // newest first
	changes     []checks.Change           // newest first
	met         []metSpan                 // nil: not read
	balancers   map[string]checks.Latency // of the balancers of all clusters over the span, by cluster
	err         error                     // why data is missing; nil: complete
}

// A historyCache shares histories between requests for a limited time.
type historyCache struct {
	history   History
	now       func() time.Time // that of the history
	logger    *slog.Logger
	histories *cache[cacheKey, *clusterHistory]
}

// A cacheKey identifies a history.
type cacheKey struct {
	cluster string // "": of all together
	full    bool
	span    time.Duration // its length; 0: the shortest of windows that shows everything
}

// historyTimeout bounds reading a history, because the current state is shown with it.
const historyTimeout = 5 * time.Second

func newHistoryCache(c Config) *historyCache {
	return &historyCache{history: c.History, now: c.Now, logger: c.Logger, histories: newCache[cacheKey, *clusterHistory](c, 0)}
}

// forOverview returns the history for the overview: the last hours of the nodes and of their
// sessions, and the days of the balancer and of the sessions.
func (h *historyCache) forOverview(ctx context.Context, s Snapshot, length time.Duration) *clusterHistory {
	return h.load(ctx, cacheKey{cluster: s.Cluster.Name, span: length}, func(r *historyReader) {
		r.targets()
		r.together(r.calendar(checks.TargetBalancer, checks.TargetSession), r.hours(s, length, checks.TargetSession))
	})
}

// balancers returns the latencies of the balancers of all clusters, read together.
func (h *historyCache) balancers(ctx context.Context, snapshots []Snapshot, length time.Duration) *clusterHistory {
	return h.load(ctx, cacheKey{span: length}, func(r *historyReader) {
		var clusters []string
		for _, s := range snapshots {
			clusters = append(clusters, s.Cluster.Name)
		}
		r.span = spanUntil(r.now, length)
		r.balancers, r.err = r.history.ClusterLatencies(r.ctx, clusters, r.span, checks.TargetBalancer)
	})
}

func (h *historyCache) forClusterPage(ctx context.Context, s Snapshot, length time.Duration) *clusterHistory {
	return h.load(ctx, cacheKey{s.Cluster.Name, true, length}, func(r *historyReader) {
		r.targets()
		reads := []func() error{
			r.calendar(checks.TargetBalancer, checks.TargetNode, checks.TargetDependency, checks.TargetSession),
			r.hours(s, length, checks.TargetCanary, checks.TargetBalancer, checks.TargetSession),
			r.percentiles, r.events,
		}
		if hasSessions(s) {
			reads = append(reads, r.sessions()...)
		}
		r.together(reads...)
	})
}

func (h *historyCache) load(ctx context.Context, of cacheKey, read func(*historyReader)) *clusterHistory {
	loaded, err := h.histories.load(ctx, of, h.histories.ttl, func() (*clusterHistory, error) {
		// Other requests share the result, so it must not be canceled with this request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), historyTimeout)
		defer cancel()
		r := newHistoryReader(ctx, h.history, of.cluster, h.now())
		read(r)
		if r.err != nil {
			h.logger.Error("reading the past for a page", "cluster", of.cluster, "err", r.err)
		}
		return r.clusterHistory, nil
	})
	if err != nil { // the client has left
		return &clusterHistory{span: spanUntil(h.now(), cmp.Or(of.span, windows[0])), err: err}
	}
	return loaded
}

// A historyReader reads a history until the first error.
type historyReader struct {
	*clusterHistory
	ctx     context.Context
	history History
	cluster string
	now     time.Time
}

func newHistoryReader(ctx context.Context, history History, cluster string, now time.Time) *historyReader {
	return &historyReader{ctx: ctx, history: history, cluster: cluster, now: now, clusterHistory: &clusterHistory{
		points: map[checks.Target][]checks.Point{},
	}}
}

// targets reads the uptimes, which show what targets there are.
func (r *historyReader) targets() {
	r.uptimes, r.err = r.history.Uptimes(r.ctx, r.cluster, checks.Span{From: r.now.Add(-uptimeDays * 24 * time.Hour), To: r.now})
}

// nodes reads the last hours of every node. It uses a shorter window for a short history,
// because a nearly empty bar shows nothing.
func (r *historyReader) nodes(s Snapshot) {
	for i, window := range windows {
		span := spanUntil(r.now, window)
		if i > 0 && !r.fits(span) {
			return
		}
		r.span = span
		r.together(r.readPoints(nodeTargets(s)))
	}
}

// together reads parts of the history, which do not depend on each other, side by side.
func (r *historyReader) together(reads ...func() error) {
	if r.err != nil {
		return
	}
	errs := make([]error, len(reads))
	var all panics.Group
	for i, read := range reads {
		all.Go(func() { errs[i] = read() })
	}
	all.Wait()
	r.err = errors.Join(errs...)
}

func nodeTargets(s Snapshot) (nodes []checks.Target) {
	for _, n := range s.Cluster.Nodes {
		nodes = append(nodes, checks.Target{Cluster: s.Cluster.Name, Kind: checks.TargetNode, Name: n.ID})
	}
	return nodes
}

// fits reports whether a shorter span contains all points that were read, with at least one
// probe in each of its buckets.
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

// ofKinds returns the targets of some kinds that have an uptime.
func (r *historyReader) ofKinds(kinds ...checks.TargetKind) (all []checks.Target) {
	for _, u := range r.uptimes {
		if slices.Contains(kinds, u.Kind) {
			all = append(all, u.Target)
		}
	}
	return all
}

// hours sets the span, and returns a function that reads the points in it: of the targets of some
// kinds, and of the nodes. If length is 0, it reads those of the nodes itself to select the span.
func (r *historyReader) hours(s Snapshot, length time.Duration, kinds ...checks.TargetKind) func() error {
	of := r.ofKinds(kinds...)
	if length > 0 {
		r.span = spanUntil(r.now, length)
		of = append(of, nodeTargets(s)...)
	} else {
		r.nodes(s)
	}
	return r.readPoints(of)
}

func (r *historyReader) readPoints(of []checks.Target) func() error {
	return func() error {
		points, err := r.history.Points(r.ctx, of, r.span, bucketWidth(r.span))
		maps.Copy(r.points, points)
		return err
	}
}

// calendar reads the days of every target of some kinds.
func (r *historyReader) calendar(kinds ...checks.TargetKind) func() error {
	return func() (err error) {
		r.days, err = r.history.Days(r.ctx, r.ofKinds(kinds...), r.now, uptimeDays)
		return err
	}
}

func (r *historyReader) percentiles() (err error) {
	r.latencies, err = r.history.Latencies(r.ctx, r.cluster, r.span, checks.TargetNode, checks.TargetBalancer)
	return err
}

// sessions reads where canaries were served, and what clients met in each span.
func (r *historyReader) sessions() []func() error {
	r.met = make([]metSpan, len(metSpans))
	reads := []func() error{func() (err error) {
		r.placements, err = r.history.Placements(r.ctx, r.cluster, r.span, maxMapRows)
		return err
	}}
	for i, length := range metSpans {
		reads = append(reads, func() error {
			span := checks.Span{From: r.now.Add(-length), To: r.now}
			// Also of the longest span: r.uptimes may be older, and have fewer requests than a shorter one.
			uptimes, err := r.history.Uptimes(r.ctx, r.cluster, span, checks.TargetSession)
			if err != nil {
				return err
			}
			r.met[i] = metSpan{length: length, uptime: checks.SessionUptime(uptimes)}
			r.met[i].moved, _, err = r.history.CountMoves(r.ctx, r.cluster, span)
			return err
		})
	}
	return reads
}

// events reads moves, deployments and changes of findings.
func (r *historyReader) events() (err error) {
	moves, err := r.history.Moves(r.ctx, r.cluster, r.span, maxPageMoves+1)
	r.moreMoves = len(moves) > maxPageMoves
	r.moves = moves[:min(len(moves), maxPageMoves)]
	if err == nil {
		r.deployments, err = r.history.Deployments(r.ctx, r.cluster, r.span)
	}
	if err == nil {
		r.changes, err = r.history.FindingChanges(r.ctx, r.cluster, r.span, maxMapRows)
	}
	return err
}
