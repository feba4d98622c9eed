package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// An endpoint answers a request of the API: what it returns becomes JSON, or its
// error a problem.
type endpoint func(r *http.Request) (answer, error)

// An answer is what an endpoint has to say.
type answer struct {
	status   int // 0: 200
	location string
	body     any // nil: none
}

// maxBody bounds a request's body, in bytes. A silence takes a few hundred.
const maxBody = 64 << 10

// api serves an endpoint.
func (s *Server) api(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		a, err := e(r)
		if err != nil {
			s.writeProblem(w, r, err)
			return
		}
		if a.location != "" {
			w.Header().Set("Location", a.location)
		}
		if a.body == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.json(w, r, "application/json", max(a.status, http.StatusOK), a.body)
	})
}

// writeProblem writes an error as a problem.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.inside() {
		s.config.Logger.Error("answering a request", "path", r.URL.Path, "err", err)
	}
	p.advise(w.Header())
	s.json(w, r, "application/problem+json", p.Status, p)
}

// json writes a value that encoding/json can write.
func (s *Server) json(w http.ResponseWriter, r *http.Request, contentType string, status int, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		s.config.Logger.Error("encoding an answer", "path", r.URL.Path, "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, r, contentType, status, body.Bytes())
}

// decode reads a request's body: one JSON value, with no field that T lacks.
func decode[T any](r *http.Request) (T, error) {
	var value T
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return value, newProblem(http.StatusUnsupportedMediaType, "the body must be application/json, got %q", r.Header.Get("Content-Type"))
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&value)
	if err == nil && !errors.Is(decoder.Decode(new(json.RawMessage)), io.EOF) {
		return value, newProblem(http.StatusBadRequest, "the body must be one JSON object and nothing more")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return value, err
	}
	if err != nil {
		return value, newProblem(http.StatusBadRequest, "reading the body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return value, nil
}
