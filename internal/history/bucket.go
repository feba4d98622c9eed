package history

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A bucket is the sum of consecutive samples of a target. Consecutive buckets can be added:
// the result is the bucket of all their samples. Addition is associative, and the empty bucket
// is its zero.
//
// An outage lasts from its first failed probe to the next good one, or to the last failed one
// if there is no good one. An outage at the edge of a bucket is kept in the fields firstGood,
// failingSince and lastFailed, so that add can join it with the neighbour. A single failed probe at the
// end is an outage of length 0.
type bucket struct {
	probes, failed, unanswered int64
	latency                    int64 // sum over answered probes, microseconds
	slowest                    int64 // maximum over answered probes, microseconds

	// Times in milliseconds since 1970.
	firstGood    int64 // first good probe; valid if good
	failingSince int64 // first of the failed probes at the end; valid if down
	lastFailed   int64 // last of them

	longest int64 // longest outage that began and ended within the bucket, milliseconds
	good    bool  // there is a good probe
	down    bool  // the last probe failed
}

func bucketOf(s sample) bucket {
	b := bucket{probes: 1}
	if s.failed() {
		b.failed, b.down, b.failingSince, b.lastFailed = 1, true, s.ts, s.ts
	} else {
		b.good, b.firstGood = true, s.ts
	}
	if s.answered() {
		b.latency, b.slowest = s.latency, s.latency
	} else {
		b.unanswered = 1
	}
	return b
}

// add returns the sum of b and the bucket that follows it.
func (b bucket) add(next bucket) bucket {
	switch {
	case b.probes == 0:
		return next
	case next.probes == 0:
		return b
	}
	sum := bucket{
		probes: b.probes + next.probes, failed: b.failed + next.failed, unanswered: b.unanswered + next.unanswered,
		latency: b.latency + next.latency, slowest: max(b.slowest, next.slowest),
		firstGood: b.firstGood, good: b.good,
		failingSince: next.failingSince, lastFailed: next.lastFailed, down: next.down,
		longest: max(b.longest, next.longest),
	}
	if !b.good {
		sum.firstGood, sum.good = next.firstGood, next.good
	}
	if b.down && next.good {
		sum.longest = max(sum.longest, next.firstGood-b.failingSince)
	}
	if b.down && !next.good {
		sum.failingSince = b.failingSince // one outage that spans next
	}
	return sum
}

// outage returns the length of the longest outage, including the one at the end.
func (b bucket) outage() time.Duration {
	longest := b.longest
	if b.down {
		longest = max(longest, b.lastFailed-b.failingSince)
	}
	return time.Duration(longest) * time.Millisecond
}

// ratio returns the share of successful probes; 0 without probes.
func (b bucket) ratio() float64 {
	if b.probes == 0 {
		return 0
	}
	return float64(b.probes-b.failed) / float64(b.probes)
}

// mean returns the mean latency of answered probes; 0 without any.
func (b bucket) mean() time.Duration {
	answered := b.probes - b.unanswered
	if answered == 0 {
		return 0
	}
	return time.Duration(b.latency/answered) * time.Microsecond
}

// A level is a level of aggregation. Each has a table.
type level int

// The levels. Each except the first is aggregated from the previous one.
const (
	samples level = iota
	minutes
	hours
	days
	levels // the number of levels
)

var (
	tables = [levels]string{"samples", "minutes", "hours", "days"}
	// units are the bucket lengths of the levels, in milliseconds.
	units = [levels]int64{1, time.Minute.Milliseconds(), time.Hour.Milliseconds(), 24 * time.Hour.Milliseconds()}
)

// floor and ceil round ts to the start of a bucket. Days start at 00:00 UTC.
func (l level) floor(ts int64) int64 { return ts - ((ts%units[l])+units[l])%units[l] }
func (l level) ceil(ts int64) int64  { return l.floor(ts + units[l] - 1) }

// A timedBucket is a bucket with its start, in milliseconds since 1970.
type timedBucket struct {
	ts int64
	bucket
}

// maxParameters bounds the parameters of one query, of which SQLite accepts 32766.
const maxParameters = 500

// each calls yield with the buckets of targets that begin in [from, to), those of a target oldest
// first. At the level samples, each sample is a bucket. It reads all targets with one query,
// because each query of PostgreSQL waits for the network and is planned for all partitions.
func (l level) each(ctx context.Context, q queryer, targets []int64, from, to int64, yield func(target int64, b timedBucket)) error {
	for part := range slices.Chunk(targets, maxParameters) {
		if err := l.eachOf(ctx, q, part, from, to, yield); err != nil {
			return err
		}
	}
	return nil
}

func (l level) eachOf(ctx context.Context, q queryer, targets []int64, from, to int64, yield func(target int64, b timedBucket)) error {
	return l.eachRow(ctx, q, selectBuckets[l], targets, from, to, func(rows *sql.Rows) error {
		target, b, err := l.scan(rows)
		if err == nil {
			yield(target, b)
		}
		return err
	})
}

