package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPublishedSchema checks that the published schema equals the output of `check
// --schema`. To update it: go test ./internal/config -update.
func TestPublishedSchema(t *testing.T) {
	const file = "../../internal/docs/stickwatch.schema.json"
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	schema = append(schema, '\n')
	if *update {
		if err := os.WriteFile(file, schema, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	published, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(schema), string(published)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestExamples checks that the example configurations are valid.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../internal/docs/examples/*.yml")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %d examples, %v", len(files), err)
	}
	getenv := func(string) (string, bool) { return "https://hooks.example/T/B/x", true }
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(file, data, getenv); err != nil {
				t.Error(err)
			}
		})
	}
}
