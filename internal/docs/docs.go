// Package docs has the published documents that stickwatch carries.
package docs

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// OpenAPI is the OpenAPI 3.1 document of the API as JSON. internal/web generates it from the
// types of its answers: go test ./internal/web -run OpenAPI -update.
//
//go:embed openapi.json
var OpenAPI []byte

// An Operation is a request that the API answers.
type Operation struct {
	Method, Path string
	Summary      string
	Query        []string // names of the parameters in the query
}

// Operations returns the operations of OpenAPI by path and method. It fails only if the
// document is damaged.
func Operations() ([]Operation, error) {
	var document struct {
		Paths map[string]map[string]struct {
			Summary    string
			Parameters []struct{ In, Name string }
		}
	}
	if err := json.Unmarshal(OpenAPI, &document); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	var all []Operation
	for path, methods := range document.Paths {
		for method, o := range methods {
			operation := Operation{Method: strings.ToUpper(method), Path: path, Summary: o.Summary}
			for _, p := range o.Parameters {
				if p.In == "query" {
					operation.Query = append(operation.Query, p.Name)
				}
			}
			all = append(all, operation)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return all, nil
}
