package config

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// maxAliased limits the values decoded through YAML aliases: a few lines of nested
// aliases can expand to billions.
const maxAliased = 10_000

// maxLength is the maximum length of a key path, in bytes. Extractors can be nested,
// with an alias endlessly.
const maxLength = 500

// maxCollected limits the problems collected, which are more than are reported.
const maxCollected = 10 * maxProblems

// A decoder decodes a document into wire structs.
//
// It replaces the decoder of package yaml, which does not report key paths, drops list
// items that it cannot decode (which changes the index of later ones), and quotes
// values, including secrets, in its errors.
type decoder struct {
	*document
	alias   *yaml.Node // outermost alias that leads to the current value; nil: none
	last    *yaml.Node // last outermost alias
	aliased int        // number of values reached through aliases
}

// decode decodes the document into out, a pointer to a wire struct, and records the
// errors in doc.problems. It returns false if it gave up.
func (doc *document) decode(out any) bool {
	d := &decoder{document: doc}
	d.value(doc.root, reflect.ValueOf(out).Elem(), "", rules{})
	if d.aliased <= maxAliased {
		return true
	}
	doc.problems = nil // values that were not decoded are not missing
	doc.add(d.last, "", fmt.Sprintf("YAML aliases stand for more than %d values", maxAliased))
	return false
}

func (d *decoder) value(n *yaml.Node, out reflect.Value, at keyPath, r rules) {
	if n.Kind == yaml.AliasNode {
		if d.alias == nil {
			d.alias, d.last = n, n
			defer func() { d.alias = nil }()
		}
		n = n.Alias
	}
	if d.alias != nil {
		d.aliased++
	}
	if d.aliased > maxAliased {
		return
	}
	if len(at) > maxLength {
		d.markBroken(n, "", "the value is nested too deeply")
		return
	}
	d.nodes[at] = n
	for out.Kind() == reflect.Pointer {
		out.Set(reflect.New(out.Type().Elem()))
		out = out.Elem()
	}
	_, text := out.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		d.markBroken(n, at, "YAML tags are not supported: text that begins with ! needs quotes")
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		d.markBroken(n, at, "has no value: write one, or leave the key out")
	case out.Kind() == reflect.Struct && !text:
		d.mapping(n, out, at)
	case out.Kind() == reflect.Slice:
		d.sequence(n, out, at, r)
	case out.Kind() == reflect.Map:
		d.named(n, out, at, r)
	case n.Kind != yaml.ScalarNode:
		d.markBroken(n, at, "expected "+kindOf(out)+", got "+nodeKind(n))
	default:
		d.scalar(n, out, at, r)
	}
}

func (d *decoder) mapping(n *yaml.Node, out reflect.Value, at keyPath) {
	if n.Kind != yaml.MappingNode {
		d.hideSecret(n, out.Type())
		d.markBroken(n, at, "expected keys and values, got "+nodeKind(n))
		return
	}
	fields := fieldsOf(out.Type())
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content) && len(d.problems) <= maxCollected && d.aliased <= maxAliased; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		known := slices.IndexFunc(fields, func(f field) bool { return key.Kind == yaml.ScalarNode && f.name == key.Value })
		if known < 0 {
			d.unknownKey(key, value, at, out.Type())
			continue
		}
		f := fields[known]
		if line, ok := seen[f.name]; ok {
			d.markBroken(key, at.key(f.name), fmt.Sprintf("the key is on line %d already", line))
			continue
		}
		seen[f.name] = key.Line
		d.value(value, out.Field(f.index), at.key(f.name), f.rules)
	}
	for _, f := range fields {
		if _, ok := seen[f.name]; !ok && f.required {
			d.problem(at.key(f.name), "is missing")
			d.suppress(at.key(f.name))
		}
	}
}

// named decodes a map, whose keys are any words.
func (d *decoder) named(n *yaml.Node, out reflect.Value, at keyPath, r rules) {
	if n.Kind != yaml.MappingNode {
		d.markBroken(n, at, "expected keys and values, got "+nodeKind(n))
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for i := 0; i+1 < len(n.Content) && len(d.problems) <= maxCollected && d.aliased <= maxAliased; i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			d.markBroken(key, at, "expected a word for a key, got "+nodeKind(key))
			continue
		}
		where := at.key(word(key.Value))
		if out.MapIndex(reflect.ValueOf(key.Value)).IsValid() {
			d.markBroken(key, where, "the key is given twice")
			continue
		}
		value := reflect.New(out.Type().Elem()).Elem()
		d.value(n.Content[i+1], value, where, r)
		out.SetMapIndex(reflect.ValueOf(key.Value), value)
	}
}

