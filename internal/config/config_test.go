package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the .want files of testdata/bad")

// testenv is the environment of all fixtures.
func testenv(name string) (string, bool) {
	value, ok := map[string]string{
		"EMPTY":   "",
		"TEXT":    "two",
		"SECRET":  "hunter2(",
		"YAML":    "generic\nlisten: 0.0.0.0:1",
		"WEIGHT":  "3",
		"TOKEN":   "xoxb-from-the-environment",
		"CHANNEL": "#ops",
	}[name]
	return value, ok
}

func parseFile(t testing.TB, path string) (*Config, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	must.Succeed(t, err)
	return Parse(path, data, testenv)
}

// TestBad checks each file in testdata/bad against the messages in its .want file. To
// update them: go test ./internal/config -update.
func TestBad(t *testing.T) {
	paths, _ := filepath.Glob("testdata/bad/*.yml")
	if len(paths) == 0 {
		t.Fatal("no fixtures")
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yml"), func(t *testing.T) {
			_, err := parseFile(t, path)
			problems, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("got error %v, want Problems", err)
			}
			got := strings.ReplaceAll(problems.Excerpt(), "testdata/bad/", "") + "\n"
			if strings.Contains(got, "unter2") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			golden := strings.TrimSuffix(path, ".yml") + ".want"
			if *update {
				must.Succeed(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			must.Succeed(t, err)
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestSameCluster checks that a cluster's values count, including inherited ones, but
// not their notation.
func TestSameCluster(t *testing.T) {
	const file = `
clusters:
  - name: shop
    balancer: {url: "http://127.0.0.1:1"}
    nodes: [{id: a, url: "http://127.0.0.1:2"}]
  - name: portal
    balancer: {url: "http://127.0.0.1:3"}
    nodes: [{id: a, url: "http://127.0.0.1:4"}]
`
	old := mustParse(t, file)
	for _, tc := range []struct {
		name, from, to string
		shop, portal   bool
	}{
		{"nothing", "", "", true, true},
		{"a comment, and quotes", "{id: a, url", "{'id': \"a\", url", true, true},
		{"a node's address", "127.0.0.1:2", "127.0.0.1:20", false, true},
		{"an interval of all", "\nclusters:", "\nintervals: {status: 30s}\nclusters:", false, false},
		{"an address to listen on", "\nclusters:", "\nlisten: 127.0.0.1:1\nclusters:", true, true},
		{"a header", "[{id: a, url: \"http://127.0.0.1:2\"}]", "[{id: a, url: \"http://127.0.0.1:2\"}]\n    request: {headers: {X-Key: one}}", false, true},
		{"another cluster's name", "name: portal", "name: door", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := mustParse(t, strings.Replace(file, tc.from, tc.to, 1))
			if got := now.SameCluster("shop", old); got != tc.shop {
				t.Errorf("shop: got %t, want %t", got, tc.shop)
			}
			if got := now.SameCluster("portal", old); got != tc.portal {
				t.Errorf("portal: got %t, want %t", got, tc.portal)
			}
		})
	}
}

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("stickwatch.yml", []byte(text), func(string) (string, bool) { return "", false })
	must.Succeed(t, err)
	return c
}

// TestSameClusterSecrets checks that a secret counts although no text shows it, and so do
// the contents of a file.
func TestSameClusterSecrets(t *testing.T) {
	dir := t.TempDir()
	load := func(header, token string) *Config {
		t.Helper()
		must.Succeed(t, os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600))
		const file = `clusters: [{name: shop, balancer: {url: "http://127.0.0.1:1"}, nodes: [{id: a, url: "http://127.0.0.1:2"}],
  request: {headers: {X-Key: HEADER}, bearer_token_file: token}}]`
		c, err := Parse(filepath.Join(dir, "stickwatch.yml"), []byte(strings.Replace(file, "HEADER", header, 1)), testenv)
		must.Succeed(t, err)
		return c
	}
	old := load("first", "token")
	for name, tc := range map[string]struct {
		header, token string
		same          bool
	}{
		"nothing":  {"first", "token", true},
		"a header": {"other", "token", false},
		"a file":   {"first", "other", false},
	} {
		if got := load(tc.header, tc.token).SameCluster("shop", old); got != tc.same {
			t.Errorf("%s changed: got same %t, want %t", name, got, tc.same)
		}
	}
}
