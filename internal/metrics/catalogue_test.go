package metrics

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"stickwatch/internal/expect"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
)

// metricFamilies scrapes l, without the metrics of the Go runtime and the process.
func metricFamilies(t *testing.T, l *Live) []*dto.MetricFamily {
	t.Helper()
	all, err := l.registry.Gather()
	must.Succeed(t, err)
	var ours []*dto.MetricFamily
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), "stickwatch_") {
			ours = append(ours, f)
		}
	}
	return ours
}

func exposition(t *testing.T, metricFamilies []*dto.MetricFamily) string {
	t.Helper()
	var b bytes.Buffer
	encoder := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range metricFamilies {
		must.Succeed(t, encoder.Encode(f))
	}
	return strings.ReplaceAll(b.String(), runtime.Version(), "go1.26")
}

// historyFamilies returns the metrics of a history after one write of 2 ms.
func historyFamilies(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	db, err := history.Open(t.Context(), history.Config{Path: filepath.Join(t.TempDir(), "history.db")})
	must.Succeed(t, err)
	t.Cleanup(func() { db.Close(context.WithoutCancel(t.Context())) })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(db.Collector())
	all, err := registry.Gather()
	must.Succeed(t, err)
	for _, f := range all {
		fixValue(f.Metric[0], f.GetName() == "stickwatch_history_size_bytes")
	}
	return all
}

// fixValue replaces values of the history that vary.
func fixValue(m *dto.Metric, size bool) {
	switch {
	case size:
		m.Gauge.Value = new(float64(1 << 20))
	case m.Gauge != nil:
		m.Gauge.Value = new(0.0)
	case m.Counter != nil:
		m.Counter.Value = new(0.0)
	case m.Histogram != nil:
		const took = 0.002
		m.Histogram.SampleCount, m.Histogram.SampleSum = new(uint64(1)), new(took)
		for _, b := range m.Histogram.Bucket {
			b.CumulativeCount = new(uint64(0))
			if b.GetUpperBound() >= took {
				b.CumulativeCount = new(uint64(1))
			}
		}
	}
}

// allMetrics returns all metrics of the fixture, sorted by name.
func allMetrics(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	all := historyFamilies(t)
	synctest.Test(t, func(t *testing.T) { all = append(all, metricFamilies(t, fixture())...) })
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all
}

// TestExposition: dashboards and rules are tested against this golden file.
func TestExposition(t *testing.T) {
	expect.Golden(t, "testdata/exposition.txt", exposition(t, allMetrics(t)))
}

// TestCatalogue: the catalogue matches the scraped metrics.
func TestCatalogue(t *testing.T) {
	known := make(map[string]Metric)
	all := slices.Clone(Catalogue)
	for _, m := range Catalogue {
		known[m.Name] = m
	}
	seen := make(map[string]bool)
	for _, f := range allMetrics(t) {
		got := Metric{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp()}
		for _, pair := range f.Metric[0].GetLabel() {
			got.Labels = append(got.Labels, pair.GetName())
		}
		if strings.HasPrefix(got.Name, "stickwatch_history_") {
			all = append(all, got)
			continue
		}
		seen[got.Name] = true
		want := known[got.Name]
		want.Labels = slices.Sorted(slices.Values(want.Labels))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, catalogue and scrape (-/+):\n%s", got.Name, diff)
		}
	}
	for name := range known {
		if !seen[name] {
			t.Errorf("%s is in the catalogue, and the world has none of it", name)
		}
	}
	all = append(all, WatchCatalogue()...)
	expect.Golden(t, page, between(t, metricTable(all)))
	chinese, err := os.ReadFile(chinesePage)
	must.Succeed(t, err)
	for _, m := range all {
		if !strings.Contains(string(chinese), "\n| `"+m.Name+"` | "+m.Type+" | ") {
			t.Errorf("%s has no row of the %s %s", chinesePage, m.Type, m.Name)
		}
	}
}

// metricTable returns metrics as a Markdown table.
func metricTable(metrics []Metric) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range metrics {
		labels := "-"
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, labels, strings.ReplaceAll(m.Help, "|", `\|`))
	}
	return b.String()
}

// The pages that document the metrics. The table of the Chinese one is written by hand.
const (
	page        = "../../internal/docs/metrics.md"
	chinesePage = "../../internal/docs/metrics.zh-CN.md"
)

// between returns the page with table between the two comments that enclose it.
func between(t *testing.T, table string) string {
	t.Helper()
	content, err := os.ReadFile(page)
	must.Succeed(t, err)
	before, rest, ok := strings.Cut(string(content), "<!-- metrics: ")
	comment, rest, begun := strings.Cut(rest, "-->\n")
	_, after, ended := strings.Cut(rest, "<!-- /metrics -->")
	if !ok || !begun || !ended {
		t.Fatalf("%s has no place for the table", page)
	}
	return before + "<!-- metrics: " + comment + "-->\n\n" + table + "\n<!-- /metrics -->" + after
}
