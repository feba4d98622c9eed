package metrics

import (
	"math"
	"slices"
	"sync"

	dto "github.com/prometheus/client_model/go"
)

// durationBuckets are the classic buckets, from a page in the same rack to the longest usual
// timeout. There are few because each is a series.
var durationBuckets = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// durations is the value of a histogram with classic and native buckets, as Prometheus defines them:
// https://prometheus.io/docs/specs/native_histograms/. Native buckets of schema 2 are 19 % wide, five
// times finer than the classic ones. They become twice as wide whenever there are more than maxNative.
type durations struct {
	mu      sync.Mutex
	sum     float64                          // seconds
	classic [len(durationBuckets) + 1]uint32 // each without the ones below; the last is above all bounds
	coarser int                              // by how much the schema is lower than nativeSchema
	native  []nativeBucket                   // sorted by key
}

type nativeBucket struct {
	key   int32
	count uint32
}

const (
	nativeSchema  = 2
	maxNative     = 40
	zeroThreshold = 0x1p-128 // no duration is in the zero bucket
)

// nativeBounds are the upper bounds of the buckets of nativeSchema in (0.5, 1], as fractions of a
// power of 2: the first is that of the octave below.
var nativeBounds = []float64{0.5, 0.5946035575013605, 0.7071067811865475, 0.8408964152537144}

// nativeKey returns the key of the bucket of nativeSchema that contains a number above 0.
func nativeKey(seconds float64) int32 {
	fraction, exponent := math.Frexp(seconds)
	at, _ := slices.BinarySearch(nativeBounds, fraction)
	return int32(at + (exponent-1)*len(nativeBounds))
}

// coarserKey returns the key of the bucket of the next lower schema that contains a bucket.
func coarserKey(key int32) int32 { return (key + 1) >> 1 }

// observe counts a duration above 0.
func (d *durations) observe(seconds float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sum += seconds
	at, _ := slices.BinarySearch(durationBuckets[:], seconds)
	d.classic[at]++
	key := nativeKey(seconds)
	for range d.coarser {
		key = coarserKey(key)
	}
	n, found := slices.BinarySearchFunc(d.native, key, func(b nativeBucket, key int32) int { return int(b.key - key) })
	if found {
		d.native[n].count++
		return
	}
	d.native = slices.Insert(d.native, n, nativeBucket{key, 1})
	for len(d.native) > maxNative {
		d.widen()
	}
}

// widen merges native buckets into those of the next lower schema.
func (d *durations) widen() {
	d.coarser++
	merged := d.native[:0]
	for _, b := range d.native {
		b.key = coarserKey(b.key)
		if n := len(merged); n > 0 && merged[n-1].key == b.key {
			merged[n-1].count += b.count
			continue
		}
		merged = append(merged, b)
	}
	d.native = merged
}

func (*durations) kind() dto.MetricType { return dto.MetricType_HISTOGRAM }

func (d *durations) write(out *dto.Metric, native bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if out.Histogram == nil {
		out.Histogram = newHistogram()
	}
	h, total := out.Histogram, uint64(0)
	for i, bucket := range h.Bucket {
		total += uint64(d.classic[i])
		*bucket.CumulativeCount = total
	}
	*h.SampleCount = total + uint64(d.classic[len(durationBuckets)])
	*h.SampleSum = d.sum
	if native {
		h.ZeroCount, h.ZeroThreshold, h.Schema = new(uint64(0)), new(zeroThreshold), new(int32(nativeSchema-d.coarser))
		h.PositiveSpan, h.PositiveDelta = nil, nil
		d.writeNative(h)
	}
}

// newHistogram returns a histogram with the classic buckets, all 0.
func newHistogram() *dto.Histogram {
	h := &dto.Histogram{SampleCount: new(uint64), SampleSum: new(float64)}
	for i := range durationBuckets {
		h.Bucket = append(h.Bucket, &dto.Bucket{CumulativeCount: new(uint64), UpperBound: &durationBuckets[i]})
	}
	return h
}

// writeNative adds the native buckets: spans of consecutive ones, of which each has the difference of
// its count to the one before. Gaps of one or two buckets cost less as empty buckets than as a span.
func (d *durations) writeNative(h *dto.Histogram) {
	next, before := int32(0), int64(0)
	add := func(count int64) {
		*h.PositiveSpan[len(h.PositiveSpan)-1].Length++
		h.PositiveDelta = append(h.PositiveDelta, count-before)
		before = count
	}
	for i, b := range d.native {
		gap := b.key - next
		if i == 0 || gap > 2 {
			h.PositiveSpan = append(h.PositiveSpan, &dto.BucketSpan{Offset: new(gap), Length: new(uint32(0))})
		} else {
			for range gap {
				add(0)
			}
		}
		add(int64(b.count))
		next = b.key + 1
	}
}
