package history

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"stickwatch/checks"
)

// Times and lengths in this file are in milliseconds, times since 1970. Only the column ts of a level has the
// number of the bucket since then, in units[level].

// A target is a row of the table targets: a checks.Target and the progress of its aggregation.
type target struct {
	id int64
	checks.Target
	// since is the start of each level's rows. It is a bucket boundary of the next level, so
	// that no bucket is recomputed from a part of its rows.
	since [levels]int64
	// until is the end of each level's aggregates. until[samples] is unused.
	until [levels]int64
}

// newTarget returns a target whose history begins with the day of ts.
func newTarget(of checks.Target, ts int64) *target {
	t := &target{Target: of}
	begin := days.floor(ts)
	for l := range levels {
		t.since[l], t.until[l] = begin, begin
	}
	return t
}

// fields returns the scan destinations of targetColumns.
func (t *target) fields() []any {
	return []any{
		&t.id, &t.Cluster, &t.Kind, &t.Name,
		&t.since[samples], &t.since[minutes], &t.since[hours], &t.since[days],
		&t.until[minutes], &t.until[hours], &t.until[days],
	}
}

// progress returns the columns that change.
func (t *target) progress() []any {
	return []any{
		t.since[samples], t.since[minutes], t.since[hours], t.since[days],
		t.until[minutes], t.until[hours], t.until[days],
	}
}

func (t *target) insert(ctx context.Context, tx *transaction) error {
	args := append([]any{t.Cluster, t.Kind, t.Name}, t.progress()...)
	return tx.QueryRowContext(ctx, insertTarget, args...).Scan(t.fields()...)
}

func (t *target) update(ctx context.Context, tx *transaction) error {
	_, err := tx.ExecContext(ctx, updateTarget, append(t.progress(), t.id)...)
	return err
}

// targets runs a query of targets.
func targets(ctx context.Context, q queryer, query string, args ...any) ([]*target, error) {
	return queryAll(ctx, q, func(rows *sql.Rows, t **target) error {
		*t = new(target)
		return rows.Scan((*t).fields()...)
	}, query, args...)
}

// oldest returns the time of the oldest row of a level at or after from.
// found is false if there is none.
func (t *target) oldest(ctx context.Context, tx *transaction, l level, from int64) (ts int64, found bool, err error) {
	err = tx.QueryRowContext(ctx, selectOldest[l], t.id, l.ceil(from)/units[l]).Scan(&ts)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return ts * units[l], err == nil, err
}

// transactionSpan bounds the time range that one transaction aggregates or deletes. A range
// has at most a few thousand rows.
var transactionSpan = [levels]int64{units[hours], units[days], 30 * units[days], 400 * units[days]}

// rollUp computes the buckets of l that end before limit, as far as one transaction should go.
func (t *target) rollUp(ctx context.Context, tx *transaction, l level, limit int64) (more bool, err error) {
	if l > minutes {
		limit = min(limit, t.until[l-1])
	}
	if limit = l.floor(limit); limit <= t.until[l] {
		return false, nil
	}
	from, found, err := t.oldest(ctx, tx, l-1, t.until[l])
	if err != nil {
		return false, err
	}
	if !found || from >= limit {
		t.until[l] = limit
		return false, nil
	}
	from = l.floor(from)
	to := min(limit, l.ceil(from+transactionSpan[l-1]))
	if err := l.rollUp(ctx, tx, t.id, from, to); err != nil {
		return false, err
	}
	t.until[l] = to
	return to < limit, nil
}

// recompute recomputes the buckets of a late sample at ts.
func (t *target) recompute(ctx context.Context, tx *transaction, ts int64) error {
	for l := minutes; l < levels && ts < t.until[l]; l++ {
		if err := l.rollUp(ctx, tx, t.id, l.floor(ts), l.floor(ts)+units[l]); err != nil {
			return err
		}
	}
	return nil
}

// trim deletes rows of l before limit, as far as one transaction should go. It keeps rows that
// are not aggregated yet.
func (t *target) trim(ctx context.Context, tx *transaction, l level, limit int64) (more bool, err error) {
	next := min(l+1, days)
	if l < days {
		limit = min(limit, t.until[next])
	}
	if limit = next.floor(limit); limit <= t.since[l] {
		return false, nil
	}
	if tx.engine.partitionLength(l) > 0 {
		t.since[l] = limit
		return false, nil
	}
	from, found, err := t.oldest(ctx, tx, l, 0)
	if err != nil {
		return false, err
	}
	if !found || from >= limit {
		t.since[l] = limit
		return false, nil
	}
	to := min(limit, next.ceil(from+transactionSpan[l]))
	if _, err := tx.ExecContext(ctx, deleteBuckets[l], t.id, to/units[l]); err != nil {
		return false, err
	}
	t.since[l] = max(to, t.since[l])
	return to < limit, nil
}

