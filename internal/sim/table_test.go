package sim

import (
	"os"
	"strings"
	"testing"
)

// The section of SCENARIOS.md that `make simulate` writes.
const (
	tableTitle = "## Simulation"
	nextTitle  = "\n## "
)

// writeTable replaces the table in a file.
func writeTable(t *testing.T, path, table string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(withTable(string(old), table)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withTable returns a page with the section replaced or appended.
func withTable(page, table string) string {
	before, after, found := strings.Cut(page, tableTitle+"\n")
	if !found {
		return strings.TrimRight(page, "\n") + "\n\n" + tableTitle + "\n\n" + table
	}
	if at := strings.Index(after, nextTitle); at >= 0 {
		return before + tableTitle + "\n\n" + table + after[at:]
	}
	return before + tableTitle + "\n\n" + table
}
