package arch

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// topLevel lists the files and folders allowed at the top of the repository.
var topLevel = []string{
	"cmd", "probes", "checks", "alerting", "dashboards", "internal",
	"go.mod", "go.sum", "Dockerfile", "Makefile", "LICENSE",
	"README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
	".ci", ".github", ".gitignore", ".golangci.yml", ".goreleaser.yaml", ".dockerignore",
}

func TestTopLevel(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "git", "-C", "../..", "ls-files")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("git does not answer, so this is no checkout: %v", err)
	}
	for file := range strings.Lines(string(out)) {
		first, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		if !slices.Contains(topLevel, first) {
			t.Errorf("%s is at the top level: want one of %q", file, topLevel)
		}
	}
}
