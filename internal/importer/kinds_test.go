package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"stickwatch/internal/phrase"
)

// The results in an archive of testdata/kinds.
const (
	wantFile  = "stickwatch.yml" // the whole written file
	wantError = "error"          // the error, where nothing is written
)

// kinds are configurations by product, each an archive: a comment that says what is hard
// in them, the files with the main one first, and the result. Those of testdata/kinds have
// one difficulty each; those of testdata/public are written after public ones, with all
// that surrounds a pool there.
func kinds(t *testing.T) map[string]Product {
	t.Helper()
	out := map[string]Product{}
	for _, p := range Products {
		for _, dir := range []string{"kinds", "public"} {
			names, err := filepath.Glob(filepath.Join("testdata", dir, string(p), "*.txtar"))
			if err != nil || len(names) == 0 && dir == "kinds" {
				t.Errorf("%s: no configurations, %v", p, err)
			}
			for _, name := range names {
				out[name] = p
			}
		}
	}
	return out
}

// TestKinds imports each configuration without requests and compares the whole result.
// What is written must be valid, and so must clusters that are written as comments, once
// their marks are removed.
func TestKinds(t *testing.T) {
	for name, p := range kinds(t) {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(name), "testdata/"), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			must.Succeed(t, err)
			got := imported(t, p, archive)
			if *expect.Update {
				archive.Files = append(inputs(archive), got)
				must.Succeed(t, os.WriteFile(name, txtar.Format(archive), 0o644))
			}
			want := archive.Files[len(archive.Files)-1]
			expect.Equal(t, name, want.Name+"\n"+string(want.Data), got.Name+"\n"+string(got.Data))
		})
	}
}

// inputs returns the files of an archive without the result.
func inputs(archive *txtar.Archive) []txtar.File {
	n := len(archive.Files)
	if last := archive.Files[n-1].Name; last == wantFile || last == wantError {
		return archive.Files[:n-1]
	}
	return archive.Files
}

// toComplete matches addresses that the reader of a written file must complete.
var toComplete = regexp.MustCompile(`url: "(?:[^"\\]|\\.)*[$@{%<](?:[^"\\]|\\.)*"|url: http://NODE\d(:\d+)?`)

// imported returns the result of importing an archive, and checks that it is valid.
func imported(t *testing.T, p Product, archive *txtar.Archive) txtar.File {
	t.Helper()
	files := memoryFiles{}
	for _, f := range inputs(archive) {
		files[f.Name] = string(f.Data)
	}
	s, err := read(p, files, archive.Files[0].Name, Options{})
	if err != nil {
		clean(t, err.Error())
		return txtar.File{Name: wantError, Data: []byte(err.Error() + "\n")}
	}
	text, err := s.YAML(phrase.Reader{})
	must.Succeed(t, err)
	completed := strings.ReplaceAll(string(text), skeletonMark, "  ")
	address := 0
	completed = toComplete.ReplaceAllStringFunc(completed, func(string) string {
		address++
		return fmt.Sprintf("url: http://10.9.9.%d", address)
	})
	if _, err := config.Parse("completed", []byte(completed), func(string) (string, bool) { return "10.9.9.9", true }); err != nil && !strings.Contains(completed, "nodes_from") {
		t.Errorf("completed clusters: %v", err)
	}
	return txtar.File{Name: wantFile, Data: text}
}

// TestNodesFrom checks that nodesFrom says what the configuration accepts.
func TestNodesFrom(t *testing.T) {
	const file = "clusters: [{name: a, balancer: {url: http://a}, nodes_from: {dns: {name: a, type: A, port: 80}}}]"
	_, err := config.Parse("file", []byte(file), func(string) (string, bool) { return "", false })
	if accepted := err == nil; accepted != nodesFrom {
		t.Errorf("nodesFrom is %v, but loading nodes_from: %v", nodesFrom, err)
	}
}
