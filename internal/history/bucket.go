package history

import "time"

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
