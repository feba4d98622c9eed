package metrics

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

func TestSampleLabels(t *testing.T) {
	target := checks.Target{Cluster: "shop", Kind: checks.TargetNode, Name: "node1"}
	for _, tt := range []struct {
		name   string
		sample checks.Sample
		probe  string
		want   string // probe and result
		timed  bool
	}{
		{"ok", checks.Sample{OK: true, Status: 200}, "", "node ok", true},
		{"a dependency has no status", checks.Sample{OK: true}, ProbeDependency, "dependency ok", true},
		{"error page", checks.Sample{Status: 502}, ProbePage, "page bad_status", true},
		{"no answer", checks.Sample{Failure: probes.FailureRefused}, "", "node refused", false},
		{"half an answer", checks.Sample{Status: 200, Failure: probes.FailureReset}, "", "node reset", false},
		{"stopped", checks.Sample{Failure: probes.FailureCancelled}, "", "node cancelled", false},
		{"a failure unheard of", checks.Sample{Failure: "moon"}, "", "node other", false},
		{"a dependency that is down", checks.Sample{}, ProbeDependency, "dependency other", false},
		{"a probe unheard of", checks.Sample{OK: true}, "moon", "other ok", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.sample.Target, tt.sample.Latency = target, time.Millisecond
			l := New(Build{})
			l.Sample(tt.sample, probes.Timing{}, tt.probe)
			probe, result, _ := strings.Cut(tt.want, " ")
			want := map[string]float64{fmt.Sprintf(`["stickwatch_probes_total","shop","node1",%q,%q]`, probe, result): 1}
			expect.Equal(t, "counters", want, l.Counters())
			if n := testutil.CollectAndCount(l.timings); (n == 1) != tt.timed {
				t.Errorf("got %d timed phases, want any: %v", n, tt.timed)
			}
		})
	}
}

// BenchmarkSample reports the memory of a target whose latencies fill all buckets.
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
