package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReplaceSection checks that only the section of operations is replaced.
func TestReplaceSection(t *testing.T) {
	const old, now = operationsBegin + "\nold\n" + operationsEnd + "\n", operationsBegin + "\nnow\n" + operationsEnd + "\n"
	for name, page := range map[string]struct{ before, after string }{
		"none":               {"# Scenarios\n", "# Scenarios\n\n" + now},
		"one":                {"# Scenarios\n\n" + old, "# Scenarios\n\n" + now},
		"none, a simulation": {"# Scenarios\n\n## Simulation\nit\n", "# Scenarios\n\n" + now + "\n## Simulation\nit\n"},
		"both":               {"# Scenarios\n\n" + old + "\n## Simulation\nit\n", "# Scenarios\n\n" + now + "\n## Simulation\nit\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "page.md")
			if err := os.WriteFile(path, []byte(page.before), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := replaceSection(path, now); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(page.after, string(got)); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
		})
	}
}

// TestResultsGoOn checks that a continued campaign does not repeat finished runs.
func TestResultsGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	t.Setenv("STICKWATCH_OPERATIONS_LOG", path)
	p := pairings()[0]
	played := result{Operation: p.operation.name, Balancer: p.front.name, OK: true}
	results := openResults(t)
	results.add(t, played)
	if got := results.played(p); got != 0 {
		t.Errorf("played before this campaign: got %d, want 0", got)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.WriteString(`{"operation": "cut o`)
	file.Close()

	again := openResults(t)
	if got := again.played(p); got != 1 {
		t.Errorf("played before: got %d, want 1", got)
	}
	again.add(t, played)
	if got := openResults(t).played(p); got != 2 {
		t.Errorf("played in all: got %d, want 2", got)
	}
}
