// Package openapitest compares requests and answers of the API in tests with the OpenAPI
// document.
package openapitest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"stickwatch/internal/docs"
)

// Load returns the document. It is stricter than the published one: an object has no members
// that the document does not name.
func Load() (*openapi3.T, error) {
	var raw any
	if err := json.Unmarshal(docs.OpenAPI, &raw); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	forbidUnknownMembers(raw)
	strict, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	document, err := loader.LoadFromData(strict)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	return document, document.Validate(loader.Context)
}

func forbidUnknownMembers(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			forbidUnknownMembers(item)
		}
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok {
			v["additionalProperties"] = false
		}
		for _, item := range v {
			forbidUnknownMembers(item)
		}
	}
}

// operations finds the operation of a request in the document.
var operations = sync.OnceValues(func() (routers.Router, error) {
	document, err := Load()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(document)
})

// Handler returns a handler that checks the requests and answers of next. It ignores those
// that the document does not describe, such as pages.
func Handler(t testing.TB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !described(r) {
			next.ServeHTTP(w, r)
			return
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the body of %s %s: %v", r.Method, r.URL, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		answer := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		if r.Pattern == "/" || r.Context().Err() != nil {
			return // this server does not offer the operation, or nobody reads the answer
		}
		if err := check(r, sent, answer.status, w.Header(), answer.body.Bytes()); err != nil {
			t.Error(err)
		}
	})
}

// A recorder copies an answer.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// Transport checks the requests and answers of a client.
type Transport struct {
	T    testing.TB
	Base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		if sent, err = io.ReadAll(body); err != nil {
			return nil, err
		}
	}
	answer, err := t.Base.RoundTrip(r)
	if err != nil || !described(r) {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if err := answer.Body.Close(); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if err := check(r, sent, answer.StatusCode, answer.Header, body); err != nil {
		t.T.Error(err)
	}
	return answer, nil
}

// described reports whether the document describes requests with the path of r. A request
// with an unknown path below /api/ has no operation in it, and no other answer than an error.
func described(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/-/") ||
		r.URL.Path == "/metrics" || r.URL.Path == "/probe"
}

// check compares a request and its answer with the document. A request that is not valid must
// be refused.
func check(r *http.Request, sent []byte, status int, header http.Header, body []byte) error {
	failed := func(err error) error {
		return fmt.Errorf("internal/docs/openapi.json and %s %s with the status %d: %w", r.Method, r.URL, status, err)
	}
	find, err := operations()
	if err != nil {
		return failed(err)
	}
	route, path, err := find.FindRoute(r)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		if status < http.StatusBadRequest && r.Method != http.MethodHead {
			return failed(errors.New("the document does not describe the operation"))
		}
		return nil
	}
	if err != nil {
		return failed(err)
	}
	request := &openapi3filter.RequestValidationInput{
		Request: withBody(r, sent), PathParams: path, Route: route,
		Options: &openapi3filter.Options{
			MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true,
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	if status < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(context.Background(), request); err != nil {
			return failed(err)
		}
	}
	if body, err = plain(header, body); err != nil {
		return failed(err)
	}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: request, Status: status, Header: header, Options: request.Options}
	if err := openapi3filter.ValidateResponse(context.Background(), answer.SetBodyBytes(body)); err != nil {
		return failed(err)
	}
	return nil
}

// withBody returns a copy of r whose body can be read.
func withBody(r *http.Request, body []byte) *http.Request {
	r = r.Clone(context.Background())
	r.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	return r
}

// plain returns a body without its compression.
func plain(header http.Header, body []byte) ([]byte, error) {
	if header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
