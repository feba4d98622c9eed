package dashboards

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"stickwatch/internal/lab"
	"stickwatch/internal/must"
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

// quiet are parts of queries that have no result for the demo.
var quiet = []string{
	"stickwatch_certificate_expiry_timestamp_seconds", // without TLS
	"stickwatch_session_shared",                       // not checked with policy sticky
	`session="kept"`,                                  // drift loses all of them
	"stickwatch_jobs_skipped_total",                   // never overloaded
	"stickwatch_notifications_total",                  // without receivers
	"stickwatch_deployment_active",                    // none is announced
	"stickwatch_incidents_total",                      // begun before the first scrape
}

// TestDemo runs the queries of the dashboards on the metrics of two demos, whose faults
// exclude each other.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	lab.Require(t, "prometheus")
	binary := filepath.Join(t.TempDir(), "stickwatch")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/stickwatch").CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	drifts, ejects := lab.FreeAddr(t), lab.FreeAddr(t)
	addr := startPrometheus(t, drifts, ejects)
	runDemo(t, binary, drifts, "drift")
	runDemo(t, binary, ejects, "ejected", "page-failing")
	for _, q := range queries(t, "demo") {
		if !slices.ContainsFunc(quiet, func(part string) bool { return strings.Contains(q.expr, part) }) {
			t.Run(q.where, func(t *testing.T) { q.test(t, addr) })
		}
	}
}

func runDemo(t *testing.T, binary, addr string, faults ...string) {
	t.Helper()
	args := []string{"demo", "--listen", addr}
	for _, f := range faults {
		args = append(args, "--fault", f)
	}
	lab.Run(t, lab.Command{Name: "demo", Path: binary, Addr: addr, Args: args})
}
