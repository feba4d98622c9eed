package dashboards

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/must"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// exposition is a scrape with a series of every metric.
const exposition = "../internal/metrics/testdata/exposition.txt"

// An asked is a query as Grafana sends it.
type asked struct {
	where string // dashboard and panel
	expr  string
	named []string // labels that the panel shows
}

// filled replaces the variables of an expression as Grafana does, with short windows.
func filled(expr, cluster string) string {
	return strings.NewReplacer(
		"$cluster", cluster, "$node", ".*", "$objective", "0.999",
		"$__rate_interval", "5s", "$__interval", "1m", "$__range", "1m",
	).Replace(expr)
}

var legendLabel = regexp.MustCompile(`{{\s*(\w+)\s*}}`)

// queries returns the queries of all panels and annotations for a cluster.
func queries(t *testing.T, cluster string) []asked {
	t.Helper()
	var all []asked
	add := func(where, expr, legend string) {
		q := asked{where: where, expr: filled(expr, cluster)}
		for _, match := range legendLabel.FindAllStringSubmatch(legend, -1) {
			q.named = append(q.named, match[1])
		}
		all = append(all, q)
	}
	for _, d := range read(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				add(fmt.Sprintf("%s, %s, %s", d.Title, p.Title, q.RefID), q.Expr, q.LegendFormat)
			}
		}
		for _, a := range d.Annotations.List {
			add(fmt.Sprintf("%s, annotation %s", d.Title, a.Name), a.Expr, a.TitleFormat+a.TextFormat)
		}
	}
	if len(all) < 50 {
		t.Fatalf("got %d queries, want those of two dashboards", len(all))
	}
	return all
}

func parse(t *testing.T, where, expr string) parser.Expr {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: parsing %q: %v", where, expr, err)
	}
	return parsed
}

// known returns the metrics of the exposition with their labels.
func known(t *testing.T) map[string][]string {
	t.Helper()
	file, err := os.Open(exposition)
	must.Succeed(t, err)
	defer file.Close()
	series := regexp.MustCompile(`^(\w+)(?:{(.*)})? `)
	label := regexp.MustCompile(`(\w+)="`)
	metrics := make(map[string][]string)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		match := series.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		metrics[match[1]] = []string{model.MetricNameLabel}
		for _, l := range label.FindAllStringSubmatch(match[2], -1) {
			metrics[match[1]] = append(metrics[match[1]], l[1])
		}
	}
	return metrics
}

// unknown returns the selectors of an expression with an unknown metric or label.
func unknown(expr parser.Expr, metrics map[string][]string) []string {
	var wrong []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		selector, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		has, ok := metrics[selector.Name]
		if !ok {
			wrong = append(wrong, selector.Name)
		}
		for _, m := range selector.LabelMatchers {
			if ok && !slices.Contains(has, m.Name) {
				wrong = append(wrong, selector.Name+"{"+m.Name+"}")
			}
		}
		return nil
	})
	return wrong
}

// TestQueriesNameExportedMetrics: the metrics and labels of all queries exist.
func TestQueriesNameExportedMetrics(t *testing.T) {
	metrics := known(t)
	for _, q := range queries(t, "shop") {
		if strings.Contains(q.expr, "$") {
			t.Errorf("%s: %q has a variable that is not among the dashboard's", q.where, q.expr)
			continue
		}
		if wrong := unknown(parse(t, q.where, q.expr), metrics); len(wrong) > 0 {
			t.Errorf("%s asks for %q, which stickwatch does not have", q.where, wrong)
		}
	}
}

// TestVariablesNameExportedMetrics: those of variables do, too.
func TestVariablesNameExportedMetrics(t *testing.T) {
	metrics := known(t)
	values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, d := range read(t) {
		for _, v := range d.Templating.List {
			match := values.FindStringSubmatch(v.Definition)
			if v.Type != "query" {
				continue
			}
			if match == nil {
				t.Errorf("%s: %q is no query for the values of a label", v.Name, v.Definition)
				continue
			}
			selector := parse(t, v.Name, filled(match[1], "shop")).(*parser.VectorSelector)
			if wrong := unknown(selector, metrics); len(wrong) > 0 || !slices.Contains(metrics[selector.Name], match[2]) {
				t.Errorf("%s asks for the label %s of %s: got labels %q, unknown %q", v.Name, match[2], match[1], metrics[selector.Name], wrong)
			}
		}
	}
}
