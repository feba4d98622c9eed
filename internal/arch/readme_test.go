package arch

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"stickwatch/checks"
)

// TestReadmeHasEveryFinding keeps the README's table equal to the catalogue.
func TestReadmeHasEveryFinding(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range checks.Catalogue {
		row := fmt.Sprintf("| `%s` | %s | %s |\n", e.Code, e.Severity, e.Holds)
		if !strings.Contains(string(readme), row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
	}
}
