package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A field is a key of a wire struct, one of those in wire*.go that mirror the file, with the rules of its `check` tag. The decoder and
// the JSON Schema use the same tags.
type field struct {
	index int // of the Go field
	name  string
	rules
}

// rules restrict a value beyond its type:
//
//	required     the key must be present
//	min=N        a number must be at least N
//	oneof=LIST   text must be one of the words of enumWords[LIST]
//	empty        text may be ""
//	or=KEY       the key or that other one must be present
type rules struct {
	required bool
	min      *int
	oneOf    string
	empty    bool
	orKey    string
}

// enumWords are the lists of words for `oneof`.
var enumWords = map[string][]string{
	"profile":  ProfileNames(),
	"method":   words(probes.Methods),
	"policy":   words(probes.Policies),
	"severity": words([]checks.Severity{checks.Critical, checks.Warning, checks.Info}),
	"code":     codes(),
	"language": {"en", "zh"},
	"kind":     words(probes.HandshakeKinds),
	"scheme":   {"http", "https"},
	"protocol": words(probes.NodeProtocols),
	"record":   {"A", "AAAA", "SRV"},
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, word := range list {
		out[i] = string(word)
	}
	return out
}

func codes() []string {
	all := slices.Concat(checks.Catalogue, checks.OfMonitor)
	out := make([]string, len(all))
	for i, entry := range all {
		out[i] = string(entry.Code)
	}
	return out
}

// fieldsOf returns the fields of a wire struct in order.
func fieldsOf(t reflect.Type) []field {
	fields := make([]field, t.NumField())
	for i := range fields {
		f := t.Field(i)
		fields[i] = field{index: i, name: f.Tag.Get("yaml"), rules: parseRules(f.Tag.Get("check"))}
	}
	return fields
}

func parseRules(tag string) rules {
	var r rules
	for rule := range strings.SplitSeq(tag, ",") {
		name, value, _ := strings.Cut(rule, "=")
		switch name {
		case "required":
			r.required = true
		case "empty":
			r.empty = true
		case "or":
			r.orKey = value
		case "min":
			n, err := strconv.Atoi(value)
			if err != nil {
				panic(fmt.Sprintf("check tag %q: %v", tag, err))
			}
			r.min = &n
		case "oneof":
			r.oneOf = value
		case "":
		default:
			panic(fmt.Sprintf("check tag %q: unknown rule %q", tag, name))
		}
	}
	return r
}

func namesOf(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// holdsSecret reports whether a wire struct has a key for a secret.
func holdsSecret(t reflect.Type) bool {
	secret := reflect.TypeFor[Secret]()
	return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Type == secret })
}
