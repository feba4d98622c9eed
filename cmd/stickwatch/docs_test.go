package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"stickwatch/internal/config"
	"stickwatch/internal/docs"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// pages returns the pages of documentation for users, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../internal/docs/*.md")
	must.Succeed(t, err)
	content := make(map[string]string)
	for _, file := range append(files, "../../README.md", "../../README.zh-CN.md") {
		page, err := os.ReadFile(file)
		must.Succeed(t, err)
		content[file] = string(page)
	}
	return content
}

// commandLines returns the stickwatch calls in the shell blocks of a page, without
// comments and other commands.
func commandLines(page string) [][]string {
	var calls [][]string
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)\n```\n").FindAllStringSubmatch(page, -1) {
		text := strings.ReplaceAll(block[1], "\\\n", " ")
		text = regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(text, "")
		for line := range strings.Lines(text) {
			for _, call := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|;&()<>", r) }) {
				call = regexp.MustCompile(`"([^"]*)"`).ReplaceAllStringFunc(call, func(quoted string) string {
					return strings.ReplaceAll(strings.Trim(quoted, `"`), " ", "_")
				})
				call = strings.ReplaceAll(call, "$id", "ca3kq7d2m4xy")
				if words := strings.Fields(call); len(words) > 1 && words[0] == "stickwatch" {
					calls = append(calls, words[1:])
				}
			}
		}
	}
	return calls
}

// TestDocumentedCalls: every stickwatch call in the pages is valid.
func TestDocumentedCalls(t *testing.T) {
	tried := 0
	for file, page := range pages(t) {
		for _, args := range commandLines(page) {
			root := newRoot(console{in: os.Stdin, out: os.Stdout, err: os.Stderr})
			cmd, rest, err := root.Find(args)
			if err == nil && cmd == root {
				err = fmt.Errorf("no such command")
			}
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: stickwatch %s: %v", file, strings.Join(args, " "), err)
			}
			tried++
		}
	}
	if tried < 30 {
		t.Errorf("got %d calls, want those of all pages", tried)
	}
}

// TestDocumentedTopics: every `stickwatch help TOPIC` in the pages names a topic.
func TestDocumentedTopics(t *testing.T) {
	names := append(commandNames(newRoot(console{})), "help")
	for file, page := range pages(t) {
		for _, m := range regexp.MustCompile("`stickwatch (?:help )?([a-z]+)").FindAllStringSubmatch(page, -1) {
			if !slices.Contains(names, m[1]) {
				t.Errorf("%s: %s: there is no %s", file, m[0], m[1])
			}
		}
	}
}

// TestAPIPages: both pages about the API list exactly the operations of the OpenAPI document,
// and the pages for browsers.
func TestAPIPages(t *testing.T) {
	want := []string{"GET /", "GET /login", "GET /clusters/{name}", "GET /incidents", "GET /report", "GET /events"}
	operations, err := docs.Operations()
	if err != nil || len(operations) < 15 {
		t.Fatalf("got %d operations and error %v", len(operations), err)
	}
	for _, o := range operations {
		want = append(want, o.Method+" "+o.Path)
	}
	slices.Sort(want)
	all := pages(t)
	for _, page := range []string{"../../internal/docs/api.md", "../../internal/docs/api.zh-CN.md"} {
		var got []string
		for _, m := range regexp.MustCompile("\n\\| `([A-Z]+ /[^`]*)`").FindAllStringSubmatch(all[page], -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		expect.Equal(t, page, want, slices.Compact(got))
	}
}

func TestAPITopic(t *testing.T) {
	topic := apiTopic()
	for _, want := range []string{"POST /-/reload\n", "newest first; parameters: cluster, severity, state, code, since"} {
		if !strings.Contains(topic, want) {
			t.Errorf("got no %q in\n%s", want, topic)
		}
	}
}

// TestProfileTables: the tables of profiles have every profile, and say which ones were
// written from documentation.
func TestProfileTables(t *testing.T) {
	all := pages(t)
	for _, page := range []string{"../../README", "../../internal/docs/configuration"} {
		for suffix, mark := range map[string]string{".md": "*(d)* |", ".zh-CN.md": "*（文档）* |"} {
			for _, p := range config.Profiles() {
				row := regexp.MustCompile("(?m)^\\| `" + p.Name + "` \\|.*$").FindString(all[page+suffix])
				if row == "" || strings.Contains(row, mark) != p.FromDocs {
					t.Errorf("%s%s: %s: got the row %q, want one, with %q: %t", page, suffix, p.Name, row, mark, p.FromDocs)
				}
			}
		}
	}
}

func TestConfigurationTopic(t *testing.T) {
	topic := configurationTopic()
	for _, want := range []string{"clusters[].balancer\n", "  client_ip_header (text)\n", "  name (text; required)\n", "sticky, shared, replicated, none"} {
		if !strings.Contains(topic, want) {
			t.Errorf("got no %q in\n%s", want, topic)
		}
	}
}

// snippets returns the blocks of a language in the page about deployments.
func snippets(t *testing.T, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../internal/docs/deploying.md")
	must.Succeed(t, err)
	var list []string
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```\n").FindAllStringSubmatch(string(page), -1) {
		list = append(list, m[1]+"\n")
	}
	if len(list) == 0 {
		t.Fatalf("no %s in the page", language)
	}
	return list
}

// TestDeployingInShell runs the shell script of the page with a deployment that succeeds
// and with one that fails. stickwatch is a stub; the scripts in testdata test it.
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
				must.Succeed(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755))
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

// TestDeployingCalls: every stickwatch call in the page has existing flags with valid
// values.
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
