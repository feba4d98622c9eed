package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

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
			expect.Golden(t, strings.TrimSuffix(path, ".yml")+".want", got)
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
			expect.Equal(t, "shop", tc.shop, now.SameCluster("shop", old))
			expect.Equal(t, "portal", tc.portal, now.SameCluster("portal", old))
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

// TestDigest: instances of a fleet with other receivers, routes or times have another configuration,
// and those that only reach a receiver with another secret have not.
func TestDigest(t *testing.T) {
	of := func(change func(*Config)) string {
		c := &Config{Clusters: []*probes.Cluster{{Name: "shop"}}}
		c.Alerting.Receivers = []Receiver{{Name: "ops", Slack: &Slack{Token: NewSecret("a")}}}
		change(c)
		return c.Digest()
	}
	first := of(func(*Config) {})
	for what, change := range map[string]func(*Config){
		"receivers": func(c *Config) { c.Alerting.Receivers = append(c.Alerting.Receivers, Receiver{Name: "boss"}) },
		"routes":    func(c *Config) { c.Alerting.Routes = []Route{{Receiver: "ops"}} },
		"times":     func(c *Config) { c.Alerting.ResolveAfter = time.Minute },
	} {
		if of(change) == first {
			t.Errorf("other %s are not seen", what)
		}
	}
	if of(func(c *Config) { c.Alerting.Receivers[0].Slack.Token = NewSecret("b") }) != first {
		t.Error("the digest depends on a secret")
	}
}

func TestExpand(t *testing.T) {
	const name = `expected ${NAME} or ${NAME:-default}: write $${ for a literal ${`
	tests := []struct{ text, want, err string }{
		{text: "", want: ""},
		{text: "plain", want: "plain"},
		{text: "${TEXT}", want: "two"},
		{text: "a${TEXT}b${WEIGHT}c", want: "atwob3c"},
		{text: "${TEXT:-other}", want: "two"},
		{text: "${UNSET:-other}", want: "other"},
		{text: "${UNSET:-}", want: ""},
		{text: "${UNSET:-a:-b}", want: "a:-b"},
		{text: "${EMPTY}", want: ""},
		{text: "${EMPTY:-other}", want: "other"},
		{text: "$TEXT $ $$ (a|b)$", want: "$TEXT $ $$ (a|b)$"},
		{text: "$${TEXT}", want: "${TEXT}"},
		{text: "$$${TEXT}", want: "$${TEXT}"},
		{text: "${SECRET}", want: "hunter2("},
		{text: "${UNSET}", err: "the environment variable UNSET is not set: set it, or write ${UNSET:-default}"},
		{text: "${TEXT", err: "${ without }: write $${ for a literal ${"},
		{text: "${}", err: name},
		{text: "${1}", err: name},
		{text: "${TEXT-x}", err: name},
	}
	for _, tt := range tests {
		got, err := expand(tt.text, testenv)
		if message := errorText(err); got != tt.want || message != tt.err {
			t.Errorf("expand(%q) = %q, %q, want %q, %q", tt.text, got, message, tt.want, tt.err)
		}
	}
}

// TestExpandOnce checks that a value of the environment is always text.
func TestExpandOnce(t *testing.T) {
	env := func(string) (string, bool) { return "${A} {b: c} # d", true }
	if got, err := expand("${X}", env); err != nil || got != "${A} {b: c} # d" {
		t.Errorf("got %q, %v", got, err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
