package history

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"stickwatch/checks"
)

// A Reader answers questions about the past. It cannot write, and is not in the
// way of the one who does.
type Reader struct {
	pool *sql.DB
	path string
}

// OpenReader opens the history at path for reading, also while a daemon writes
// it. There must be one, with the schema that this program knows: see NewerError.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	// SQLite's own word for a missing file is "unable to open database file".
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	pool, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	if err := schemaOf(ctx, pool, path, migrations()); err != nil {
		return nil, closeWith(pool, err)
	}
	return &Reader{pool: pool, path: path}, nil
}

// Close ends the reader.
func (r *Reader) Close() error { return r.pool.Close() }

// closeWith closes db and returns the error that it is closed for.
func closeWith(db *sql.DB, err error) error {
	db.Close()
	return err
}

// snapshot is a transaction in which the past stands still, so that a question
// that takes several queries gets one answer.
func (r *Reader) snapshot(ctx context.Context) (*sql.Tx, func(), error) {
	tx, err := r.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	// Nothing was written: there is nothing that ending it could lose.
	return tx, func() { _ = tx.Rollback() }, nil
}

// queryJSON runs a query for one column of JSON, and decodes each row into a T.
func queryJSON[T any](ctx context.Context, q queryer, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var one T
		if err := decode(body, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// bounds turns a span into the bounds of a query. A zero From is the beginning of
// all, a zero To the end.
func bounds(span checks.Span) (from, to int64) {
	to = 1<<62 - 1
	if !span.To.IsZero() {
		to = ceilMillis(span.To)
	}
	if !span.From.IsZero() {
		from = ceilMillis(span.From)
	}
	return from, to
}

// ceilMillis rounds up, as what is asked for begins at the bound and not before.
func ceilMillis(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// maxRows bounds every list that is asked for without a limit.
const maxRows = 10_000

func clampLimit(limit int) int {
	if limit <= 0 || limit > maxRows {
		return maxRows
	}
	return limit
}

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
