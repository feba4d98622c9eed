package arch

import (
	"regexp"
	"slices"
	"testing"
)

// TestEveryPackageIsListed checks that the table of ARCHITECTURE.md lists every package,
// and no package that does not exist.
func TestEveryPackageIsListed(t *testing.T) {
	packages := graph(t)
	var listed []string
	for _, line := range row.FindAllString(read(t, "ARCHITECTURE.md"), -1) {
		for _, m := range regexp.MustCompile("`([a-z]+(?:/[a-z]+)*)`").FindAllStringSubmatch(line, -1) {
			listed = append(listed, m[1])
		}
	}
	for name := range packages {
		if !slices.Contains(listed, name) {
			t.Errorf("ARCHITECTURE.md does not list %s", name)
		}
	}
	paths := regexp.MustCompile(`^(cmd|probes|checks|alerting|dashboards|internal)(/|$)`)
	for _, name := range listed {
		if _, there := packages[name]; !there && paths.MatchString(name) {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", name)
		}
	}
}
