// Package docs has the published documents that the daemon serves.
package docs

import _ "embed"

// OpenAPI is the OpenAPI 3.1 document of the API as JSON. internal/web generates it from the
// types of its answers: go test ./internal/web -run OpenAPI -update.
//
//go:embed openapi.json
var OpenAPI []byte
