package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

// TestGenerated: the committed JSON equals the generated one, and there is no other.
func TestGenerated(t *testing.T) {
	const folder = "../../grafana"
	all, err := generated()
	must.Succeed(t, err)
	for name, content := range all {
		committed, err := os.ReadFile(filepath.Join(folder, name))
		must.Succeed(t, err)
		if diff := cmp.Diff(string(committed), string(content)); diff != "" {
			t.Errorf("%s is outdated: run `go generate ./dashboards` (-committed +generated):\n%s", name, diff)
		}
	}
	committed, err := filepath.Glob(folder + "/*.json")
	must.Succeed(t, err)
	for i := range committed {
		committed[i] = filepath.Base(committed[i])
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), committed); diff != "" {
		t.Errorf("dashboards of the code and files (-code +files):\n%s", diff)
	}
}
