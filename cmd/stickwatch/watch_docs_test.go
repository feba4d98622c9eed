package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// snippets are the blocks of a language in the page about deployments.
func snippets(t *testing.T, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../internal/docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```\n").FindAllStringSubmatch(string(page), -1) {
		list = append(list, m[1]+"\n")
	}
	if len(list) == 0 {
		t.Fatalf("no %s in the page", language)
	}
	return list
}

// The shell script of the page runs, with a deployment that works and with one
// that does not. stickwatch is a stub: what it does the scripts of testdata show.
func TestDeployingInShell(t *testing.T) {
	for _, tt := range []struct {
		name, stickwatch, deploy string
		status                   int
		says                     string
	}{
		{"well", `echo report; [ "$2" = --watch ] || exit 0; shift 9; exec "$@"`, "exit 0", 0, "nobody was thrown out"},
		{"users noticed", `[ "$2" = --watch ] || exit 0; exit 1`, "exit 0", 1, "users noticed: see report.md"},
		{"not to be told", `[ "$2" = --watch ] || exit 0; exit 3`, "exit 0", 3, "could not be told: see report.md"},
		{"it failed", `[ "$2" = --watch ] || exit 0; shift 9; exec "$@"`, "exit 7", 7, "the deployment failed with 7"},
		{"not fit", "exit 1", "touch deployed", 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, content string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write("release.sh", snippets(t, "sh")[0])
			write("stickwatch", "#!/bin/sh\n"+tt.stickwatch+"\n")
			write("deploy.sh", "#!/bin/sh\n"+tt.deploy+"\n")
			cmd := exec.CommandContext(t.Context(), "./release.sh", "4.2")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(string(out), tt.says) {
				t.Errorf("got status %d and %q, want %d and %q", got, out, tt.status, tt.says)
			}
			if _, err := os.Stat(filepath.Join(dir, "deployed")); err == nil {
				t.Error("it was deployed to a cluster that is not fit for it")
			}
		})
	}
}

// Every call of stickwatch in the page is one that stickwatch takes: its flags
// exist, and their values are sound.
func TestDeployingCalls(t *testing.T) {
	calls := regexp.MustCompile(`stickwatch (probe[^|>\x60\n#]*)`)
	for _, language := range []string{"sh", "yaml", "groovy"} {
		for _, snippet := range snippets(t, language) {
			snippet = strings.ReplaceAll(snippet, "\\\n", "")
			for _, m := range calls.FindAllStringSubmatch(snippet, -1) {
				args := strings.Fields(strings.NewReplacer(`"`, "", "'", "", "{{ ", "", " }}", "").Replace(m[1]))
				root := newRoot(console{in: os.Stdin, out: os.Stdout, err: os.Stderr})
				cmd, rest, err := root.Find(args)
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err == nil {
					err = cmd.ValidateArgs(cmd.Flags().Args())
				}
				if err != nil {
					t.Errorf("stickwatch %s: %v", m[1], err)
				}
			}
		}
	}
}

func TestDeployingYAML(t *testing.T) {
	for _, snippet := range snippets(t, "yaml") {
		var content any
		if err := yaml.Unmarshal([]byte(snippet), &content); err != nil {
			t.Errorf("%v in\n%s", err, snippet)
		}
	}
}
