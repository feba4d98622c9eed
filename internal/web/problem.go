package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"stickwatch/probes"
)

// A problem is why a request is not answered as asked: an error that knows its
// HTTP status and is written for whoever asked. On the wire it is an RFC 9457
// problem of type about:blank.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func (p *problem) Error() string { return p.Detail }

// newProblem makes a problem. What requests said may be in its detail: it is one
// bounded line.
func newProblem(status int, format string, args ...any) *problem {
	return &problem{
		Title:  http.StatusText(status),
		Status: status,
		Detail: probes.Clean(fmt.Sprintf(format, args...), maxDetail),
	}
}

// maxDetail bounds a problem's detail, in bytes.
const maxDetail = 1000

// problemOf tells of any error what its asker may know. What went wrong inside
// is for the log; the asker cannot mend it, and it may name files and hosts.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newProblem(http.StatusRequestEntityTooLarge, "the body must not be larger than %d bytes", tooBig.Limit)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return newProblem(http.StatusNotFound, "%v", err)
	case errors.Is(err, context.Canceled):
		return newProblem(http.StatusServiceUnavailable, "it was given up before its answer")
	case errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusGatewayTimeout, "it took too long; the work may still be going on")
	default:
		return newProblem(http.StatusInternalServerError, "stickwatch itself has a problem; its log tells more")
	}
}

// inside reports whether a problem is stickwatch's own, and belongs in the log.
func (p *problem) inside() bool {
	return p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable
}

// advise tells programs when it is worth asking again.
func (p *problem) advise(h http.Header) {
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
}
