package history

import (
	"context"
	"database/sql"
	"time"
)

// A level is how detailed a row is.
type level int

// The levels. Each but the first is summed up from the one before it.
const (
	samples level = iota
	minutes
	hours
	days
	levels // how many there are
)

var (
	tables = [levels]string{"samples", "minutes", "hours", "days"}
	// units are the lengths of a level's buckets, milliseconds.
	units = [levels]int64{1, time.Minute.Milliseconds(), time.Hour.Milliseconds(), 24 * time.Hour.Milliseconds()}
)

// floor and ceil round ts to the beginning of a bucket; days begin at 00:00 UTC.
func (l level) floor(ts int64) int64 { return ts - ((ts%units[l])+units[l])%units[l] }
func (l level) ceil(ts int64) int64  { return l.floor(ts + units[l] - 1) }

// queryer is a transaction or a pool.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// A timedBucket is a bucket and when it began.
type timedBucket struct {
	ts int64
	bucket
}

// each calls yield with the buckets of a target that begin in [from, to), oldest
// first: of the level samples, a bucket a sample.
func (l level) each(ctx context.Context, q queryer, target, from, to int64, yield func(timedBucket)) error {
	rows, err := q.QueryContext(ctx, selectBuckets[l], target, l.ceil(from)/units[l], l.ceil(to)/units[l])
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		s, err := l.scan(rows)
		if err != nil {
			return err
		}
		yield(s)
	}
	return rows.Err()
}

func (l level) scan(rows *sql.Rows) (timedBucket, error) {
	if l == samples {
		var s sample
		err := rows.Scan(&s.ts, &s.latency, &s.outcome)
		return timedBucket{s.ts, bucketOf(s)}, err
	}
	var s timedBucket
	var recovered, broken, last sql.NullInt64 // from the beginning of the bucket
	err := rows.Scan(&s.ts, &s.probes, &s.failed, &s.unanswered, &s.latency, &s.slowest,
		&recovered, &s.longest, &broken, &last)
	s.ts *= units[l]
	s.good, s.down = recovered.Valid, broken.Valid
	if s.good {
		s.recovered = s.ts + recovered.Int64
	}
	if s.down {
		s.broken, s.last = s.ts+broken.Int64, s.ts+last.Int64
	}
	return s, err
}

// put writes a bucket, or the newer sum of the same time, by upsertBucket.
func (l level) put(ctx context.Context, upsert *sql.Stmt, target int64, s timedBucket) error {
	offset := func(ts int64, valid bool) any {
		if !valid {
			return nil
		}
		return ts - s.ts
	}
	_, err := upsert.ExecContext(ctx, target, s.ts/units[l],
		s.probes, s.failed, s.unanswered, s.latency, s.slowest,
		offset(s.recovered, s.good), s.longest, offset(s.broken, s.down), offset(s.last, s.down))
	return err
}

// rollUp makes the buckets of l that begin in [from, to) from those of the level
// below; from and to are where buckets of l begin.
func (l level) rollUp(ctx context.Context, tx *sql.Tx, target, from, to int64) error {
	var made []timedBucket
	err := (l - 1).each(ctx, tx, target, from, to, func(s timedBucket) {
		at := l.floor(s.ts)
		if n := len(made); n == 0 || made[n-1].ts != at {
			made = append(made, timedBucket{ts: at})
		}
		newest := &made[len(made)-1]
		newest.bucket = newest.add(s.bucket)
	})
	if err != nil || len(made) == 0 {
		return err
	}
	upsert, err := tx.PrepareContext(ctx, upsertBucket[l])
	if err != nil {
		return err
	}
	defer upsert.Close()
	for _, s := range made {
		if err := l.put(ctx, upsert, target, s); err != nil {
			return err
		}
	}
	return nil
}
