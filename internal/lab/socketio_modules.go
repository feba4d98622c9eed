package lab

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// socketIOFiles are the servers' program, and the lock file of each major
// version of Socket.IO. Integrity hashes pin every module, wherever it comes
// from.
//
//go:embed socketio
var socketIOFiles embed.FS

// socketIOModules returns a folder whose node_modules are those of a major
// version's lock file. It is filled under another name and then renamed, so that
// tests that run side by side see it whole or not at all.
func socketIOModules(tb testing.TB, major int) string {
	tb.Helper()
	npm := program(tb, "npm")
	from := strconv.Itoa(major)
	lock, err := socketIOFiles.ReadFile("socketio/" + from + "/package-lock.json")
	if err != nil {
		tb.Fatalf("the lab has no Socket.IO %d: %v", major, err)
	}
	cache := moduleCache(tb, major)
	dir := filepath.Join(cache, fmt.Sprintf("%x", sha256.Sum256(lock))[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	staging, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		tb.Fatalf("making a folder for node modules: %v", err)
	}
	defer os.RemoveAll(staging) // what a rename has left
	installModules(tb, npm, from, staging)
	if err := os.Rename(staging, dir); err != nil {
		if _, missing := os.Stat(dir); missing != nil { // else another test was faster
			tb.Fatalf("keeping node modules: %v", err)
		}
	}
	return dir
}

// moduleCache is where modules outlive the test, or the test's own folder for a
// user who has no place of his own.
func moduleCache(tb testing.TB, major int) string {
	tb.Helper()
	if cache, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(cache, "stickwatch-lab", fmt.Sprintf("socketio-%d", major))
		if os.MkdirAll(dir, 0o755) == nil {
			return dir
		}
	}
	return tb.TempDir()
}

// installModules runs npm, which fails in more ways than can be told apart: any
// of them is a server that the lab does not have.
func installModules(tb testing.TB, npm, from, to string) {
	tb.Helper()
	for _, name := range []string{"package.json", "package-lock.json"} {
		if err := copyEmbedded(from+"/"+name, filepath.Join(to, name)); err != nil {
			tb.Fatal(err)
		}
	}
	err := prepare(tb, Command{
		Name: "npm ci",
		Path: npm,
		Args: []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"},
		Dir:  to,
	})
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		tb.Fatalf("the lab needs Socket.IO %s, which cannot be installed: %v", from, err)
	default:
		tb.Skipf("the lab needs Socket.IO %s, which cannot be installed: %v", from, err)
	}
}

func copyEmbedded(name, to string) error {
	text, err := socketIOFiles.ReadFile("socketio/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
