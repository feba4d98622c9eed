package shoutrrr_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// TestParametersAreDocumented compares the parameters that the services take with
// alerting.md, which promises a complete list.
func TestParametersAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../internal/docs/alerting.md")
	must.Succeed(t, err)
	documented := make(map[string]bool)
	// A name is in backquotes or in the query of a URL.
	for _, name := range regexp.MustCompile("[`?&](\\w+)").FindAllStringSubmatch(strings.ToLower(string(page)), -1) {
		documented[name[1]] = true
	}
	files, err := filepath.Glob("*.go")
	must.Succeed(t, err)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		must.Succeed(t, err)
		// Only the first name of a parameter must be documented; the others are aliases.
		for _, call := range regexp.MustCompile(`p\.take(?:Bool)?\("(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			found++
			if !documented[call[1]] {
				t.Errorf("%s takes %q, which alerting.md does not list", file, call[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d parameters, want all", found)
	}
}
