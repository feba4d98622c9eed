package history

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"stickwatch/checks"
)

// maxPoints bounds an answer: no screen shows more.
const maxPoints = 20_000

// Points tells a target's probes over a span, a point for each step in which
// there were any, oldest first. A step is a whole number of milliseconds; points
// begin where step divides the time since 1970 UTC. What is so old that only
// coarser sums are kept is told in points of a minute, an hour or a day.
func (r *Reader) Points(ctx context.Context, of checks.Target, span checks.Span, step time.Duration) ([]checks.Point, error) {
	from, to := bounds(span)
	width := step.Milliseconds()
	if width < 1 || (!span.To.IsZero() && !span.From.IsZero() && (to-from)/width > maxPoints) {
		return nil, fmt.Errorf("reading the points of %q: a step of %s cuts %s into none or more than %d points",
			of.Name, step, span.To.Sub(span.From), maxPoints)
	}
	var points series
	points.width = width
	err := r.withTarget(ctx, of, func(tx *sql.Tx, t *target) error {
		return t.read(ctx, tx, from, to, width, points.add)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the points of %q: %w", of.Name, err)
	}
	return points.points(), nil
}

// withTarget calls look with the target of a name; not at all when it was never probed.
func (r *Reader) withTarget(ctx context.Context, of checks.Target, read func(*sql.Tx, *target) error) error {
	tx, end, err := r.snapshot(ctx)
	if err != nil {
		return err
	}
	defer end()
	found, err := targets(ctx, tx, selectTarget, of.Cluster, string(of.Kind), of.Name)
	if err != nil || len(found) == 0 {
		return err
	}
	return read(tx, found[0])
}

// A series puts buckets together by step.
type series struct {
	width int64 // milliseconds
	slots []timedBucket
}

func (s *series) add(next timedBucket) {
	at := next.ts - next.ts%s.width
	if n := len(s.slots); n == 0 || s.slots[n-1].ts != at {
		if n >= 2*maxPoints {
			return // a span without an end, in steps too short for it
		}
		s.slots = append(s.slots, timedBucket{ts: at})
	}
	last := &s.slots[len(s.slots)-1]
	last.bucket = last.bucket.add(next.bucket)
}

func (s *series) points() []checks.Point {
	points := make([]checks.Point, 0, len(s.slots))
	for _, s := range s.slots {
		points = append(points, checks.Point{
			At: timeOf(s.ts), Probes: int(s.probes), Failed: int(s.failed),
			Mean: s.mean(), Max: time.Duration(s.slowest) * time.Microsecond,
		})
	}
	return points
}

// Targets that were ever probed of a cluster, by kind and name.
func (r *Reader) Targets(ctx context.Context, cluster string) ([]checks.Target, error) {
	found, err := targets(ctx, r.pool, selectTargetsOfCluster, cluster)
	if err != nil {
		return nil, fmt.Errorf("reading the targets of %q: %w", cluster, err)
	}
	all := make([]checks.Target, 0, len(found))
	for _, t := range found {
		all = append(all, t.Target)
	}
	return all, nil
}

// Clusters that were ever probed, by name.
func (r *Reader) Clusters(ctx context.Context) ([]string, error) {
	rows, err := r.pool.QueryContext(ctx, selectClusters)
	if err != nil {
		return nil, fmt.Errorf("reading the clusters: %w", err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("reading the clusters: %w", err)
		}
		all = append(all, name)
	}
	return all, rows.Err()
}
