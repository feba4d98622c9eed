package openapitest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCheck checks that an exchange that contradicts the document is an error.
func TestCheck(t *testing.T) {
	const silence = `{"id": "a", "cluster": "shop", "node": "", "code": "", "reason": "", "author": "", ` +
		`"from": "2026-03-14T12:03:11.000Z", "to": "2026-03-14T14:03:11.000Z", "active": true}`
	for _, test := range []struct {
		name, request, sent, kind string
		status                    int
		answer, want              string
	}{
		{"as documented", "POST /api/v1/silences", `{"cluster": "shop"}`, "application/json", 201, silence, ""},
		{"a refused request", "POST /api/v1/silences", `{"unknown": 1}`, "application/problem+json", 400, `{"title": "Bad Request", "status": 400}`, ""},
		{"no such path", "GET /api/v1/none", "", "application/problem+json", 404, `{}`, ""},
		{"an undocumented operation", "PUT /api/v1/silences", "", "application/json", 200, `{}`, "does not describe the operation"},
		{"an unknown parameter's value", "GET /api/v1/incidents?state=open", "", "application/json", 200, `{"incidents": []}`, "state"},
		{"an unknown member that is accepted", "POST /api/v1/silences", `{"clutser": "shop"}`, "application/json", 201, silence, "clutser"},
		{"an undocumented status", "GET /api/v1/silences", "", "application/json", 202, `{"silences": []}`, "status"},
		{"another type", "GET /api/v1/silences", "", "text/html", 200, `{"silences": []}`, "Content-Type"},
		{"a null list", "GET /api/v1/silences", "", "application/json", 200, `{"silences": null}`, "silences"},
		{"a missing member", "POST /api/v1/silences", `{"cluster": "shop"}`, "application/json", 201, strings.Replace(silence, `"node": "", `, "", 1), "node"},
		{"an undocumented member", "POST /api/v1/silences", `{"cluster": "shop"}`, "application/json", 201, strings.Replace(silence, `"node"`, `"color": "red", "node"`, 1), "color"},
		{"an unknown word", "POST /api/v1/silences", `{"cluster": "shop"}`, "application/json", 201, strings.Replace(silence, `"code": ""`, `"code": "none"`, 1), "code"},
		{"a time that is not known", "POST /api/v1/silences", `{"cluster": "shop"}`, "application/json", 201, strings.Replace(silence, "2026-03-14T12:03:11.000Z", "", 1), "from"},
	} {
		t.Run(test.name, func(t *testing.T) {
			method, path, _ := strings.Cut(test.request, " ")
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Content-Type", "application/json")
			err := check(r, []byte(test.sent), test.status, http.Header{"Content-Type": {test.kind}}, []byte(test.answer))
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
