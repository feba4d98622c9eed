package arch

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// TestGoroutinesAreGuarded checks that in the packages of the command, goroutines start
// in package panics only. A panic in any other goroutine would end the process.
func TestGoroutinesAreGuarded(t *testing.T) {
	checked := 0
	for _, p := range shipped(t) {
		if !ours(p.ImportPath) || p.ImportPath == module+"/internal/panics" {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			must.Succeed(t, err)
			files = append(files, file)
		}
		for _, at := range unguarded(files) {
			t.Errorf("%s starts a goroutine: use package panics, which handles its panics", fset.Position(at))
		}
		checked += len(files)
	}
	if checked < 100 {
		t.Errorf("got %d files, want the whole command", checked)
	}
}

// TestUnguarded checks that every way to start a goroutine is found.
func TestUnguarded(t *testing.T) {
	for text, want := range map[string]int{
		"go f()":                             1,
		"go func() {}()":                     1,
		"time.AfterFunc(0, f)":               1,
		"context.AfterFunc(ctx, f)":          1,
		"start := time.AfterFunc; _ = start": 1,
		"var wg sync.WaitGroup; wg.Go(f)":    1,
		"s.running.Go(f)":                    1,
		"var g errgroup.Group; g.Go(f)":      1,
		"var g panics.Group; g.Go(f)":        0,
		"s.running.Add(1)":                   0,
		"panics.Go(panics.Web, f)":           0,
	} {
		source := "package p\ntype s struct{ running sync.WaitGroup }\nfunc f() { " + text + " }"
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
		must.Succeed(t, err)
		if got := len(unguarded([]*ast.File{file})); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

// A built is the output of `go list` for the source of a package.
type built struct {
	ImportPath, Dir string
	GoFiles         []string
}

// shipped returns the packages that the command is built from.
func shipped(t *testing.T) []built {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles", module+"/cmd/stickwatch").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	var all []built
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p built
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("decoding the list of packages: %v", err)
		}
		all = append(all, p)
	}
}

// unguarded returns the positions in the files of a package where goroutines start.
func unguarded(files []*ast.File) []token.Pos {
	groups := waitGroups(files)
	var found []token.Pos
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = append(found, n.Pos())
			case *ast.SelectorExpr:
				switch {
				case is(n, "time", "AfterFunc"), is(n, "context", "AfterFunc"), is(n, "errgroup", "Group"):
					found = append(found, n.Pos())
				case n.Sel.Name == "Go" && slices.Contains(groups, lastName(n.X)):
					found = append(found, n.Pos())
				}
			}
			return true
		})
	}
	return found
}

// waitGroups returns the names of variables and fields of type sync.WaitGroup.
func waitGroups(files []*ast.File) []string {
	var names []string
	add := func(of []*ast.Ident, typ ast.Expr) {
		if selector, ok := typ.(*ast.SelectorExpr); ok && is(selector, "sync", "WaitGroup") {
			for _, name := range of {
				names = append(names, name.Name)
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				add(n.Names, n.Type)
			case *ast.Field:
				add(n.Names, n.Type)
			}
			return true
		})
	}
	return names
}

func is(s *ast.SelectorExpr, pkg, name string) bool {
	return lastName(s.X) == pkg && s.Sel.Name == name
}

// lastName returns the last name of an expression such as a.b.c.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	default:
		return ""
	}
}
