package config

import (
	"embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// manual is the source of the wire structs: their comments are the
// descriptions of the schema, and written once.
//
//go:embed wire.go wire_probes.go wire_alerting.go
var manual embed.FS

// Schema returns the JSON Schema (draft 2020-12) of the configuration file, for editors
// and for `check --schema`.
func Schema() ([]byte, error) {
	comments, err := readManual()
	if err != nil {
		return nil, fmt.Errorf("reading the comments of the configuration: %w", err)
	}
	reflector := jsonschema.Reflector{
		Anonymous:                  true,
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true, // only rules make keys required
		Namer:                      definition,
		Mapper:                     schemaOf,
		LookupComment:              func(t reflect.Type, field string) string { return comments[t.Name()+"."+field] },
	}
	root := reflect.TypeFor[wireFile]()
	schema := reflector.ReflectFromType(root)
	schema.Title = "stickwatch.yml"
	applyRules(schema.Definitions, root, map[reflect.Type]bool{})
	return json.MarshalIndent(schema, "", "  ")
}

// definition returns the name of a wire struct in the schema: Cluster.
func definition(t reflect.Type) string { return strings.TrimPrefix(t.Name(), "wire") }

// variable matches a variable of the environment, which any key may have as its value.
const variable = `\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`

// schemaOf returns the schema of types that are a single value in the file but not in
// Go; nil for other types.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[duration]():
		return &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Pattern: `^([0-9]+w)?([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*$|^0$|` + variable}
	case reflect.TypeFor[size]():
		return anyOf(
			&jsonschema.Schema{Type: "integer", Minimum: "0"},
			&jsonschema.Schema{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?([KMGT]i?)?B$|^[0-9]+$|` + variable},
		)
	case reflect.TypeFor[statusRange]():
		return anyOf(
			&jsonschema.Schema{Type: "integer", Minimum: "100", Maximum: "599"},
			&jsonschema.Schema{Type: "string", Pattern: `^[1-5][0-9]{2}(-[1-5][0-9]{2})?$|` + variable},
		)
	case reflect.TypeFor[Secret]():
		return &jsonschema.Schema{Type: "string", WriteOnly: true}
	case reflect.TypeFor[headers]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Type: "string", WriteOnly: true}}
	case reflect.TypeFor[oneOrMore]():
		text := &jsonschema.Schema{Type: "string"}
		return anyOf(text, &jsonschema.Schema{Type: "array", Items: text})
	}
	return nil
}

func anyOf(schemas ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: schemas}
}

// applyRules adds the rules of `check` tags to the definitions of a type and of all structs
// in it.
func applyRules(definitions jsonschema.Definitions, typ reflect.Type, done map[reflect.Type]bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || done[typ] || schemaOf(typ) != nil {
		return
	}
	done[typ] = true
	def := definitions[definition(typ)]
	for _, f := range fieldsOf(typ) {
		if f.orKey != "" {
			def.AnyOf = append(def.AnyOf, &jsonschema.Schema{Required: []string{f.name}}, &jsonschema.Schema{Required: []string{f.orKey}})
		}
		if f.required {
			def.Required = append(def.Required, f.name)
		}
		property, _ := def.Properties.Get(f.name)
		restrict(property, f.rules)
		applyRules(definitions, typ.Field(f.index).Type, done)
	}
}

// restrict limits a property to the values that its rules allow, or a variable.
func restrict(property *jsonschema.Schema, r rules) {
	own := jsonschema.Schema{Type: property.Type}
	switch {
	case r.oneOf != "":
		for _, word := range enumWords[r.oneOf] {
			own.Enum = append(own.Enum, word)
		}
	case property.Type == "integer" && r.min != nil:
		own.Minimum = json.Number(strconv.Itoa(*r.min))
	case property.Type == "integer", property.Type == "boolean":
	case property.Type == "string" && !r.empty && property.Pattern == "":
		property.MinLength = new(uint64(1))
		return
	default:
		return
	}
	property.Type = ""
	property.AnyOf = []*jsonschema.Schema{&own, {Type: "string", Pattern: variable}}
}

// readManual returns the comments of wire structs, keyed "wireNode.", and of their
// fields, keyed "wireNode.URL".
func readManual() (map[string]string, error) {
	files, err := manual.ReadDir(".")
	if err != nil {
		return nil, err
	}
	comments := map[string]string{}
	for _, entry := range files {
		source, err := manual.ReadFile(entry.Name())
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), source, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if ok && decl.Tok == token.TYPE {
				addComments(comments, decl)
			}
			return !ok
		})
	}
	return comments, nil
}

func addComments(comments map[string]string, decl *ast.GenDecl) {
	spec := decl.Specs[0].(*ast.TypeSpec)
	comments[spec.Name.Name+"."] = joined(decl.Doc)
	object, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range object.Fields.List {
		comments[spec.Name.Name+"."+f.Names[0].Name] = joined(f.Doc)
	}
}

func joined(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }

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
func valueOf(typ reflect.Type) string {
	if object, item := objectOf(typ); object != nil {
		return map[string]string{"": "section", "[]": "list of sections"}[item]
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch typ {
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
	case reflect.TypeFor[headers]():
		return "names and secrets"
	}
	switch typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	default:
		return "text"
	}
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
