package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// binaryDirs are searched after PATH: Debian installs servers outside the PATH of
// normal users, and PostgreSQL in a folder per version.
var binaryDirs = []string{
	"/usr/sbin",
	"/usr/local/sbin",
	"/usr/lib/postgresql/*/bin",
	"/usr/lib/apache2",
}

// Require skips the test when one of the named programs ("nginx", "postgres") is not
// installed. Where the environment variable CI is not empty it fails the test, because
// a skipped test would go unnoticed there. The constructors of this package call
// Require.
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

// program returns the path of an installed program, or skips or fails the test as
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
		// Matches are sorted: the last one is the newest version.
		matches, _ := filepath.Glob(filepath.Join(dir, name))
		for _, match := range slices.Backward(matches) {
			if path, err := exec.LookPath(match); err == nil {
				return path, true
			}
		}
	}
	return "", false
}
