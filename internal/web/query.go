package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A query reads the parameters of a URL one by one and keeps what is wrong with
// them. A parameter that nobody has read in the end is unknown, so a misspelt
// one is told instead of being passed over.
type query struct {
	values   url.Values
	now      time.Time
	known    []string
	problems []string
}

// queryOf begins to read the parameters of r.
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
	q.problems = append(q.problems, fmt.Sprintf(format, args...))
}

// text returns a parameter; "": it is not there.
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

// required returns a parameter that must be there.
func (q *query) required(name string) string {
	value := q.text(name)
	if value == "" {
		q.reject("%q is missing", name)
	}
	return value
}

// oneOf returns a parameter that must be among choices, or not there.
func oneOf[T ~string](q *query, name string, choices ...T) T {
	value := T(q.text(name))
	if value != "" && !slices.Contains(choices, value) {
		q.reject("%q is %q, want one of %q", name, value, choices)
	}
	return value
}

// number returns a parameter that must lie in [least, most], or fallback.
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

// duration returns a parameter such as 30s, 5m or 7d; 0: it is not there.
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

// timestamp returns a parameter that is a time, or how long ago it was; fallback
// where it is not there.
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

// err tells all that is wrong, once everything is read.
func (q *query) err() error {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if !slices.Contains(q.known, name) {
			q.reject("%q is unknown, known are %q", name, q.known)
		}
	}
	if len(q.problems) == 0 {
		return nil
	}
	return newProblem(http.StatusBadRequest, "%s", strings.Join(q.problems, "; "))
}

// parseTimestamp reads an RFC 3339 time, or how long before now it was.
func parseTimestamp(value string, now time.Time) (time.Time, error) {
	if d, err := parseDuration(value); err == nil {
		return now.Add(-d), nil
	}
	return time.Parse(time.RFC3339, value)
}

// maxDuration is longer than any history, and short enough to add up.
const maxDuration = 100 * 365 * 24 * time.Hour

// parseDuration reads a positive duration as Go writes it, or a number of days
// or weeks: 90s, 1h30m, 7d, 2w.
func parseDuration(value string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(value, unit); ok {
			n, err := strconv.Atoi(number)
			if err != nil || n <= 0 || n > int(maxDuration/length) {
				return 0, fmt.Errorf("reading %q: want a positive number of days or weeks", value)
			}
			return time.Duration(n) * length, nil
		}
	}
	d, err := time.ParseDuration(value)
	if err == nil && (d <= 0 || d > maxDuration) {
		err = fmt.Errorf("reading %q: want a positive duration", value)
	}
	return d, err
}
