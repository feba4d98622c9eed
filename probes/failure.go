package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A stageError is an error with the stage of the request in which it happened.
type stageError struct {
	error
	stage     string // for people
	answering bool   // the first byte of the answer had arrived
}

const (
	stageLookup  = "looking up the name" // a timeout in it is one of the resolver
	stageWaiting = "waiting for an answer"
)

func (e stageError) Unwrap() error { return e.error }

// WithoutURL removes the wrappings of net/http, which quote the method and the URL. The path of a webhook and
// the query of a page may be secret.
func WithoutURL(err error) error {
	for {
		wrapped, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = wrapped.Err
	}
}

// classify returns the class of err and its text in one clean line. If ctx has ended,
// stickwatch itself stopped, whatever err is; a timeout of the target does not end ctx.
func classify(ctx context.Context, err error, timeout time.Duration) (Failure, string) {
	if ctx.Err() != nil {
		return FailureCancelled, "stickwatch was interrupted"
	}
	at, _ := errors.AsType[stageError](err)
	err = WithoutURL(err)
	class := classOf(err, at.answering)
	switch class {
	case FailureTimeout:
		if at.stage == stageLookup {
			class = FailureDNS
		}
		return class, fmt.Sprintf("no answer within %s (%s)", timeout, at.stage)
	case FailureReset:
		return class, "connection closed before the answer was complete (" + at.stage + ")"
	case FailureRefused, FailureUnreachable:
		op, dialled := errors.AsType[*net.OpError](err)
		errno, numbered := errors.AsType[syscall.Errno](err)
		if dialled && numbered && op.Addr != nil {
			return class, Clean(fmt.Sprintf("%s: %s", op.Addr, errno), MaxError)
		}
	}
	text := errorText(err)
	if class == FailureMalformed {
		text = withoutQuote(text)
	}
	return class, Clean(text, MaxError)
}

// errorText returns the text of err without the prefixes of net/http, and without the
// header line that an error of net/textproto quotes, which may set a session cookie.
func errorText(err error) string {
	const header = "malformed MIME header"
	text := strings.TrimPrefix(err.Error(), "net/http: HTTP/1.x transport connection broken: ")
	if before, _, found := strings.Cut(text, header); found {
		return before + header
	}
	return text
}

// withoutQuote returns the text of an error of net/http without the part that quotes
// the peer, which may contain a session id.
func withoutQuote(text string) string {
	before, _, found := strings.Cut(text, `"`)
	if !found {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(before, " :;["), "; got")
}

func classOf(err error, answering bool) Failure {
	if class := classOfConnection(err); class != "" {
		return class
	}
	switch {
	case errors.Is(err, errRedirectLoop), errors.Is(err, errTooManyRedirects):
		return FailureRedirect
	case isTLS(err):
		return FailureTLS
	case answering:
		// net/http has hardly any types for malformed HTTP. After the first byte, an
		// error that is not one of the connection can be nothing else.
		return FailureMalformed
	default:
		return FailureOther
	}
}

// TimedOut reports whether an error is a timeout of a connection or of its context.
func TimedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// classOfConnection returns the class of an error below HTTP and TLS; "": it is none.
func classOfConnection(err error) Failure {
	_, lookup := errors.AsType[*net.DNSError](err)
	switch {
	case TimedOut(err):
		return FailureTimeout
	case IsLocalError(err):
		return FailureProber
	case lookup:
		return FailureDNS
	case isAny(err, syscall.ECONNREFUSED):
		return FailureRefused
	case isAny(err, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN):
		return FailureUnreachable
	case isAny(err, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF):
		return FailureReset
	default:
		return ""
	}
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// isTLS recognises most errors of crypto/tls by their prefix, because they have no
// types.
func isTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return record || verify || alert || errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "tls: ")
}

// localErrors are errors of the machine that stickwatch runs on: no descriptor, port,
// buffer or memory is left, a network interface is down, a firewall lets nothing out.
//
// "Network is unreachable" is not one of them: a router reports it of a remote network
// that is down, and a machine without IPv6 reports it for every IPv6 address.
var localErrors = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
	syscall.ENETDOWN, syscall.EPERM, syscall.EACCES,
}

// IsLocalError reports whether connecting failed because of this machine, so that the
// error is no evidence about the target.
func IsLocalError(err error) bool { return isAny(err, localErrors...) }
