package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// binaryDirs are searched after PATH: Debian keeps servers out of the PATH of a
// normal user, and PostgreSQL's in a folder a version.
var binaryDirs = []string{
	"/usr/sbin",
	"/usr/local/sbin",
	"/usr/lib/postgresql/*/bin",
	"/usr/lib/apache2",
}

// Require skips the test when one of the named programs ("nginx", "postgres")
// is not installed, and says which. Where the environment variable CI is not
// empty it fails the test instead: there a silent skip would turn the proof off
// for everybody. The constructors of this package call it themselves.
func Require(tb testing.TB, names ...string) {
	tb.Helper()
	for _, name := range names {
		if _, ok := find(name); ok {
			continue
		}
		if os.Getenv("CI") != "" {
			tb.Fatalf("the lab needs %q, which is not installed", name)
		}
		tb.Skipf("the lab needs %q, which is not installed", name)
	}
}

// program returns the path of an installed program, or ends the test as
// [Require] does.
func program(tb testing.TB, name string) string {
	tb.Helper()
	Require(tb, name)
	path, _ := find(name)
	return path
}

func find(name string) (path string, ok bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	for _, dir := range binaryDirs {
		// A pattern's matches are sorted: the last is the newest version.
		matches, _ := filepath.Glob(filepath.Join(dir, name))
		for _, match := range slices.Backward(matches) {
			if path, err := exec.LookPath(match); err == nil {
				return path, true
			}
		}
	}
	return "", false
}
