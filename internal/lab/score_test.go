package lab

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"text/template"
	"time"

	"stickwatch/checks"
)

// A scorecard counts the results of every scenario behind every balancer. `make
// scenarios` writes it to SCENARIOS.md.
type scorecard struct {
	mu   sync.Mutex
	rows []*scoreRow
}

// A scoreRow is a row: every run counts once.
type scoreRow struct {
	Scenario, Balancer string
	Healthy            bool   // there is no fault, and no finding is allowed
	Known              string // why it is not detected; "": it should be

	runCounts
}

// runCounts are the results of runs.
type runCounts struct {
	Runs       int
	Found      int // all wanted findings, and no others
	Missed     int // a wanted finding is missing, and there is no other
	WrongClass int // there is another finding instead
	FalseAlarm int // there is another finding beside the wanted ones
	Slowest    time.Duration
}

// add counts a run. There is no delay to measure, because a scenario has a single
// round.
func (scorecard *scorecard) add(s scenario, f front, missing, unexpected []string, r checks.Report) {
	scorecard.mu.Lock()
	defer scorecard.mu.Unlock()
	i := slices.IndexFunc(scorecard.rows, func(row *scoreRow) bool { return row.Scenario == s.name && row.Balancer == f.name })
	if i < 0 {
		i = len(scorecard.rows)
		scorecard.rows = append(scorecard.rows, &scoreRow{Scenario: s.name, Balancer: f.name, Healthy: s.healthy(), Known: s.knownGap(f).why})
	}
	t := runCounts{Runs: 1, Slowest: r.Duration}
	switch {
	case len(missing) == 0 && len(unexpected) == 0:
		t.Found = 1
	case len(missing) > 0 && len(unexpected) > 0:
		t.WrongClass = 1
	case len(missing) > 0:
		t.Missed = 1
	default:
		t.FalseAlarm = 1
	}
	scorecard.rows[i].runCounts = scorecard.rows[i].plus(t)
}

func (r runCounts) plus(o runCounts) runCounts {
	return runCounts{
		r.Runs + o.Runs, r.Found + o.Found, r.Missed + o.Missed,
		r.WrongClass + o.WrongClass, r.FalseAlarm + o.FalseAlarm, max(r.Slowest, o.Slowest),
	}
}

// A line is the sum of all rows with the same name.
type line struct {
	Name string
	runCounts
}

// by sums up the rows by a name, sorted.
func (s *scorecard) by(name func(*scoreRow) string) []line {
	sums := make(map[string]runCounts)
	for _, row := range s.rows {
		sums[name(row)] = sums[name(row)].plus(row.runCounts)
	}
	var lines []line
	for _, n := range slices.Sorted(maps.Keys(sums)) {
		lines = append(lines, line{n, sums[n]})
	}
	return lines
}

// of sums up the rows of healthy clusters, or all others.
func (s *scorecard) of(healthy bool) runCounts {
	var all runCounts
	for _, row := range s.rows {
		if row.Healthy == healthy {
			all = all.plus(row.runCounts)
		}
	}
	return all
}

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
func (s *scorecard) write(t *testing.T) {
	path := os.Getenv("STICKWATCH_SCENARIO_TABLE")
	if path == "" {
		return
	}
	old, _ := os.ReadFile(path) // none, the first time
	if err := os.WriteFile(path, slices.Concat(s.page(t), operationsOf(old), simulation(old)), 0o644); err != nil {
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
func (scorecard *scorecard) page(t *testing.T) []byte {
	t.Helper()
	slices.SortStableFunc(scorecard.rows, func(a, b *scoreRow) int {
		return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Balancer, b.Balancer))
	})
	data := struct {
		Faults, Healthy        runCounts
		Scenarios, Fronts      []line
		Rows, Known, Imperfect []*scoreRow // Known: faults that cannot be detected, and why
	}{
		Faults: scorecard.of(false), Healthy: scorecard.of(true),
		Scenarios: scorecard.by(func(s *scoreRow) string { return s.Scenario }),
		Fronts:    scorecard.by(func(s *scoreRow) string { return s.Balancer }),
		Rows:      scorecard.rows,
	}
	for _, row := range scorecard.rows {
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
