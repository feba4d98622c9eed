package importer

import (
	"testing"

	"stickwatch/internal/must"
)

// TestTOML parses the parts of TOML that Traefik's files use.
func TestTOML(t *testing.T) {
	const text = `# a comment
top = "a \" quote" # another
[a.b]
'quoted.key' = 'single \'
list = [ "x", # one
  'y', ]
[a.b."c.d"]
n = 3
inline = { k = "v", deep.er = true }
[[a.items]]
url = "one"
[a.items.sub]
k = "1"
[[a.items]]
url = "two"
[z]
long = """
first
second"""
`
	root, err := parseTOML("f", text)
	must.Succeed(t, err)
	for _, test := range []struct {
		got  value
		text string
		line int
	}{
		{root.get("top"), `a " quote`, 2},
		{root.get("a", "b", "quoted.key"), `single \`, 4},
		{root.get("a", "b", "list").items[1], "y", 6},
		{root.get("a", "b", "c.d", "n"), "3", 8},
		{root.get("a", "b", "c.d", "inline", "deep", "er"), "true", 9},
		{root.get("a", "items").items[0].get("url"), "one", 11},
		{root.get("a", "items").items[0].get("sub", "k"), "1", 13},
		{root.get("a", "items").items[1].get("url"), "two", 15},
		{root.get("z", "long"), "first\nsecond", 17},
	} {
		if test.got.text != test.text || test.got.line != test.line {
			t.Errorf("got %q at line %d, want %q at line %d", test.got.text, test.got.line, test.text, test.line)
		}
	}
}

// TestTOMLErrors checks that errors name the line and what is wrong.
func TestTOMLErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a = \"b":            `f:1: the quote " is never closed`,
		"\na = [1,\n2":       `f:2: the array is never closed by ]`,
		"a = {b = 1":         `f:1: the table is never closed by }`,
		"a b":                `f:1: expected KEY = VALUE`,
		"[a\nb = 1":          `f:1: the table is never closed by ]`,
		"[[a]\nb = 1":        `f:1: the table is never closed by ]]`,
		"a =":                `f:1: expected a value`,
		"= 1":                `f:1: expected a key, got "= 1"`,
		"a = \"\"\"x":        `f:1: the quotes """ are never closed`,
		"[a]\n{{ if .B }}\n": "f:2: " + inTemplate,
	} {
		if _, err := parseTOML("f", text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
