package dashboards

import (
	"encoding/json"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var want = []string{
	"compose/compose.yml",
	"compose/datasource.yml",
	"compose/prometheus.yml",
	"compose/stickwatch.example.yml",
	"grafana/provisioning/dashboards/stickwatch.yml",
	"grafana/provisioning/datasources/stickwatch.yml",
	"grafana/stickwatch-cluster.json",
	"grafana/stickwatch-overview.json",
	"prometheus/stickwatch.rules.yml",
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	for range 2 { // the second call replaces the files of the first
		written, err := Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, path := range written {
			got = append(got, filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator))))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
	for _, name := range want {
		source, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if string(copied) != string(source) || len(source) == 0 {
			t.Errorf("%s: got %d bytes, want the %d embedded", name, len(copied), len(source))
		}
	}
}

// TestWriteKeepsOthers: other files in the folder are kept.
func TestWriteKeepsOthers(t *testing.T) {
	dir := t.TempDir()
	theirs := filepath.Join(dir, "compose", "stickwatch.yml")
	if err := os.Mkdir(filepath.Dir(theirs), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(theirs, []byte("clusters: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(theirs); err != nil || string(got) != "clusters: []" {
		t.Errorf("got %q and error %v, want it untouched", got, err)
	}
}

func TestWriteFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(file); err == nil || !strings.HasPrefix(err.Error(), `writing dashboards to "`+file) {
		t.Errorf("got error %v, want one that names the folder", err)
	}
}

var update = flag.Bool("update", false, "write the dashboards' JSON anew")

// TestGenerated: the committed JSON equals the generated one, and there is no other.
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
			t.Errorf("%s is outdated: run `go generate ./dashboards` (-committed +generated):\n%s", name, diff)
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

// read returns the committed dashboards, decoded.
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
