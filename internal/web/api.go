package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/wire"
)

// An endpoint handles a request of the API. Its answer is sent as JSON, and its error as a
// problem.
type endpoint func(r *http.Request) (answer, error)

// An answer is the successful result of an endpoint.
type answer struct {
	status   int // 0: 200
	location string
	body     any // nil: none
}

// maxBody bounds the body of a request, in bytes. A silence needs a few hundred.
const maxBody = 64 << 10

// api returns the handler of an endpoint.
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

// writeProblem sends an error as a problem.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.internal() {
		s.config.Logger.Error("handling a request", "path", r.URL.Path, "err", err)
	}
	p.setRetryAfter(w.Header())
	s.json(w, r, "application/problem+json", p.Status, p)
}

// json sends a value as JSON.
func (s *Server) json(w http.ResponseWriter, r *http.Request, contentType string, status int, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		s.config.Logger.Error("encoding a response", "path", r.URL.Path, "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, r, contentType, status, body.Bytes())
}

// decode decodes the body of a request: one JSON object without unknown fields.
func decode[T any](r *http.Request) (T, error) {
	var value T
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return value, newProblem(http.StatusUnsupportedMediaType, "the body must be application/json, got %q", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return value, err
	}
	if err == nil {
		err = decodeObject(body, &value)
	}
	if err != nil {
		return value, newProblem(http.StatusBadRequest, "reading the body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return value, nil
}

// decodeObject decodes one JSON object. Names must match exactly, as in the OpenAPI document;
// encoding/json ignores their case.
func decodeObject(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if !errors.Is(decoder.Decode(new(json.RawMessage)), io.EOF) {
		return errors.New("it must be one JSON object and nothing more")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	fields := reflect.VisibleFields(reflect.TypeOf(into).Elem())
	for _, member := range slices.Sorted(maps.Keys(members)) {
		if !slices.ContainsFunc(fields, func(f reflect.StructField) bool {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return name == member
		}) {
			return fmt.Errorf("unknown field %q", member)
		}
	}
	return nil
}

// internal reports whether a problem is an internal error, which is logged.
func (p *problem) internal() bool {
	return p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable
}

func (p *problem) setRetryAfter(h http.Header) {
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
}

// A query parses the parameters of a URL and collects errors. A parameter that was never read
// is unknown, so a misspelled name is an error.
type query struct {
	values   url.Values
	now      time.Time
	known    []string
	problems []error
}

func (s *Server) queryOf(r *http.Request) *query {
	q := &query{now: s.config.Now()}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		q.reject("the query cannot be parsed: %v", err)
	}
	q.values = values
	return q
}

func (q *query) reject(format string, args ...any) {
	q.problems = append(q.problems, newDetail(format, args...))
}

// text returns a parameter; "": missing.
func (q *query) text(name string) string {
	q.known = append(q.known, name)
	given := q.values[name]
	if len(given) > 1 {
		q.reject("%q is given %d times, once is enough", name, len(given))
	}
	if len(given) == 0 {
		return ""
	}
	return given[0]
}

// required returns a mandatory parameter.
func (q *query) required(name string) string {
	value := q.text(name)
	if value == "" {
		q.reject("%q is missing", name)
	}
	return value
}

// oneOf returns a parameter that must be one of choices; "": missing.
func oneOf[T ~string](q *query, name string, choices ...T) T {
	value := T(q.text(name))
	if value != "" && !slices.Contains(choices, value) {
		q.reject("%q is %q, want one of %q", name, value, choices)
	}
	return value
}

// number returns a parameter in [least, most], or fallback if it is missing.
func (q *query) number(name string, fallback, least, most int) int {
	value := q.text(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		q.reject("%q is %q, want a number from %d to %d", name, value, least, most)
	}
	return n
}

// duration returns a parameter such as 30s, 5m or 7d; 0: missing.
func (q *query) duration(name string) time.Duration {
	value := q.text(name)
	if value == "" {
		return 0
	}
	d, err := parseDuration(value)
	if err != nil {
		q.reject("%q is %q, want a duration such as 30s, 5m or 7d", name, value)
	}
	return d
}

// timestamp returns a parameter that is a time or an age, or fallback if it is missing.
func (q *query) timestamp(name string, fallback time.Time) time.Time {
	value := q.text(name)
	if value == "" {
		return fallback
	}
	at, err := parseTimestamp(value, q.now)
	if err != nil {
		q.reject("%q is %q, want how long ago, such as 24h or 7d, or a time such as %s",
			name, value, q.now.UTC().Format(time.RFC3339))
	}
	return at
}

// err returns all errors. Call it after reading all parameters.
func (q *query) err() error {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if !slices.Contains(q.known, name) {
			q.reject("%q is unknown, known are %q", name, q.known)
		}
	}
	if len(q.problems) == 0 {
		return nil
	}
	return newProblems(http.StatusBadRequest, q.problems...)
}

// parseTimestamp parses an RFC 3339 time, or a duration before now.
func parseTimestamp(value string, now time.Time) (time.Time, error) {
	if d, err := parseDuration(value); err == nil {
		return now.Add(-d), nil
	}
	return time.Parse(time.RFC3339, value)
}

// maxDuration is longer than any history, and cannot overflow a time.
const maxDuration = 100 * 365 * 24 * time.Hour

// parseDuration parses a positive duration of at most maxDuration.
func parseDuration(value string) (time.Duration, error) {
	d, err := wire.ParseDuration(value)
	if err == nil && (d <= 0 || d > maxDuration) {
		err = fmt.Errorf("reading %q: want a positive duration", value)
	}
	return d, err
}
