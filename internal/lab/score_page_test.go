package lab

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"slices"
	"testing"
	"text/template"
	"time"
)

//go:embed testdata/SCENARIOS.md.tmpl
var scorePageText string

var scorePage = template.Must(template.New("SCENARIOS.md").Funcs(template.FuncMap{
	"percent": func(part, all int) string {
		if all == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(all))
	},
	"ms": func(d time.Duration) string { return d.Round(time.Millisecond).String() },
	"sum": func(parts ...int) (all int) {
		for _, part := range parts {
			all += part
		}
		return all
	},
}).Parse(scorePageText))

// write writes the page to the file that STICKWATCH_SCENARIO_TABLE names.
func (c *scorecard) write(t *testing.T) {
	path := os.Getenv("STICKWATCH_SCENARIO_TABLE")
	if path == "" {
		return
	}
	old, _ := os.ReadFile(path) // none, the first time
	if err := os.WriteFile(path, slices.Concat(c.page(t), operationsOf(old), simulation(old)), 0o644); err != nil {
		t.Errorf("writing the table of scenarios: %v", err)
	}
}

// simulation returns the last section of a page, written by `make simulate`.
func simulation(page []byte) []byte {
	at := bytes.Index(page, []byte("\n## Simulation\n"))
	if at < 0 {
		return nil
	}
	section, _, _ := bytes.Cut(page[at:], []byte(operationsBegin))
	return section
}

// page formats the scorecard as Markdown.
func (c *scorecard) page(t *testing.T) []byte {
	t.Helper()
	slices.SortStableFunc(c.rows, func(a, b *scoreRow) int {
		return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Balancer, b.Balancer))
	})
	data := struct {
		Faults, Healthy        runCounts
		Scenarios, Fronts      []line
		Rows, Known, Imperfect []*scoreRow // Known: faults that cannot be detected, and why
	}{
		Faults: c.of(false), Healthy: c.of(true),
		Scenarios: c.by(func(s *scoreRow) string { return s.Scenario }),
		Fronts:    c.by(func(s *scoreRow) string { return s.Balancer }),
		Rows:      c.rows,
	}
	for _, row := range c.rows {
		switch {
		case row.Known != "":
			data.Known = append(data.Known, row)
		case row.Found < row.Runs:
			data.Imperfect = append(data.Imperfect, row)
		}
	}
	var out bytes.Buffer
	if err := scorePage.Execute(&out, data); err != nil {
		t.Fatalf("writing the table of scenarios: %v", err)
	}
	return out.Bytes()
}

// TestPageKeepsSimulation checks that the section of `make simulate` is kept.
func TestPageKeepsSimulation(t *testing.T) {
	const section = "\n## Simulation\n\n| a |\n\n### Not met in simulation\n"
	if got := string(simulation([]byte("# Scenarios\n\n| b |\n" + section))); got != section {
		t.Errorf("got %q, want %q", got, section)
	}
	if got := simulation([]byte("# Scenarios\n")); got != nil {
		t.Errorf("got %q of a page without it, want nothing", got)
	}
}
