package history

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A bucket is what a run of a target's samples comes to. Buckets that follow
// each other can be added, and the sum is what all their samples would have come
// to: addition is associative, with the empty bucket as its zero.
//
// An outage lasts from its first failed probe to the next good one; while there
// is none, to the last failed one. What an edge of the run cuts through is kept
// open on either side: recovered, broken and last. A single failed probe that
// nothing followed is therefore an outage of no length.
type bucket struct {
	probes, failed, unanswered int64
	latency                    int64 // sum over answered probes, microseconds
	slowest                    int64 // of answered probes, microseconds

	// Moments, milliseconds since 1970.
	recovered int64 // the first good probe, if the run has one
	broken    int64 // the first of the failed probes at its end, if it ends so
	last      int64 // the last of them

	longest int64 // the longest outage that began and ended within, milliseconds
	good    bool  // recovered means something
	down    bool  // broken and last do
}

// bucketOf is the bucket of one sample.
func bucketOf(s sample) bucket {
	b := bucket{probes: 1}
	if s.failed() {
		b.failed, b.down, b.broken, b.last = 1, true, s.ts, s.ts
	} else {
		b.good, b.recovered = true, s.ts
	}
	if s.answered() {
		b.latency, b.slowest = s.latency, s.latency
	} else {
		b.unanswered = 1
	}
	return b
}

// add returns b followed by next.
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
		recovered: b.recovered, good: b.good,
		broken: next.broken, last: next.last, down: next.down,
		longest: max(b.longest, next.longest),
	}
	if !b.good {
		sum.recovered, sum.good = next.recovered, next.good
	}
	if b.down && next.good {
		sum.longest = max(sum.longest, next.recovered-b.broken)
	}
	if b.down && !next.good {
		sum.broken = b.broken // one outage, right through next
	}
	return sum
}

// outage is the longest one, the one at the end included.
func (b bucket) outage() time.Duration {
	longest := b.longest
	if b.down {
		longest = max(longest, b.last-b.broken)
	}
	return time.Duration(longest) * time.Millisecond
}

// ratio of probes that were answered well; 0 without any.
func (b bucket) ratio() float64 {
	if b.probes == 0 {
		return 0
	}
	return float64(b.probes-b.failed) / float64(b.probes)
}

// mean latency of answered probes; 0: there was none.
func (b bucket) mean() time.Duration {
	answered := b.probes - b.unanswered
	if answered == 0 {
		return 0
	}
	return time.Duration(b.latency/answered) * time.Microsecond
}

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

// A sample is a row of the table samples.
type sample struct {
	ts      int64 // milliseconds since 1970
	latency int64 // microseconds
	outcome int64
}

// failures are numbered by their place, which is on disks: append only.
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

// An outcome is HTTP status << 6 | failure << 1 | failed: two bytes for nearly
// every sample.
const (
	outcomeFailed  = 1
	outcomeFailure = 0x1f << 1
	outcomeStatus  = 6
	maxStatus      = 999
)

// pack makes a row of s. A failure that has no number is told as "other"; a
// status that is none, as 0.
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

// unpack is the opposite of pack, to a millisecond and a microsecond.
func (s sample) unpack(of checks.Target) checks.Sample {
	failure := probes.FailureOther // written by a newer program
	if n := int(s.outcome & outcomeFailure >> 1); n < len(failures) {
		failure = failures[n]
	}
	return checks.Sample{
		Target: of, At: time.UnixMilli(s.ts).UTC(), OK: !s.failed(),
		Latency: time.Duration(s.latency) * time.Microsecond,
		Status:  int(s.outcome >> outcomeStatus), Failure: failure,
	}
}
