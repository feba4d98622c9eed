package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"stickwatch/probes"
)

// A problem is an error with an HTTP status and a text for the client. Its JSON, in English, is
// an RFC 9457 problem of the type about:blank.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	causes []error // what Detail joins; each detail is translated for pages
}

func (p *problem) Error() string { return p.Detail }

// A detail is an error about a request that a page shows in its language. The format is the key
// of the translation.
type detail struct {
	format string
	args   []any
	err    error // what it wraps; nil: nothing
}

func newDetail(format string, args ...any) detail { return detail{format: format, args: args} }

func (d detail) Error() string { return d.in(formatter{language: english}) }

func (d detail) Unwrap() error { return d.err }

// A term is an argument of a detail that is translated, too.
type term string

func (d detail) in(v formatter) string {
	args := make([]any, len(d.args))
	for i, arg := range d.args {
		if t, ok := arg.(term); ok {
			arg = v.translate(string(t))
		}
		args[i] = arg
	}
	return fmt.Sprintf(v.translate(d.format), args...)
}

// notFound returns the error for a thing, such as "cluster", that does not exist.
func notFound(kind term, name string, err error) error {
	return detail{format: "%s %q: not found", args: []any{kind, probes.Clean(name, maxWord)}, err: err}
}

// newProblem returns a problem with one detail.
func newProblem(status int, format string, args ...any) *problem {
	return newProblems(status, newDetail(format, args...))
}

// newProblems returns a problem with several details. They are bounded and sanitized because
// they may contain data of the request.
func newProblems(status int, causes ...error) *problem {
	p := &problem{Title: http.StatusText(status), Status: status, causes: causes}
	p.Detail = p.detailIn(formatter{language: english})
	return p
}

// detailIn returns the detail in the language of a page.
func (p *problem) detailIn(v formatter) string {
	texts := make([]string, len(p.causes))
	for i, err := range p.causes {
		if d, ok := errors.AsType[detail](err); ok {
			texts[i] = d.in(v)
		} else {
			texts[i] = err.Error()
		}
	}
	return probes.Clean(strings.Join(texts, v.translate("; ")), maxDetail)
}

// maxDetail bounds the detail of a problem, in bytes.
const maxDetail = 1000

// problemOf converts an error to a problem. The details of internal errors are only logged:
// the client cannot fix them, and they may contain file and host names. A source whose database is
// away returns an error with the method Unavailable.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if elsewhere, ok := errors.AsType[*ElsewhereError](err); ok {
		return elsewhere.problem()
	}
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newProblem(http.StatusRequestEntityTooLarge, "the body must not be larger than %d bytes", tooBig.Limit)
	}
	if away, ok := errors.AsType[interface {
		error
		Unavailable() bool
	}](err); ok && away.Unavailable() {
		return newProblem(http.StatusServiceUnavailable, "the database of the history is away: without it, stickwatch knows the clusters and the open incidents (state=ongoing)")
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return newProblems(http.StatusNotFound, err)
	case errors.Is(err, context.Canceled):
		return newProblem(http.StatusServiceUnavailable, "the request was canceled")
	case errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusGatewayTimeout, "the request timed out; its work may continue")
	default:
		return newProblem(http.StatusInternalServerError, "internal error; see the log of stickwatch")
	}
}