// unknownKey reports a key that the wire struct does not have, and suppresses errors
// about the key that it was probably meant to be.
func (d *decoder) unknownKey(key, value *yaml.Node, at keyPath, t reflect.Type) {
	names := namesOf(fieldsOf(t))
	switch {
	case key.Kind != yaml.ScalarNode:
		d.markBroken(key, at, "expected a word for a key, got "+nodeKind(key))
		return
	case key.Tag == "!!merge":
		d.markBroken(key, at, "YAML merge keys (<<) are not supported: repeat the keys, or use an alias for a whole value")
		return
	}
	meant := suggestion(key.Value, names)
	name := word(key.Value)
	d.hideSecret(value, t)
	if meant == "" && d.hideSecret(key, t) {
		name = redacted
	}
	d.markBroken(key, at.key(name), unknown("key", name, names))
	if meant != "" {
		d.suppress(at.key(meant))
	}
}

// minSecretLength is the minimum length in bytes of text that is hidden everywhere:
// shorter text occurs in too many places.
const minSecretLength = 4

// hideSecret hides text in a place that may have been meant for a secret, and reports
// whether there is such text.
func (d *decoder) hideSecret(n *yaml.Node, t reflect.Type) bool {
	if n.Kind != yaml.ScalarNode || len(n.Value) < minSecretLength || !holdsSecret(t) {
		return false
	}
	d.hidden = append(d.hidden, n.Value)
	return true
}

// word returns an unknown key in a form that can be displayed in a path.
func word(key string) string {
	const most = 40
	return cmp.Or(oneLine(key, most), `""`)
}

// sequence decodes a slice, with an element for every item, decoded or not, so that
// indices in the file and in the slice agree. A single text is accepted as a list of
// texts.
func (d *decoder) sequence(n *yaml.Node, out reflect.Value, at keyPath, r rules) {
	items := n.Content
	single := n.Kind == yaml.ScalarNode && out.Type() == reflect.TypeFor[oneOrMore]()
	switch {
	case single:
		items = []*yaml.Node{n}
	case n.Kind != yaml.SequenceNode:
		d.markBroken(n, at, "expected a list, got "+nodeKind(n))
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(items), len(items)))
	for i, item := range items {
		where := at
		if !single {
			where = at.item(i)
		}
		d.value(item, out.Index(i), where, r)
	}
}

func (d *decoder) scalar(n *yaml.Node, out reflect.Value, at keyPath, r rules) {
	if m := address.FindStringSubmatch(n.Value); m != nil && len(m[1]) >= minSecretLength && isURL(at) && !slices.Contains(d.hidden, m[1]) {
		d.hidden = append(d.hidden, m[1])
	}
	if out.Type() == reflect.TypeFor[Secret]() && len(n.Value) >= minSecretLength && !wholeVariable.MatchString(n.Value) {
		d.hidden = append(d.hidden, n.Value)
	}
	text, err := d.text(n)
	if err != nil {
		d.markBroken(n, at, err.Error())
		return
	}
	if text == "" && !r.empty {
		d.markBroken(n, at, "is empty: write a value, or leave the key out")
		return
	}
	if u, ok := out.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			d.markBroken(n, at, err.Error()+", got "+d.valueText(at, text))
		}
		return
	}
	switch out.Kind() {
	case reflect.Int:
		d.number(n, out, at, r, text)
	case reflect.Bool:
		if d.quoted(n) || text != "true" && text != "false" {
			d.markBroken(n, at, "expected true or false, got "+d.valueText(at, text))
			return
		}
		out.SetBool(text == "true")
	default:
		if known, ok := enumWords[r.oneOf]; ok && !slices.Contains(known, text) {
			d.markBroken(n, at, unknown(at.last(), d.written(n, text), known))
			return
		}
		out.SetString(text)
	}
}

func (d *decoder) number(n *yaml.Node, out reflect.Value, at keyPath, r rules, text string) {
	i, err := strconv.Atoi(text)
	switch {
	case d.quoted(n):
		d.markBroken(n, at, "expected a whole number, got the text "+d.valueText(at, text))
	case err != nil:
		d.markBroken(n, at, "expected a whole number, got "+d.valueText(at, text))
	case r.min != nil && i < *r.min:
		d.markBroken(n, at, fmt.Sprintf("expected at least %d, got %d", *r.min, i))
	default:
		out.SetInt(int64(i))
	}
}

// quoted reports whether a value is text because it is quoted. Quotes around a variable
// do not count, because they are required within {} and [].
func (d *decoder) quoted(n *yaml.Node) bool {
	const quotes = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&quotes != 0 && !d.expanded[n]
}

// text returns a scalar with its variables replaced.
func (d *decoder) text(n *yaml.Node) (string, error) {
	if d.env == nil {
		return n.Value, nil
	}
	text, err := expand(n.Value, d.env)
	if err == nil && text != n.Value {
		d.expanded[n] = true
	}
	return text, err
}

// kindOf describes the type of a value, for messages.
func kindOf(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	default:
		return "a single value"
	}
}

// nodeKind describes a value of the file, for messages.
func nodeKind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return "a single value"
	default:
		return "an alias"
	}
}
