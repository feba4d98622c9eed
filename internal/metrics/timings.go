package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stickwatch/probes"
)

// timings are how long the phases of probes took.
type timings struct{ *prometheus.HistogramVec }

func newTimings() timings {
	return timings{prometheus.NewHistogramVec(probeDuration.histogram(durationBuckets), probeDuration.Labels)}
}

// durationBuckets are the classic buckets: from a page in the same rack to the longest
// time-out that anybody sets. There are few, since each is a series.
var durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// histogram has classic buckets for everybody and native ones for a Prometheus
// that takes them. Native buckets are 19 % wide, which bounds the memory of
// thousands of histograms and is still five times finer than the classic ones.
func (m Metric) histogram(buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: m.Name, Help: m.Help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.2,
		NativeHistogramMaxBucketNumber:  40,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// observe takes the phases that took place. The values of the label phase.
func (t timings) observe(phases probes.Timing, cluster, target, probe string) {
	for _, p := range []struct {
		name string
		took time.Duration
	}{
		{"dns", phases.DNS},
		{"connect", phases.Connect},
		{"tls", phases.TLS},
		{"first_byte", phases.FirstByte},
		{"total", phases.Total},
	} {
		if p.took > 0 {
			t.WithLabelValues(cluster, target, probe, p.name).Observe(p.took.Seconds())
		}
	}
}

func (t timings) forget(cluster string) { forget(t.MetricVec, cluster) }
