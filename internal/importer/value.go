package importer

import (
	"errors"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"

	yamlv4 "go.yaml.in/yaml/v4"

	"stickwatch/probes"
)

// A value is a part of a structured file, YAML, JSON or TOML, with its position. The zero
// value stands for a key that the file does not have.
type value struct {
	position
	text   string   // of a scalar
	keys   []string // of a mapping, in order
	fields []value  // by keys
	items  []value  // of a sequence
}

// exists reports whether the file has the value.
func (v value) exists() bool { return v.position != (position{}) }

// sameKey compares keys without case, "_" and "-": products accept several spellings.
func sameKey(a, b string) bool {
	return strings.EqualFold(keySpelling.Replace(a), keySpelling.Replace(b))
}

var keySpelling = strings.NewReplacer("_", "", "-", "")

// index returns the position of a key in a mapping; -1: there is none. Of several spellings the last one counts.
func (v value) index(key string) int {
	for i, name := range slices.Backward(v.keys) {
		if sameKey(name, key) {
			return i
		}
	}
	return -1
}

// get returns the value below a path of keys.
func (v value) get(path ...string) value {
	for _, key := range path {
		i := v.index(key)
		if i < 0 {
			return value{}
		}
		v = v.fields[i]
	}
	return v
}

// entries iterates over the keys and values of a mapping.
func (v value) entries() iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		for i, key := range v.keys {
			if !yield(key, v.fields[i]) {
				return
			}
		}
	}
}

// list returns the items of a sequence; a scalar is a list of one.
func (v value) list() []value {
	if v.items == nil && v.text != "" {
		return []value{v}
	}
	return v.items
}

// texts returns the texts of a list.
func (v value) texts() (out []string) {
	for _, item := range v.list() {
		out = append(out, item.text)
	}
	return out
}

// isTrue reports whether a scalar is true.
func (v value) isTrue() bool {
	return strings.EqualFold(v.text, "true") || v.text == "on" || v.text == "1"
}

// set sets the value below a path of keys, and creates what is missing.
func (v *value) set(path []string, leaf value) {
	if !v.exists() {
		v.position = leaf.position
	}
	if len(path) == 0 {
		v.text, v.items = leaf.text, leaf.items
		v.keys, v.fields = append(v.keys, leaf.keys...), append(v.fields, leaf.fields...)
		return
	}
	if i := v.index(path[0]); i >= 0 {
		v.fields[i].set(path[1:], leaf)
		return
	}
	v.keys, v.fields = append(v.keys, path[0]), append(v.fields, value{})
	v.fields[len(v.fields)-1].set(path[1:], leaf)
}

// maxValues limits the values of a file, counting those of aliases repeatedly.
const maxValues = 200_000

// documents parses the YAML documents of a file. JSON is YAML, too.
func documents(file, text string) ([]value, error) {
	if found := placeholderLine.FindStringIndex(text); found != nil {
		at := position{file, 1 + strings.Count(text[:found[1]], "\n")}
		return nil, at.errorf("%s", inTemplate)
	}
	loader, err := yamlv4.NewLoader(strings.NewReader(text))
	if err != nil {
		return nil, position{file: file}.errorf("%s", probes.Clean(err.Error(), maxNote))
	}
	var out []value
	for c := (converter{file: file, left: maxValues}); ; {
		var node yamlv4.Node
		switch err := loader.Load(&node); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, notYAML(file, err)
		}
		for _, root := range node.Content {
			v, err := c.value(root, 0)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
}

// inTemplate is the error for a template, which is no file of its format.
const inTemplate = "{{ is a placeholder of a template: give the file that the template results in (helm template prints it)"

// placeholderLine matches a placeholder that YAML would read as a mapping.
var placeholderLine = regexp.MustCompile(`(?m)^[ \t-]*(?:[\w./-]+:[ \t]*)?\{\{`)

// notYAML returns the error for text that is no YAML.
func notYAML(file string, err error) error {
	at, message := position{file: file}, err.Error()
	if e, ok := errors.AsType[*yamlv4.LoadError](err); ok {
		at.line, message = e.Mark.Line, e.Message
	}
	return at.errorf("no valid YAML: %s", probes.Clean(message, maxNote))
}

// A converter converts nodes of package yaml.
type converter struct {
	file string
	left int // values that may still follow
}

func (c *converter) value(n *yamlv4.Node, depth int) (value, error) {
	if n.Kind == yamlv4.AliasNode {
		n = n.Alias
	}
	v := value{position: position{c.file, n.Line}}
	if c.left--; c.left < 0 || depth > 10*maxDepth {
		return v, v.errorf("more than %d values, or nested too deeply: no configuration is that large", maxValues)
	}
	switch n.Kind {
	case yamlv4.ScalarNode:
		if n.Tag != "!!null" {
			v.text = n.Value
		}
	case yamlv4.SequenceNode:
		v.items = []value{}
		for _, item := range n.Content {
			converted, err := c.value(item, depth+1)
			if err != nil {
				return v, err
			}
			v.items = append(v.items, converted)
		}
	case yamlv4.MappingNode:
		var merged []value
		own := make(map[string]bool)
		for i := 0; i+1 < len(n.Content); i += 2 {
			converted, err := c.value(n.Content[i+1], depth+1)
			if err != nil {
				return v, err
			}
			key := n.Content[i].Value
			if key == "<<" { // its value is a mapping, or a list of mappings
				merged = append(append(merged, converted), converted.items...)
				continue
			}
			v.keys, v.fields, own[key] = append(v.keys, key), append(v.fields, converted), true
		}
		for _, m := range merged {
			for key, field := range m.entries() {
				if !own[key] {
					v.keys, v.fields, own[key] = append(v.keys, key), append(v.fields, field), true
				}
			}
		}
	}
	return v, nil
}
