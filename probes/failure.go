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

// A stageError is an error that knows what was being done.
type stageError struct {
	error
	stage     string // for people
	answering bool   // the peer had begun to answer
}

// stageLookup is the stage whose time-out is the resolver's.
const stageLookup = "looking up the name"

func (e stageError) Unwrap() error { return e.error }

// classify names what went wrong and says it in one clean line. When ctx has
// ended, the time that was up was not the timeout of the target: whatever err
// is, stickwatch itself stopped.
func classify(ctx context.Context, err error, timeout time.Duration) (Failure, string) {
	if ctx.Err() != nil {
		return FailureCancelled, "stickwatch was interrupted"
	}
	at, _ := errors.AsType[stageError](err)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the method and the URL, whose query may hold secrets
	}
	class := classOf(err, at.answering)
	switch class {
	case FailureTimeout:
		if at.stage == stageLookup {
			class = FailureDNS
		}
		return class, fmt.Sprintf("no answer within %s (%s)", timeout, at.stage)
	case FailureReset:
		return class, "connection closed without a whole answer (" + at.stage + ")"
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

// errorText is what err says, without the words of net/http that say nothing and
// the header line that an error of net/textproto quotes: it may be the one that
// sets a cookie.
func errorText(err error) string {
	const header = "malformed MIME header"
	text := strings.TrimPrefix(err.Error(), "net/http: HTTP/1.x transport connection broken: ")
	if before, _, found := strings.Cut(text, header); found {
		return before + header
	}
	return text
}

// withoutQuote is the kind of mistake that an error of net/http names, without what
// the peer wrote: it may hold a session id.
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
		// net/http has hardly any types for broken HTTP. But what comes after
		// the first byte and is no fault of the connection can be nothing else.
		return FailureMalformed
	default:
		return FailureOther
	}
}

// classOfConnection knows what can happen below HTTP and TLS; "": none of it.
func classOfConnection(err error) Failure {
	timeout, ok := errors.AsType[net.Error](err)
	_, lookup := errors.AsType[*net.DNSError](err)
	switch {
	case ok && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
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

// isTLS knows most errors of crypto/tls by their prefix: they have no types.
func isTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return record || verify || alert || errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "tls: ")
}

// localErrors are errors of the machine that stickwatch runs on, whatever the target is
// like: no descriptor, port, buffer or memory left, a network interface that is down,
// a firewall or a rule that lets nothing out.
//
// That a network is unreachable is not among them: a router says so of a network that
// is down, and a machine without IPv6 of every IPv6 address.
var localErrors = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
	syscall.ENETDOWN, syscall.EPERM, syscall.EACCES,
}

// IsLocalError reports whether an error of connecting says that this machine could not, and
// nothing of whom it was to reach.
func IsLocalError(err error) bool { return isAny(err, localErrors...) }
