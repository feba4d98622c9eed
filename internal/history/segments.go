package history

import (
	"context"
	"time"
)

// A segment of a span is told from one level.
type segment struct {
	level
	from, to int64
}

// split splits [from, to) into pieces, oldest first: by the coarsest level, from l
// down, whose buckets a step is made of, where it is summed up already; by finer
// ones at the edges and for the newest time; by coarser ones for what is long ago.
// There, a bucket that from or to cuts through is told whole.
func (t *target) split(l level, from, to, step int64) []segment {
	if from >= to {
		return nil
	}
	if l == samples {
		return []segment{{samples, from, to}}
	}
	// Before finest, l is the most detailed that is kept.
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

// read calls yield with the buckets of [from, to), oldest first, none of them
// across two steps where shorter ones are kept.
func (t *target) read(ctx context.Context, q queryer, from, to, step int64, yield func(timedBucket)) error {
	for _, p := range t.split(days, from, to, step) {
		if err := p.each(ctx, q, t.id, p.from, p.to, yield); err != nil {
			return err
		}
	}
	return nil
}

// longSpan is a span of which the first hour does not matter.
const longSpan = 7 * 24 * time.Hour

// alignStart moves the beginning of a long span to a whole hour, and that of a very
// long one to a whole day: it then takes dozens of rows and not thousands.
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
