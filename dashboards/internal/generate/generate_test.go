package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGenerated: the committed JSON equals the generated one, and there is no other.
func TestGenerated(t *testing.T) {
	const folder = "../../grafana"
	all, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range all {
		committed, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(committed), string(content)); diff != "" {
			t.Errorf("%s is outdated: run `go generate ./dashboards` (-committed +generated):\n%s", name, diff)
		}
	}
	committed, err := filepath.Glob(folder + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for i := range committed {
		committed[i] = filepath.Base(committed[i])
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), committed); diff != "" {
		t.Errorf("dashboards of the code and files (-code +files):\n%s", diff)
	}
}
