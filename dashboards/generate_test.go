package dashboards

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the dashboards' JSON anew")

// TestGenerated: the committed JSON is what the code says, and there is no other.
func TestGenerated(t *testing.T) {
	all, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range all {
		if *update {
			if err := os.WriteFile(name, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		committed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(committed), string(content)); diff != "" {
			t.Errorf("%s is not what the code says, `go generate ./dashboards` writes it (-committed +code):\n%s", name, diff)
		}
	}
	committed, err := filepath.Glob("grafana/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), committed); diff != "" {
		t.Errorf("dashboards of the code and files (-code +files):\n%s", diff)
	}
}

// read returns the committed dashboards as Grafana reads them.
func read(t *testing.T) map[string]Dashboard {
	t.Helper()
	paths, err := filepath.Glob("grafana/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %d dashboards and error %v, want some", len(paths), err)
	}
	all := make(map[string]Dashboard)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d Dashboard
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("decoding %s: %v", path, err)
		}
		all[filepath.Base(path)] = d
	}
	return all
}
