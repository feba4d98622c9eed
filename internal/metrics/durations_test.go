package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// TestDurations: a histogram of durations is exported as that of the client library with the same
// options, as long as its native buckets need not be merged.
func TestDurations(t *testing.T) {
	for name, observe := range map[string]func(i int) float64{
		"one":               func(int) float64 { return .003 },
		"bounds":            func(i int) float64 { return durationBuckets[i%len(durationBuckets)] },
		"powers of two":     func(i int) float64 { return math.Ldexp(1, i%12-8) },
		"a fast target":     func(int) float64 { return .001 + rand.ExpFloat64()/2000 },
		"small gaps":        func(i int) float64 { return []float64{1, 1.6, 2.8, 3.9}[i%4] }, // of 2, 2 and 1
		"far apart":         func(i int) float64 { return []float64{.0004, .02, 31}[i%3] },
		"native bounds":     func(i int) float64 { return math.Ldexp(nativeBounds[i%4], i%9) },
		"a nanosecond":      func(int) float64 { return time.Nanosecond.Seconds() },
		"slower and faster": func(i int) float64 { return .01 * math.Pow(1.05, float64(i%70)) },
	} {
		own := newSeriesVec[durations](probeDuration)
		reference := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: probeDuration.Name, Buckets: durationBuckets[:], NativeHistogramBucketFactor: 1.2,
			NativeHistogramMaxBucketNumber: maxNative, NativeHistogramMinResetDuration: time.Hour,
		}, probeDuration.Labels)
		labels := []string{"shop", "node1", "node", "total"}
		for i := range 500 {
			seconds := observe(i)
			own.with(labels...).observe(seconds)
			reference.WithLabelValues(labels...).Observe(seconds)
		}
		got, want := writtenBy(t, own), writtenBy(t, reference)
		want.Histogram.CreatedTimestamp = nil
		options := cmp.Options{cmpopts.IgnoreUnexported(dto.Metric{}, dto.LabelPair{}, dto.Histogram{}, dto.Bucket{}, dto.BucketSpan{}), cmpopts.EquateApprox(1e-9, 0)}
		if diff := cmp.Diff(want, got, options); diff != "" {
			t.Errorf("%s (-client library +own):\n%s", name, diff)
		}
	}
}

func writtenBy(t *testing.T, c prometheus.Collector) *dto.Metric {
	t.Helper()
	for m := range seriesOf(c) {
		return m
	}
	t.Fatal("there is no series")
	return nil
}

// TestDurationsAreBounded: a target with every latency there is has a bounded number of buckets, in
// which all observations are.
func TestDurationsAreBounded(t *testing.T) {
	var d durations
	for i := range 1000 {
		d.observe(1e-9 * math.Pow(1.04, float64(i)))
	}
	count := uint32(0)
	for i, b := range d.native {
		if count += b.count; i > 0 && d.native[i-1].key >= b.key {
			t.Errorf("bucket %d is not sorted: %v", i, d.native)
		}
	}
	if len(d.native) > maxNative || len(d.native) < maxNative/4 || count != 1000 {
		t.Errorf("got %d buckets with %d observations, want at most %d with 1000", len(d.native), count, maxNative)
	}
}
