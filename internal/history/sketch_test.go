package history

import (
	"bytes"
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

// TestDamagedSketchesAreRefused: any bytes are the sketch that has them, or an error.
func TestDamagedSketchesAreRefused(t *testing.T) {
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

// TestSketchesDoNotOverflow: no count exceeds the number of answered probes, which a damaged row may have, too.
func TestSketchesDoNotOverflow(t *testing.T) {
	var data []byte
	for _, n := range []int64{math.MaxInt64, math.MaxInt64, 12} {
		data = binary.AppendVarint(data, n)
	}
	if err := new(sketch).decode(data); !errors.Is(err, errSketch) {
		t.Errorf("got %v, want %v", err, errSketch)
	}
	var l latencies
	l.addRow(10, data)
	l.addRow(-5, nil)
	if l.unknown != 10 {
		t.Errorf("got %d of unknown latency, want 10", l.unknown)
	}
}

// TestSketchesAreSmall: an hour of usual latencies takes a few dozen bytes.
func TestSketchesAreSmall(t *testing.T) {
	var all []int64
	for i := range 360 {
		all = append(all, int64(2000+10*i), 40_000) // and some that are slow
	}
	data := sketchOf(all).encode()
	if len(data) > 40 || !bytes.Equal(new(sketch).encode(), nil) {
		t.Errorf("got %d bytes", len(data))
	}
	if got := sketchOf([]int64{0, math.MaxInt64}); got[0] != 1 || got[len(got)-1] != 1 {
		t.Errorf("got %v, want the first and the last bucket", *got)
	}
	if got := new(sketch).quantile(0.5); got != 0 {
		t.Errorf("got %d of nothing, want 0", got)
	}
}
