package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// A Section documents one object of the file: its paths, its purpose, and its keys.
type Section struct {
	KeyPaths []string // such as clusters[].balancer; "" is the file
	Text     string
	Keys     []Key
}

// A Key documents a key of a Section.
type Key struct {
	Name     string
	Kind     string // type of the value: text, duration, section
	Words    []string
	Required bool
	Text     string // meaning and default
}

// Reference returns every key of the file, in the order of the file. It is generated
// from the same comments and tags as the Schema.
func Reference() ([]Section, error) {
	comments, err := readManual()
	if err != nil {
		return nil, fmt.Errorf("reading the comments of the configuration: %w", err)
	}
	r := reference{comments: comments, known: map[reflect.Type]int{}}
	r.add("", reflect.TypeFor[wireFile]())
	return r.sections, nil
}

// A reference builds sections.
type reference struct {
	comments map[string]string
	sections []Section
	known    map[reflect.Type]int // index in sections
}

// add adds the struct t at a path, and the structs in it.
func (r *reference) add(at string, t reflect.Type) {
	if i, ok := r.known[t]; ok {
		r.sections[i].KeyPaths = append(r.sections[i].KeyPaths, at)
		return
	}
	s := Section{KeyPaths: []string{at}, Text: r.comments[t.Name()+"."]}
	for _, f := range fieldsOf(t) {
		s.Keys = append(s.Keys, keyOf(f, t.Field(f.index).Type, r.comments[t.Name()+"."+t.Field(f.index).Name]))
	}
	r.known[t] = len(r.sections)
	r.sections = append(r.sections, s)
	for _, f := range fieldsOf(t) {
		object, item := objectOf(t.Field(f.index).Type)
		if object == nil || object == t { // an extractor contains extractors
			continue
		}
		r.add(strings.TrimPrefix(at+"."+f.name+item, "."), object)
	}
}

func keyOf(f field, t reflect.Type, text string) Key {
	k := Key{Name: f.name, Kind: valueOf(t), Required: f.required, Text: text}
	switch f.oneOf {
	case "":
	case "code":
		k.Kind = "code of a finding"
	default:
		k.Kind, k.Words = "word", enumWords[f.oneOf]
	}
	return k
}

// objectOf returns the wire struct that a key's value is, or with item "[]" is a list
// of; nil for other types.
func objectOf(t reflect.Type) (object reflect.Type, item string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			item = "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || schemaOf(t) != nil {
		return nil, ""
	}
	return t, item
}

// valueOf describes the type of a key's value.
func valueOf(t reflect.Type) string {
	if object, item := objectOf(t); object != nil {
		return map[string]string{"": "section", "[]": "list of sections"}[item]
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[duration]():
		return "duration"
	case reflect.TypeFor[size]():
		return "size"
	case reflect.TypeFor[statusRange]():
		return "status, or a range"
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[oneOrMore]():
		return "text, or a list"
	case reflect.TypeFor[[]string]():
		return "list of text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	default:
		return "text"
	}
}

// Markdown writes sections as tables with headings of the third level.
func Markdown(w io.Writer, sections []Section) error {
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
	_, err := io.WriteString(w, b.String())
	return err
}

// Value describes the allowed values: "word: en, zh", "text, required".
func (k Key) Value() string {
	text := k.Kind
	if len(k.Words) > 0 {
		text = strings.Join(k.Words, ", ")
	}
	if k.Required {
		text += "; required"
	}
	return text
}