// eachSum is each for sums of the buckets that begin in the same multiple of width, without their outages:
// the database adds them up faster than it hands them over.
func (l level) eachSum(ctx context.Context, q queryer, targets []int64, from, to, width int64, yield func(target int64, b timedBucket)) error {
	together := width / units[l]
	if l == samples || together < 2 || width%units[l] != 0 {
		return l.each(ctx, q, targets, from, to, yield)
	}
	for part := range slices.Chunk(targets, maxParameters) {
		err := l.eachRow(ctx, q, fmt.Sprintf(selectSums[l], "%s", together), part, from, to, func(rows *sql.Rows) error {
			var target int64
			var s timedBucket
			if err := rows.Scan(&target, &s.ts, &s.probes, &s.failed, &s.unanswered, &s.latency, &s.slowest); err != nil {
				return err
			}
			s.ts *= units[l]
			yield(target, s)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachRow runs a query of the rows of targets that begin in [from, to), and calls scan for each.
func (l level) eachRow(ctx context.Context, q queryer, query string, targets []int64, from, to int64, scan func(*sql.Rows) error) error {
	args := []any{l.ceil(from) / units[l], l.ceil(to) / units[l]}
	for _, id := range targets {
		args = append(args, id)
	}
	return eachRow(ctx, q, scan, fmt.Sprintf(query, placeholders(len(targets))), args...)
}

// scan reads a row of selectBuckets.
func (l level) scan(rows *sql.Rows) (target int64, s timedBucket, err error) {
	if l == samples {
		var one sample
		err := rows.Scan(&target, &one.ts, &one.latency, &one.outcome)
		return target, timedBucket{one.ts, bucketOf(one)}, err
	}
	var firstGood, failingSince, lastFailed sql.NullInt64 // relative to the start of the bucket
	err = rows.Scan(&target, &s.ts, &s.probes, &s.failed, &s.unanswered, &s.latency, &s.slowest,
		&firstGood, &s.longest, &failingSince, &lastFailed)
	s.ts *= units[l]
	s.good, s.down = firstGood.Valid, failingSince.Valid
	if s.good {
		s.firstGood = s.ts + firstGood.Int64
	}
	if s.down {
		s.failingSince, s.lastFailed = s.ts+failingSince.Int64, s.ts+lastFailed.Int64
	}
	return target, s, err
}

// put inserts or replaces a bucket with upsertBucket. Minutes have no sketch.
func (l level) put(ctx context.Context, upsert *sql.Stmt, target int64, s timedBucket, sketch *latencies) error {
	offset := func(ts int64, valid bool) any {
		if !valid {
			return nil
		}
		return ts - s.ts
	}
	row := []any{
		target, s.ts / units[l], s.probes, s.failed, s.unanswered, s.latency, s.slowest,
		offset(s.firstGood, s.good), s.longest, offset(s.failingSince, s.down), offset(s.lastFailed, s.down),
	}
	switch {
	case l == minutes:
	case sketch == nil:
		row = append(row, nil)
	default:
		row = append(row, sketch.encode())
	}
	_, err := upsert.ExecContext(ctx, row...)
	return err
}

// rollUp computes the buckets of l that begin in [from, to) from the level below. from and to
// are bucket boundaries of l.
func (l level) rollUp(ctx context.Context, tx *transaction, target, from, to int64) error {
	var made []timedBucket
	err := (l - 1).each(ctx, tx, []int64{target}, from, to, func(_ int64, s timedBucket) {
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
	if err := tx.engine.partition(ctx, tx, l, from, to); err != nil {
		return err
	}
	var sketches map[int64]*latencies
	if l > minutes {
		if sketches, err = l.sketches(ctx, tx, target, from, to); err != nil {
			return err
		}
	}
	upsert, err := tx.PrepareContext(ctx, upsertBucket[l])
	if err != nil {
		return err
	}
	defer upsert.Close()
	for _, s := range made {
		if err := l.put(ctx, upsert, target, s, sketches[s.ts]); err != nil {
			return err
		}
	}
	return nil
}

// A sample is a row of the table samples.
type sample struct {
	ts      int64 // milliseconds since 1970
	latency int64 // microseconds
	outcome int64
}

// failures are encoded by their index, which is stored on disk. Append only.
var failures = []probes.Failure{
	"",
	probes.FailureOther,
	probes.FailureDNS,
	probes.FailureRefused,
	probes.FailureUnreachable,
	probes.FailureReset,
	probes.FailureTimeout,
	probes.FailureTLS,
	probes.FailureMalformed,
	probes.FailureRedirect,
	probes.FailureCancelled,
	probes.FailureProber,
}

// An outcome is HTTP status << 6 | failure << 1 | failed. SQLite stores most outcomes in two
// bytes.
const (
	outcomeFailed  = 1
	outcomeFailure = 0x1f << 1
	outcomeStatus  = 6
	maxStatus      = 999
)

// pack encodes a sample. An unknown failure becomes "other", and an invalid status becomes 0.
func pack(s checks.Sample) sample {
	failure := max(slices.Index(failures, s.Failure), 0)
	if failure == 0 && s.Failure != "" {
		failure = slices.Index(failures, probes.FailureOther)
	}
	status := s.Status
	if status < 0 || status > maxStatus {
		status = 0
	}
	outcome := int64(status)<<outcomeStatus | int64(failure)<<1
	if !s.OK {
		outcome |= outcomeFailed
	}
	return sample{ts: s.At.UnixMilli(), latency: max(s.Latency, 0).Microseconds(), outcome: outcome}
}

func (s sample) failed() bool   { return s.outcome&outcomeFailed != 0 }
func (s sample) answered() bool { return s.outcome&outcomeFailure == 0 }
