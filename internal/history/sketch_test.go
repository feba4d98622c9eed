package history

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"stickwatch/internal/must"

	"pgregory.net/rapid"
)

// drawLatencies draws latencies between a microsecond and some hours, in microseconds.
func drawLatencies(t *rapid.T) []int64 {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) int64 {
		return int64(math.Exp(rapid.Float64Range(0, 23).Draw(t, "logarithm")))
	}), 1, 200).Draw(t, "latencies")
}

func sketchOf(all []int64) *sketch {
	s := new(sketch)
	for _, latency := range all {
		s.observe(latency)
	}
	return s
}

// TestQuantilesHaveABoundedError compares quantiles with those of the sorted latencies.
func TestQuantilesHaveABoundedError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, q := drawLatencies(t), rapid.SampledFrom([]float64{0.001, 0.5, 0.95, 0.99, 1}).Draw(t, "q")
		got := float64(sketchOf(all).quantile(q))
		slices.Sort(all)
		want := float64(all[int(math.Ceil(q*float64(len(all))))-1])
		if math.Abs(got-want) > sketchError*want+0.5 { // half a microsecond is rounding
			t.Errorf("got %g µs, want %g ± 5 %%", got, want)
		}
	})
}

// TestSketchesAddUp: the sketch of parts, stored and read again, is that of the whole.
func TestSketchesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, sum := drawLatencies(t), new(sketch)
		for part := range slices.Chunk(all, rapid.IntRange(1, 50).Draw(t, "part")) {
			var stored sketch
			must.Succeed(t, stored.decode(sketchOf(part).encode()))
			sum.add(&stored)
		}
		if want := sketchOf(all); *sum != *want || sum.count() != uint64(len(all)) {
			t.Errorf("got %v, want %v", *sum, *want)
		}
	})
}

// TestDecodedSketchesRoundTrip checks that decode accepts arbitrary bytes only as a sketch
// that encode and decode reproduce.
func TestDecodedSketchesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, again sketch
		if s.decode(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) != nil {
			return
		}
		if err := again.decode(s.encode()); err != nil || again != s {
			t.Errorf("%v: got %v, want %v", err, again, s)
		}
	})
}

// overflowing encodes a sketch whose counts have a sum that overflows.
func overflowing() (data []byte) {
	for _, n := range []int64{math.MaxInt64, math.MaxInt64, 12} {
		data = binary.AppendVarint(data, n)
	}
	return data
}

func TestDecodeRefusesOverflow(t *testing.T) {
	if err := new(sketch).decode(overflowing()); !errors.Is(err, errSketch) {
		t.Errorf("got %v, want %v", err, errSketch)
	}
}

// TestDamagedRowCountsAsUnknown checks that the probes of a row with a damaged sketch have
// an unknown latency, and that a damaged number of probes is ignored.
func TestDamagedRowCountsAsUnknown(t *testing.T) {
	var l latencies
	l.addRow(10, overflowing())
	l.addRow(-5, nil)
	if l.unknown != 10 {
		t.Errorf("got %d of unknown latency, want 10", l.unknown)
	}
}

// TestSketchesAreSmall checks that an hour of usual latencies takes at most 40 bytes.
func TestSketchesAreSmall(t *testing.T) {
	var all []int64
	for i := range 360 {
		all = append(all, int64(2000+10*i), 40_000) // every second one is slow
	}
	if data := sketchOf(all).encode(); len(data) > 40 {
		t.Errorf("got %d bytes, want at most 40", len(data))
	}
	if data := new(sketch).encode(); len(data) > 0 {
		t.Errorf("got %d bytes of an empty sketch, want none", len(data))
	}
}

// TestSketchLimits checks the first bucket, the last one, and a sketch without latencies.
func TestSketchLimits(t *testing.T) {
	if got := sketchOf([]int64{0, math.MaxInt64}); got[0] != 1 || got[len(got)-1] != 1 {
		t.Errorf("got %v, want the first and the last bucket", *got)
	}
	if got := new(sketch).quantile(0.5); got != 0 {
		t.Errorf("got %d of nothing, want 0", got)
	}
}
