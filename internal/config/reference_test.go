package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"go.yaml.in/yaml/v4"
)

func readReference(t *testing.T) []Section {
	t.Helper()
	sections, err := Reference()
	must.Succeed(t, err)
	return sections
}

// TestPageHasEveryKey checks that the documentation contains Reference. To update it:
// go test ./internal/config -update.
func TestPageHasEveryKey(t *testing.T) {
	const page, begin, end = "../../internal/docs/configuration.md", "with -update -->\n", "<!-- /keys -->"
	content, err := os.ReadFile(page)
	must.Succeed(t, err)
	head, rest, begun := strings.Cut(string(content), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has no place for the keys", page)
	}
	expect.Golden(t, page, head+begin+"\n"+keyTables(readReference(t))+end+tail)
}

// keyTables returns sections as Markdown tables with headings of the third level.
func keyTables(sections []Section) string {
	var b strings.Builder
	for _, s := range sections {
		heading := "The file"
		if s.KeyPaths[0] != "" {
			heading = "`" + strings.Join(s.KeyPaths, "`, `") + "`"
		}
		fmt.Fprintf(&b, "### %s\n\n%s\n\n| key | value | meaning |\n|---|---|---|\n", heading, s.Text)
		for _, k := range s.Keys {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, k.Value(), strings.ReplaceAll(k.Text, "|", `\|`))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestReference checks that every key is documented, and every section only once.
func TestReference(t *testing.T) {
	at := map[string]bool{}
	for _, s := range readReference(t) {
		if s.Text == "" {
			t.Errorf("%q tells nothing of itself", s.KeyPaths)
		}
		for _, keyPath := range s.KeyPaths {
			if at[keyPath] {
				t.Errorf("%q is documented twice", keyPath)
			}
			at[keyPath] = true
		}
		for _, k := range s.Keys {
			if k.Name == "" || k.Kind == "" || k.Text == "" {
				t.Errorf("%q has the key %+v", s.KeyPaths, k)
			}
		}
	}
	for _, keyPath := range []string{"", "clusters[].nodes[]", "clusters[].intervals", "intervals", "clusters[].session.node", "alerting.routes[]"} {
		if !at[keyPath] {
			t.Errorf("%q is missing", keyPath)
		}
	}
}

// manuals are the pages with a configuration that has every key.
var manuals = []string{"../../internal/docs/configuration.md", "../../internal/docs/configuration.zh-CN.md"}

// yamlBlocks returns the complete configurations in a page: blocks that begin with
// top-level keys.
func yamlBlocks(t *testing.T, page string) []string {
	t.Helper()
	content, err := os.ReadFile(page)
	must.Succeed(t, err)
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```\n").FindAllStringSubmatch(string(content), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no configuration", page)
	}
	return blocks
}

// TestManualsAreValid checks the configurations in the manuals, with secrets from
// existing files.
func TestManualsAreValid(t *testing.T) {
	files, err := filepath.Abs("testdata/files")
	must.Succeed(t, err)
	for _, page := range manuals {
		for _, block := range yamlBlocks(t, page) {
			if !strings.Contains(block, "clusters:\n") {
				continue // an incomplete configuration
			}
			block = strings.ReplaceAll(block, "/etc/stickwatch/", files+"/")
			if _, err := Parse(page, []byte(block), testenv); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, block)
			}
		}
	}
}

// TestManualsHaveEveryKey checks that the manuals contain every key at its path, in a
// configuration or in a comment of one. KEY_file counts as KEY, too.
func TestManualsHaveEveryKey(t *testing.T) {
	for _, page := range manuals {
		documented, comments := map[string]bool{}, ""
		for _, block := range yamlBlocks(t, page) {
			var content any
			if err := yaml.Load([]byte(block), &content); err != nil {
				t.Fatalf("%s: %v in\n%s", page, err, block)
			}
			keysOf(documented, "", content)
			comments += strings.Join(regexp.MustCompile(`(?m)(?:^|\s)# .*$`).FindAllString(block, -1), "\n")
		}
		for _, s := range readReference(t) {
			for _, k := range s.Keys {
				word := regexp.MustCompile(`\b` + k.Name + `\b`)
				if !slices.ContainsFunc(s.KeyPaths, func(at string) bool { return documented[at+"."+k.Name] || documented[at+"."+k.Name+"_file"] }) &&
					!word.MatchString(comments) {
					t.Errorf("%s does not have %s.%s", page, s.KeyPaths[0], k.Name)
				}
			}
		}
	}
}

// keysOf records the path of every key in a value.
func keysOf(documented map[string]bool, at string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, value := range v {
			documented[at+"."+key] = true
			keysOf(documented, strings.TrimPrefix(at+"."+key, "."), value)
		}
	case []any:
		for _, item := range v {
			keysOf(documented, at+"[]", item)
		}
	}
}

// TestDocumentedExtractors checks that the extractors in the documentation are valid.
func TestDocumentedExtractors(t *testing.T) {
	content, err := os.ReadFile("../../internal/docs/configuration.md")
	must.Succeed(t, err)
	_, rows, _ := strings.Cut(string(content), "| you see | write |\n")
	rows, _, _ = strings.Cut(rows, "\n\n")
	taught := 0
	for row := range strings.Lines(rows) {
		cells := strings.Split(row, " | ")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-1], -1) {
			file := "clusters: [{name: a, balancer: {url: http://a}, nodes: [{id: b, url: http://b}], session: {path: /, node: " + m[1] + "}}]"
			if _, err := Parse("stickwatch.yml", []byte(file), testenv); err != nil {
				t.Errorf("%s: %v", m[1], err)
			}
			taught++
		}
	}
	if taught < 9 {
		t.Errorf("got %d extractors, want all of the table", taught)
	}
}

// TestPublishedSchema checks that the published schema equals the output of `check
// --schema`. To update it: go test ./internal/config -update.
func TestPublishedSchema(t *testing.T) {
	const file = "../../internal/docs/stickwatch.schema.json"
	schema, err := Schema()
	must.Succeed(t, err)
	expect.Golden(t, file, string(schema)+"\n")
}

// TestExamples checks that the example configurations are valid.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../internal/docs/examples/*.yml")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %d examples, %v", len(files), err)
	}
	getenv := func(string) (string, bool) { return "https://hooks.example/T/B/x", true }
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			must.Succeed(t, err)
			if _, err := Parse(file, data, getenv); err != nil {
				t.Error(err)
			}
		})
	}
}
