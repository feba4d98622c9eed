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

// A field is a key of a wire struct with the rules of its `check` tag. The decoder and
// the JSON Schema use the same tags.
type field struct {
	index int
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
	either   string
	empty    bool
	min      *int
	oneOf    string
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
			r.either = value
		case "min":
			n, _ := strconv.Atoi(value)
			r.min = &n
		case "oneof":
			r.oneOf = value
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

// unknown returns the message about an unknown word, with a suggestion.
func unknown(what, word string, known []string) string {
	hint := ""
	if near := nearest(word, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", near)
	}
	return fmt.Sprintf("unknown %s %s%s: expected %s", what, quote(word), hint, list(known))
}

// list formats "a", or "one of a, b, c".
func list(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

// nearest returns the known word that word is most likely a typing error of; "" if none
// is close.
func nearest(word string, known []string) string {
	const maxLength = 40 // known words are shorter
	best, bestDistance := "", len(word)/3+2
	if len(word) > maxLength {
		return ""
	}
	for _, k := range known {
		d := distance(normalize(word), normalize(k))
		if d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// normalize removes differences in case and in separators of words.
func normalize(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance returns the number of characters to insert, delete, replace or swap with
// their neighbour to change a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
