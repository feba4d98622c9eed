package metrics

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// BenchmarkSample reports what a target costs in memory, with a day's spread of
// latencies in all its buckets.
func BenchmarkSample(b *testing.B) {
	const targets = 500
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := New(Build{})
	i := 0
	sample := func() {
		took := time.Millisecond << (i / targets % 8)
		l.Sample(checks.Sample{
			Target: checks.Target{Cluster: "shop", Kind: checks.TargetNode, Name: fmt.Sprint("node", i%targets)},
			OK:     true, Status: 200,
		}, probes.Timing{Connect: took / 8, FirstByte: took, Total: took * 5 / 4}, "")
		i++
	}
	for range 8 * targets {
		sample()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	for b.Loop() {
		sample()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/targets, "B/target")
	runtime.KeepAlive(l)
}
