package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// A Reader queries the history. It cannot write, and does not block the writer.
type Reader struct {
	pool *sql.DB
	path string // of the file, or the address of the database without its password
}

// OpenReader opens the history at path for reading; see Config.Path. A daemon may be writing it.
// It must exist and have the schema version of this program.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	if IsDatabase(path) {
		return openDatabaseReader(ctx, path)
	}
	return openFileReader(ctx, path)
}

func openFileReader(ctx context.Context, path string) (*Reader, error) {
	// SQLite reports a missing file as "unable to open database file".
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	pool, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	if err := checkSchema(ctx, pool, path, migrations()); err != nil {
		return nil, closeWith(pool, err)
	}
	return &Reader{pool: pool, path: path}, nil
}

// Close closes the reader.
func (r *Reader) Close() error { return r.pool.Close() }

// closeWith closes db and returns err.
func closeWith(db *sql.DB, err error) error {
	db.Close()
	return err
}

// inSnapshot calls read with a read transaction, so that several queries see the same data.
func (r *Reader) inSnapshot(ctx context.Context, read func(*sql.Tx) error) error {
	tx, err := r.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}) // SQLite has no other
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a read transaction has nothing to commit
	return read(tx)
}

// queryer is implemented by *sql.Tx, *transaction and *sql.DB.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// eachRow runs a query and calls scan for each row.
func eachRow(ctx context.Context, q queryer, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// queryAll runs a query and returns its rows, each scanned into a T.
func queryAll[T any](ctx context.Context, q queryer, scan func(*sql.Rows, *T) error, query string, args ...any) (all []T, err error) {
	err = eachRow(ctx, q, func(rows *sql.Rows) error {
		var one T
		err := scan(rows, &one)
		all = append(all, one)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// queryColumn runs a query with one column.
func queryColumn[T any](ctx context.Context, q queryer, query string, args ...any) ([]T, error) {
	return queryAll(ctx, q, func(rows *sql.Rows, one *T) error { return rows.Scan(one) }, query, args...)
}

// queryMap runs a query with two columns, of which the first is a key.
func queryMap[T any](ctx context.Context, q queryer, query string, args ...any) (map[string]T, error) {
	all := make(map[string]T)
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var key string
		var value T
		err := rows.Scan(&key, &value)
		all[key] = value
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// queryJSON runs a query with one JSON column and decodes each row into a T.
func queryJSON[T any](ctx context.Context, q queryer, query string, args ...any) (all []T, err error) {
	err = eachJSON(ctx, q, func(one T) bool {
		all = append(all, one)
		return true
	}, query, args...)
	return all, err
}

// maxDecoded bounds the rows that eachJSON decodes at a time.
const maxDecoded = 64

// eachJSON is queryJSON for a yield that returns false to stop. It decodes rows in parallel, because
// decoding takes longer than reading them: few at first, because many callers want few.
func eachJSON[T any](ctx context.Context, q queryer, yield func(T) bool, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for more, atOnce := true, min(runtime.GOMAXPROCS(0), maxDecoded); more; atOnce = min(2*atOnce, maxDecoded) {
		var bodies [][]byte
		for len(bodies) < atOnce {
			if more = rows.Next(); !more {
				break
			}
			var body []byte
			if err := rows.Scan(&body); err != nil {
				return err
			}
			bodies = append(bodies, body)
		}
		decoded, errs := make([]T, len(bodies)), make([]error, len(bodies))
		var wg panics.Group
		workers := min(runtime.GOMAXPROCS(0), len(bodies))
		for first := range workers {
			wg.Go(func() {
				for i := first; i < len(bodies); i += workers {
					errs[i] = decode(bodies[i], &decoded[i])
				}
			})
		}
		wg.Wait()
		for i, one := range decoded {
			if errs[i] != nil {
				return errs[i]
			}
			if !yield(one) {
				return nil
			}
		}
	}
	return rows.Err()
}

// bounds converts a span to the bounds of a query. A zero From or To means unbounded.
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

// ceilMillis rounds up to milliseconds, so that nothing before t is included.
func ceilMillis(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// maxRows bounds every list without a limit.
const maxRows = 10_000

func clampLimit(limit int) int {
	if limit <= 0 || limit > maxRows {
		return maxRows
	}
	return limit
}

// maxPoints bounds the points of one query.
const maxPoints = 20_000

// Points returns the probes of targets over a span as one point for each step that has probes,
// oldest first. A step is a whole number of milliseconds, and points are aligned to multiples of
// step since 1970 UTC. Old data has points of a minute, an hour or a day, because only aggregates
// are left.
func (r *Reader) Points(ctx context.Context, of []checks.Target, span checks.Span, step time.Duration) (map[checks.Target][]checks.Point, error) {
	from, to := bounds(span)
	width := step.Milliseconds()
	if width < 1 || (!span.To.IsZero() && !span.From.IsZero() && (to-from)/width > maxPoints) {
		return nil, fmt.Errorf("reading points: a step of %s cuts %s into none or more than %d points", step, span.To.Sub(span.From), maxPoints)
	}
	all := make(map[checks.Target][]checks.Point, len(of))
	read := func(tx queryer, list []*target) ([]series, error) { return readSums(ctx, tx, list, from, to, width) }
	err := r.eachSeries(ctx, of, read, func(t checks.Target, s series) { all[t] = s.points() })
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	return all, nil
}

// eachSeries calls yield with the series of each target. It omits unknown targets. It reads in one
// transaction.
func (r *Reader) eachSeries(ctx context.Context, of []checks.Target, read func(queryer, []*target) ([]series, error), yield func(checks.Target, series)) error {
	wanted := make(map[string][]checks.Target)
	for _, t := range of {
		wanted[t.Cluster] = append(wanted[t.Cluster], t)
	}
	return r.inSnapshot(ctx, func(tx *sql.Tx) error {
		var list []*target
		for cluster, some := range wanted {
			found, err := targets(ctx, tx, selectTargetsOfCluster, cluster)
			if err != nil {
				return err
			}
			list = append(list, slices.DeleteFunc(found, func(t *target) bool { return !slices.Contains(some, t.Target) })...)
		}
		sums, err := read(tx, list)
		if err != nil {
			return err
		}
		for i, t := range list {
			yield(t.Target, sums[i])
		}
		return nil
	})
}

// A series adds up buckets by step.
type series struct {
	width int64 // milliseconds
	steps []timedBucket
}

func (s *series) add(next timedBucket) {
	at := next.ts - next.ts%s.width
	if n := len(s.steps); n == 0 || s.steps[n-1].ts != at {
		if n >= 2*maxPoints {
			return // unbounded span with too short a step
		}
		s.steps = append(s.steps, timedBucket{ts: at})
	}
	last := &s.steps[len(s.steps)-1]
	last.bucket = last.add(next.bucket)
}

func (s *series) points() []checks.Point {
	points := make([]checks.Point, 0, len(s.steps))
	for _, b := range s.steps {
		points = append(points, checks.Point{
			At: timeOf(b.ts), Probes: int(b.probes), Failed: int(b.failed), Unanswered: int(b.unanswered),
			Mean: b.mean(), Max: time.Duration(b.slowest) * time.Microsecond,
		})
	}
	return points
}

// Clusters returns the names of the clusters that were ever probed, sorted.
func (r *Reader) Clusters(ctx context.Context) ([]string, error) {
	all, err := queryColumn[string](ctx, r.pool, selectClusters)
	if err != nil {
		return nil, fmt.Errorf("reading the clusters: %w", err)
	}
	return all, nil
}

// Uptimes returns the uptime of every target of a cluster in a span, or of those of some kinds,
// by kind and name. It omits targets without probes. A span of at least a week starts at the next whole hour, and a
// span of at least eight weeks at the next whole day.
func (r *Reader) Uptimes(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Uptime, error) {
	var all []checks.Uptime
	err := r.inSnapshot(ctx, func(tx *sql.Tx) error {
		found, err := targetsOf(ctx, tx, cluster, kinds)
		if err != nil {
			return err
		}
		const whole = 1 << 62 // one step for the span
		from, to := bounds(span)
		sums, err := readSeries(ctx, tx, found, alignStart(from, to), to, units[days], whole)
		if err != nil {
			return err
		}
		for i, t := range found {
			for _, sum := range sums[i].steps {
				all = append(all, sum.uptime(t.Target, span))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the uptimes of %q: %w", cluster, err)
	}
	return all, nil
}

// targetsOf returns the targets of a cluster, or those of some kinds.
func targetsOf(ctx context.Context, q queryer, cluster string, kinds []checks.TargetKind) ([]*target, error) {
	found, err := targets(ctx, q, selectTargetsOfCluster, cluster)
	if err != nil || len(kinds) == 0 {
		return found, err
	}
	return slices.DeleteFunc(found, func(t *target) bool { return !slices.Contains(kinds, t.Kind) }), nil
}

func (b bucket) uptime(of checks.Target, span checks.Span) checks.Uptime {
	return checks.Uptime{
		Target: of, Span: span, Probes: int(b.probes), Failed: int(b.failed), Unanswered: int(b.unanswered),
		Ratio: b.ratio(), Longest: b.outage(),
	}
}

// Days returns the uptimes of targets for each of n days (UTC), oldest first. The last day
// contains to. Days without probes are included.
func (r *Reader) Days(ctx context.Context, of []checks.Target, to time.Time, n int) (map[checks.Target][]checks.Uptime, error) {
	const day = 24 * time.Hour
	first := to.UTC().Truncate(day).Add(-time.Duration(n-1) * day)
	all := make(map[checks.Target][]checks.Uptime, len(of))
	for _, t := range of {
		for i := range n {
			at := first.Add(time.Duration(i) * day)
			all[t] = append(all[t], bucket{}.uptime(t, checks.Span{From: at, To: at.Add(day)}))
		}
	}
	from, end := bounds(checks.Span{From: first, To: first.Add(time.Duration(n) * day)})
	read := func(tx queryer, list []*target) ([]series, error) {
		return readSeries(ctx, tx, list, from, end, units[days], units[days])
	}
	err := r.eachSeries(ctx, of, read, func(t checks.Target, s series) {
		for _, day := range s.steps {
			u := &all[t][(day.ts-from)/units[days]]
			*u = day.uptime(t, u.Span)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading days: %w", err)
	}
	return all, nil
}

// Moves returns the session moves of a cluster in a span, newest first. An empty cluster
// selects all. A limit of 0 selects the maximum of 10000.
func (r *Reader) Moves(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error) {
	from, to := bounds(span)
	statement, args := ofCluster(selectMoves, cluster, from, to, clampLimit(limit))
	all, err := queryAll(ctx, r.pool, func(rows *sql.Rows, m *checks.Move) error {
		var cause string
		var message sql.NullString
		if err := rows.Scan(&m.Cluster, (*unixMilli)(&m.At), &m.From, &m.To, &m.Kept, &m.Session, &cause, &message); err != nil {
			return err
		}
		m.Cause = checks.Quote(cause) // rows of earlier versions have only this text
		if !message.Valid {
			return nil
		}
		return json.Unmarshal([]byte(message.String), &m.Cause)
	}, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading moves: %w", err)
	}
	return all, nil
}

// Changes returns the changes of a cluster's findings in a span, newest first. An empty
// cluster selects all. A limit of 0 selects the maximum of 10000.
func (r *Reader) Changes(ctx context.Context, cluster string, span checks.Span, limit int) ([]Change, error) {
	from, to := bounds(span)
	statement, args := ofCluster(selectChanges, cluster, from, to, clampLimit(limit))
	all, err := queryAll(ctx, r.pool, func(rows *sql.Rows, c *Change) error {
		var body []byte
		if err := rows.Scan(&c.Cluster, &body); err != nil {
			return err
		}
		return json.Unmarshal(body, &c.Change)
	}, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading changes: %w", err)
	}
	return all, nil
}

// Placements returns where the canaries of a cluster were served in a span, newest first. A
// limit of 0 selects the maximum of 10000.
func (r *Reader) Placements(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Placement, error) {
	from, to := bounds(span)
	all, err := queryAll(ctx, r.pool, func(rows *sql.Rows, p *checks.Placement) error {
		return rows.Scan(&p.Cluster, &p.Balancer, &p.Owner, (*unixMilli)(&p.From), (*unixMilli)(&p.To), &p.Node, &p.Outcome)
	}, selectPlacements, cluster, from, to, clampLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("reading placements: %w", err)
	}
	return all, nil
}

// CountMoves returns how many sessions of a cluster moved in a span, and how many of them were
// lost. Each session counts once.
func (r *Reader) CountMoves(ctx context.Context, cluster string, span checks.Span) (moved, lost int, err error) {
	from, to := bounds(span)
	if err := r.pool.QueryRowContext(ctx, countMoves, cluster, from, to).Scan(&moved, &lost); err != nil {
		return 0, 0, fmt.Errorf("counting moves of %q: %w", cluster, err)
	}
	return moved, lost, nil
}

// CountsOf returns the effects on the clients of a cluster in a span. A session that moved counts once.
// Of those that were lost on their own node, canaries of one node that lost theirs together count once,
// so the number of lost sessions is a lower bound. Longest is the longest period in which the
// balancer, or the canaries of one node, got no good response.
func (r *Reader) CountsOf(ctx context.Context, cluster string, span checks.Span) (alerting.Counts, error) {
	var c alerting.Counts
	var err error
	if c.Moved, c.Lost, err = r.CountMoves(ctx, cluster, span); err != nil {
		return c, err
	}
	inPlace := 0
	from, to := bounds(span)
	if err := r.pool.QueryRowContext(ctx, countLostInPlace, cluster, from, from, to).Scan(&inPlace); err != nil {
		return c, fmt.Errorf("counting lost sessions of %q: %w", cluster, err)
	}
	c.Lost += inPlace
	uptimes, err := r.Uptimes(ctx, cluster, span, checks.TargetBalancer, checks.TargetCanary)
	if err != nil {
		return c, err
	}
	for _, u := range uptimes {
		c.Longest = max(c.Longest, u.Longest)
	}
	return c, nil
}
