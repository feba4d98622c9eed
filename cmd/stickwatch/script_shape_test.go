package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"
)

// shape FILE WANT: the JSON in FILE must have every field that WANT has, of the
// same kind. Lists of WANT have one element,
// which is what each of FILE's is like. FILE may have fields beside those.
func shape(ts *testscript.TestScript, _ bool, args []string) {
	var got, want any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &got))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &want))
	if wrong := differences("", got, want); len(wrong) > 0 {
		ts.Fatalf("%d differences in shape: %q", len(wrong), wrong)
	}
}

// nullable are the fields whose value may not be known.
var nullable = []string{"clock_offset_ms", "up"}

func differences(path string, got, want any) (wrong []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %T, want an object", path, got)}
		}
		for key, value := range want {
			field, ok := object[key]
			if !ok {
				wrong = append(wrong, path+"."+key+" is missing")
				continue
			}
			if field != nil || !slices.Contains(nullable, key) {
				wrong = slices.Concat(wrong, differences(path+"."+key, field, value))
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %T, want a list", path, got)}
		}
		for i, element := range list {
			wrong = slices.Concat(wrong, differences(fmt.Sprintf("%s[%d]", path, i), element, want[0]))
		}
	default:
		if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			wrong = append(wrong, fmt.Sprintf("%s: got %T, want %T", path, got, want))
		}
	}
	return wrong
}