// timeOf converts a column to a time.
func timeOf(ts int64) time.Time { return time.UnixMilli(ts).UTC() }

// A unixMilli is a time whose column has milliseconds since 1970; the zero time is NULL.
type unixMilli time.Time

// Scan implements sql.Scanner.
func (u *unixMilli) Scan(value any) error {
	var ts sql.NullInt64
	err := ts.Scan(value)
	if *u = (unixMilli{}); ts.Valid {
		*u = unixMilli(timeOf(ts.Int64))
	}
	return err
}

// A segment is a part of a span that is read from one level.
type segment struct {
	level
	from, to int64
}

// split splits [from, to) into segments, oldest first. It prefers the coarsest level, from l
// down, whose buckets divide step and exist. It uses finer levels at the edges and for the
// newest time, and coarser levels for old data that has no finer one. There, buckets that from
// or to cut are included as a whole.
func (t *target) split(l level, from, to, step int64) []segment {
	if from >= to {
		return nil
	}
	if l == samples {
		return []segment{{samples, from, to}}
	}
	// Before finest, l is the finest level.
	finest := t.since[l-1]
	begin, end := l.ceil(from), l.floor(min(to, t.until[l]))
	if from < finest {
		begin = l.floor(from)
	}
	if to <= finest {
		end = min(l.ceil(to), t.until[l])
	}
	if step%units[l] != 0 {
		end = min(end, finest)
	}
	if begin >= end {
		return t.split(l-1, from, to, step)
	}
	segments := t.split(l-1, from, min(begin, to), step)
	segments = append(segments, segment{l, begin, end})
	return append(segments, t.split(l-1, end, to, step)...)
}

// readSeries adds up the buckets of targets in [from, to) by width, and returns a series for each
// of them. No bucket spans two multiples of step unless only coarser ones are left. It reads the
// targets that have the same segment, usually all, with one query.
func readSeries(ctx context.Context, q queryer, of []*target, from, to, step, width int64) ([]series, error) {
	return readSegments(of, from, to, step, width, func(s segment, ids []int64, add func(target int64, b timedBucket)) error {
		return s.each(ctx, q, ids, s.from, s.to, add)
	})
}

// readSums is readSeries for buckets whose outages do not matter.
func readSums(ctx context.Context, q queryer, of []*target, from, to, width int64) ([]series, error) {
	return readSegments(of, from, to, width, width, func(s segment, ids []int64, add func(target int64, b timedBucket)) error {
		return s.eachSum(ctx, q, ids, s.from, s.to, width, add)
	})
}

// readSegments calls read for each segment of the targets.
func readSegments(of []*target, from, to, step, width int64, read func(s segment, ids []int64, add func(target int64, b timedBucket)) error) ([]series, error) {
	sums := make([]series, len(of))
	index := make(map[int64]int, len(of)) // by id of the target
	targetsOf := make(map[segment][]int64)
	for i, t := range of {
		sums[i].width, index[t.id] = width, i
		for _, s := range t.split(days, from, to, step) {
			targetsOf[s] = append(targetsOf[s], t.id)
		}
	}
	// The segments of a target do not overlap, and its buckets are added in the order of time.
	ordered := slices.SortedFunc(maps.Keys(targetsOf), func(a, b segment) int { return cmp.Compare(a.from, b.from) })
	for _, s := range ordered {
		err := read(s, targetsOf[s], func(id int64, b timedBucket) { sums[index[id]].add(b) })
		if err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// longSpan is the length from which the first hour of a span is negligible.
const longSpan = 7 * 24 * time.Hour

// alignStart moves the start of a long span to a whole hour, and that of a very long one to a
// whole day. The query then reads dozens of rows instead of thousands.
func alignStart(from, to int64) int64 {
	switch length := time.Duration(to-from) * time.Millisecond; {
	case length < longSpan || from == 0:
		return from
	case length < 8*longSpan:
		return hours.ceil(from)
	default:
		return days.ceil(from)
	}
}
