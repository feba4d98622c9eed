package history

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"stickwatch/checks"
)

// Uptimes tells for every target of a cluster how much of a span it was up, by
// kind and name; targets without a probe in it are left out. The first hour of a
// span of a week or more, and the first day of one of eight weeks or more, counts
// only if it is whole.
func (r *Reader) Uptimes(ctx context.Context, cluster string, span checks.Span) ([]checks.Uptime, error) {
	uptimes, err := r.uptimes(ctx, cluster, span)
	if err != nil {
		return nil, fmt.Errorf("reading the uptimes of %q: %w", cluster, err)
	}
	return uptimes, nil
}

func (r *Reader) uptimes(ctx context.Context, cluster string, span checks.Span) ([]checks.Uptime, error) {
	tx, end, err := r.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	found, err := targets(ctx, tx, selectTargetsOfCluster, cluster)
	if err != nil {
		return nil, err
	}
	from, to := bounds(span)
	var all []checks.Uptime
	for _, t := range found {
		var sum bucket
		err := t.read(ctx, tx, alignStart(from, to), to, units[days], func(s timedBucket) { sum = sum.add(s.bucket) })
		if err != nil {
			return nil, err
		}
		if sum.probes > 0 {
			all = append(all, sum.uptime(t.Target, span))
		}
	}
	return all, nil
}

func (b bucket) uptime(of checks.Target, span checks.Span) checks.Uptime {
	return checks.Uptime{
		Target: of, Span: span, Probes: int(b.probes), Failed: int(b.failed), Ratio: b.ratio(), Longest: b.outage(),
	}
}

// Days tells a target's uptime for each of n days (UTC) up to the one that to is
// in, oldest first. A day without a probe is there, with none.
func (r *Reader) Days(ctx context.Context, of checks.Target, to time.Time, n int) ([]checks.Uptime, error) {
	const day = 24 * time.Hour
	first := to.UTC().Truncate(day).Add(-time.Duration(n-1) * day)
	sums := make([]bucket, max(n, 0))
	err := r.withTarget(ctx, of, func(tx *sql.Tx, t *target) error {
		from, to := bounds(checks.Span{From: first, To: first.Add(time.Duration(n) * day)})
		return t.read(ctx, tx, from, to, units[days], func(s timedBucket) {
			i := (s.ts - from) / units[days]
			sums[i] = sums[i].add(s.bucket)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the days of %q: %w", of.Name, err)
	}
	all := make([]checks.Uptime, 0, len(sums))
	for i, sum := range sums {
		at := first.Add(time.Duration(i) * day)
		all = append(all, sum.uptime(of, checks.Span{From: at, To: at.Add(day)}))
	}
	return all, nil
}
