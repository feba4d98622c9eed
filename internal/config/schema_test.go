package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/must"

	"go.yaml.in/yaml/v4"
)

// A schema is the part of JSON Schema that Schema uses.
type schema struct {
	Ref         string             `json:"$ref"`
	Defs        map[string]*schema `json:"$defs"`
	Description string             `json:"description"`
	Type        string             `json:"type"`
	Properties  map[string]*schema `json:"properties"`
	Additional  json.RawMessage    `json:"additionalProperties"` // false, or the schema of any key's value
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	AnyOf       []*schema          `json:"anyOf"`
	Enum        []any              `json:"enum"`
	Pattern     string             `json:"pattern"`
	Minimum     *float64           `json:"minimum"`
	Maximum     *float64           `json:"maximum"`
	MinLength   int                `json:"minLength"`
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	data, err := Schema()
	must.Succeed(t, err)
	var s schema
	must.Succeed(t, json.Unmarshal(data, &s))
	return &s
}

// TestSchemaHasEveryKey checks that the schema contains exactly the keys of the file,
// with their comments.
func TestSchemaHasEveryKey(t *testing.T) {
	s := readSchema(t)
	done := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if done[typ] || typ.Kind() != reflect.Struct || !strings.HasPrefix(typ.Name(), "wire") {
			return
		}
		done[typ] = true
		def := s.Defs[definition(typ)]
		if def == nil || def.Description == "" || string(def.Additional) != "false" || len(def.Properties) != typ.NumField() {
			t.Errorf("%s: got definition %+v", typ, def)
			return
		}
		for _, f := range fieldsOf(typ) {
			property := def.Properties[f.name]
			if f.name == "" || property == nil || property.Description == "" {
				t.Errorf("%s: key %q: got property %+v", typ, f.name, property)
			}
			if slices.Contains(def.Required, f.name) != f.required {
				t.Errorf("%s: key %q: required is not %t", typ, f.name, f.required)
			}
			walk(typ.Field(f.index).Type)
		}
	}
	walk(reflect.TypeFor[wireFile]())
	if len(done) != len(s.Defs) {
		t.Errorf("got %d definitions, want %d", len(s.Defs), len(done))
	}
}

func TestSchemaAcceptsGoodFiles(t *testing.T) {
	s := readSchema(t)
	paths, _ := filepath.Glob("testdata/good/*.yml")
	for _, path := range paths {
		if err := s.validate(s, readYAML(t, path), path); err != nil {
			t.Error(err)
		}
	}
}

// TestSchemaRefusesBadFiles checks that the schema rejects these mistakes.
func TestSchemaRefusesBadFiles(t *testing.T) {
	s := readSchema(t)
	for _, name := range []string{
		"unknown_key", "no_name", "no_nodes", "no_balancer", "no_clusters", "unknown_method", "unknown_policy", "unknown_profile",
		"text_for_number", "text_for_boolean", "quoted_number", "node_weight", "max_fails_negative", "list_for_mapping",
		"mapping_for_list", "scalar_for_mapping", "duration", "duration_negative", "size", "page_without_path", "route_code", "language",
		"empty_value", "secret_in_misspelt_key",
	} {
		path := "testdata/bad/" + name + ".yml"
		if err := s.validate(s, readYAML(t, path), ""); err == nil {
			t.Errorf("%s: the schema takes it", path)
		}
	}
}

func readYAML(t *testing.T, path string) any {
	t.Helper()
	data, err := os.ReadFile(path)
	must.Succeed(t, err)
	var v any
	must.Succeed(t, yaml.Load(data, &v))
	return v
}

// validate validates v against s, a part of root.
func (s *schema) validate(root *schema, v any, at string) error {
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		return root.Defs[name].validate(root, v, at)
	}
	if len(s.AnyOf) > 0 {
		if !slices.ContainsFunc(s.AnyOf, func(one *schema) bool { return one.validate(root, v, at) == nil }) {
			return fmt.Errorf("%s: %v is none of what it may be", at, v)
		}
		if s.Type == "" {
			return nil
		}
	}
	if values, ok := v.(map[string]any); ok && s.Type == "" && len(s.Required) > 0 {
		for _, key := range s.Required {
			if _, ok := values[key]; !ok {
				return fmt.Errorf("%s: %s is missing", at, key)
			}
		}
		return nil
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		return fmt.Errorf("%s: %v is none of %v", at, v, s.Enum)
	}
	switch s.Type {
	case "object":
		return s.validateObject(root, v, at)
	case "array":
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s: %v is no list", at, v)
		}
		for i, item := range list {
			if err := s.Items.validate(root, item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case "string":
		text, ok := v.(string)
		if !ok || len(text) < s.MinLength || !regexp.MustCompile(s.Pattern).MatchString(text) {
			return fmt.Errorf("%s: %v is no text like %q", at, v, s.Pattern)
		}
	case "integer":
		n, ok := v.(int)
		if !ok || s.Minimum != nil && float64(n) < *s.Minimum || s.Maximum != nil && float64(n) > *s.Maximum {
			return fmt.Errorf("%s: %v is no such number", at, v)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return fmt.Errorf("%s: %v is neither true nor false", at, v)
		}
	}
	return nil
}

func (s *schema) validateObject(root *schema, v any, at string) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: %v has no keys", at, v)
	}
	for _, key := range s.Required {
		if _, ok := object[key]; !ok {
			return fmt.Errorf("%s: no %s", at, key)
		}
	}
	for key, value := range object {
		property, ok := s.Properties[key]
		if !ok && json.Unmarshal(s.Additional, &property) != nil {
			return fmt.Errorf("%s: unknown key %s", at, key)
		}
		if err := property.validate(root, value, at+"."+key); err != nil {
			return err
		}
	}
	return nil
}
