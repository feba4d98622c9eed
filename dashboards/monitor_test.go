package dashboards

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"stickwatch/internal/must"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A monitor serves the exposition. Counters grow with each scrape.
type monitor struct {
	families []*dto.MetricFamily
	scrapes  atomic.Int64
}

func newMonitor(t *testing.T) *monitor {
	t.Helper()
	file, err := os.Open(exposition)
	must.Succeed(t, err)
	defer file.Close()
	text := expfmt.NewTextParser(model.UTF8Validation)
	byName, err := text.TextToMetricFamilies(file)
	must.Succeed(t, err)
	m := &monitor{}
	for _, f := range byName {
		m.families = append(m.families, f)
	}
	return m
}

// ServeHTTP is not called concurrently: one Prometheus scrapes it.
func (m *monitor) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	w.Header().Set("Content-Type", string(format))
	encoder := expfmt.NewEncoder(w, format)
	n := m.scrapes.Add(1)
	for _, f := range m.families {
		if err := encoder.Encode(grown(f, uint64(n))); err != nil {
			return // Prometheus has exited
		}
	}
}

// grown returns a family whose counters are multiplied by n.
func grown(f *dto.MetricFamily, n uint64) *dto.MetricFamily {
	all := &dto.MetricFamily{Name: f.Name, Type: f.Type}
	for _, m := range f.Metric {
		now := &dto.Metric{Label: m.Label, Gauge: m.Gauge}
		if c := m.Counter; c != nil {
			now.Counter = &dto.Counter{Value: new(c.GetValue() * float64(n))}
		}
		if h := m.Histogram; h != nil {
			now.Histogram = &dto.Histogram{SampleCount: new(h.GetSampleCount() * n), SampleSum: new(h.GetSampleSum() * float64(n))}
			for _, b := range h.Bucket {
				now.Histogram.Bucket = append(now.Histogram.Bucket,
					&dto.Bucket{UpperBound: b.UpperBound, CumulativeCount: new(b.GetCumulativeCount() * n)})
			}
		}
		all.Metric = append(all.Metric, now)
	}
	return all
}
