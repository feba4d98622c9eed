package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// classify names what went wrong and says it in one clean line.
func classify(err error, stage string, timeout time.Duration) (Failure, string) {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the method and the URL, whose query may hold secrets
	}
	class := classOf(err)
	switch class {
	case FailureTimeout:
		return class, fmt.Sprintf("no answer within %s (%s)", timeout, stage)
	case FailureReset:
		return class, "connection closed without a whole answer (" + stage + ")"
	case FailureCancelled:
		return class, "stickwatch was interrupted"
	case FailureRefused, FailureUnreachable:
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
			return class, fmt.Sprintf("%s: %s", op.Addr, rootOf(op.Err))
		}
		return class, Clean(err.Error(), MaxError)
	default:
		return class, Clean(err.Error(), MaxError)
	}
}

func classOf(err error) Failure {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return FailureTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return FailureDNS
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return FailureTimeout
	case errors.Is(err, context.Canceled):
		return FailureCancelled
	case errors.Is(err, syscall.ECONNREFUSED):
		return FailureRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return FailureUnreachable
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return FailureReset
	case isTLS(err):
		return FailureTLS
	case isMalformed(err):
		return FailureMalformed
	default:
		return FailureOther
	}
}

func isTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return record || verify || host || alert || strings.Contains(err.Error(), "tls: ") ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// isMalformed knows broken HTTP by net/http's words, for it has no types for
// most of it.
func isMalformed(err error) bool {
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return true
	}
	text := err.Error()
	for _, mark := range []string{"malformed", "http: ", "net/http: ", "invalid", "gzip: ", "flate: ", "bad Content-Length"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// rootOf is the error at the bottom: "connection refused", without the calls
// that led there.
func rootOf(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
