package main

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// TestUnit: systemd accepts the unit, and stickwatch the calls in it.
func TestUnit(t *testing.T) {
	const file = "../../internal/docs/systemd/stickwatch.service"
	text, err := os.ReadFile(file)
	must.Succeed(t, err)
	calls := regexp.MustCompile(`(?m)^Exec\w+=/usr/local/bin/(stickwatch .*)$`).FindAllSubmatch(text, -1)
	if len(calls) != 3 {
		t.Errorf("got %d calls of stickwatch, want 3", len(calls))
	}
	for _, call := range calls {
		checkCall(t, string(call[1]))
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	unit := filepath.Join(t.TempDir(), "stickwatch.service")
	own, err := os.Executable() // systemd verifies that the program exists
	must.Succeed(t, err)
	must.Succeed(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/stickwatch", own)), 0o600))
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), unit) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestComposeCalls: stickwatch accepts the calls in the compose files.
func TestComposeCalls(t *testing.T) {
	for _, file := range []string{"compose.yml", "fleet.yml"} {
		text, err := os.ReadFile("../../dashboards/compose/" + file)
		must.Succeed(t, err)
		lists := regexp.MustCompile(`(?m)^\s+command: \[(serve.*)\]$`).FindAllSubmatch(text, -1)
		typed := regexp.MustCompile(`(?m)^#.* /stickwatch (.*)$`).FindAllSubmatch(text, -1)
		if len(lists) == 0 {
			t.Errorf("%s has no service of stickwatch", file)
		}
		for _, call := range append(lists, typed...) {
			checkCall(t, "stickwatch "+strings.ReplaceAll(string(call[1]), ",", ""))
		}
	}
}

// TestImage: the calls in the Dockerfile are valid, the user is not root, and the health
// check uses the address of the daemon.
func TestImage(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	must.Succeed(t, err)
	image := string(text)
	for _, want := range []string{"\nFROM scratch\n", "\nUSER 65534:65534\n", "CGO_ENABLED=0", "--healthcheck"} {
		if !strings.Contains(image, want) {
			t.Errorf("the Dockerfile has no %q", want)
		}
	}
	lists := regexp.MustCompile(`(?m)CMD \["(?:/stickwatch", ")?(serve".*)\]$`).FindAllStringSubmatch(image, -1)
	if len(lists) != 2 {
		t.Errorf("got %d calls of stickwatch, want 2", len(lists))
	}
	for _, list := range lists {
		checkCall(t, "stickwatch "+strings.NewReplacer(`"`, "", ",", "").Replace(list[1]))
	}
}

// checkCall reports flags that a command does not have.
func checkCall(t *testing.T, call string) {
	t.Helper()
	words := strings.Fields(call)
	found, rest, err := newRoot(console{}).Find(words[1:])
	if err != nil {
		t.Errorf("%q: %v", call, err)
		return
	}
	for _, word := range rest {
		if name, ok := strings.CutPrefix(word, "--"); ok && found.Flags().Lookup(name) == nil {
			t.Errorf("%q: %s has no flag %s", call, found.Name(), word)
		}
	}
}

// copiedModule copies the files that a build needs to another directory.
func copiedModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"cmd", "probes", "checks", "alerting", "dashboards", "internal"} {
		must.Succeed(t, os.CopyFS(filepath.Join(dir, name), os.DirFS("../../"+name)))
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile("../../" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
		}
		must.Succeed(t, err)
	}
	return dir
}

// TestReproducible: the binary of the image is identical wherever it is built, and prints
// the version that the linker set.
func TestReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program twice")
	}
	image, err := os.ReadFile("../../Dockerfile")
	must.Succeed(t, err)
	line := regexp.MustCompile(`go build (.*) -ldflags "(.*)" -o`).FindStringSubmatch(string(image))
	if line == nil {
		t.Fatal("the Dockerfile builds nothing")
	}
	var sums [2][sha256.Size]byte
	for i, source := range []string{"../..", copiedModule(t)} {
		binary := filepath.Join(t.TempDir(), "stickwatch")
		args := append([]string{"build"}, strings.Fields(line[1])...)
		args = append(args, "-ldflags", strings.ReplaceAll(line[2], "${VERSION}", "1.2.3"), "-o", binary, "./cmd/stickwatch")
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building: %v\n%s", err, out)
		}
		content, err := os.ReadFile(binary)
		must.Succeed(t, err)
		sums[i] = sha256.Sum256(content)
		if out, err := exec.CommandContext(t.Context(), binary, "version").Output(); err != nil || !strings.HasPrefix(string(out), "stickwatch 1.2.3 (") {
			t.Errorf("got %s, want version 1.2.3: %v", out, err)
		}
	}
	if sums[0] != sums[1] {
		t.Error("two builds differ")
	}
}
