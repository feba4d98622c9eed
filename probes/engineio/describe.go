package engineio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"stickwatch/probes"
)

// A refusal is an answer that ends the handshake in a stage.
type refusal struct {
	stage  string
	answer answer
}

// description returns Engine.IO's own message in the answer. No other text is quoted,
// because any page may contain a session id.
func (r refusal) description() string {
	message := serverErrorOf(r.answer.body).Message
	for _, known := range messages {
		if strings.Contains(message, known) {
			return strconv.Quote(known)
		}
	}
	return fmt.Sprintf("%d bytes of other content", len(r.answer.body))
}

func (r refusal) Error() string {
	text := r.description()
	got := fmt.Sprintf("HTTP status %d, %s", r.answer.status, text)
	switch {
	case r.code() == codeUnknownSession:
		return "the node that received this request does not know the new session: " + got
	case r.stage == stageOpen && r.answer.status == http.StatusOK:
		return fmt.Sprintf("no Engine.IO: got %s, want an open packet", text)
	case r.stage == stageOpen:
		return "no session: got " + got
	case r.stage == stageUpgrade && r.answer.status == http.StatusSwitchingProtocols:
		return "the answer to the upgrade is not a WebSocket handshake"
	case r.stage == stageUpgrade:
		return fmt.Sprintf("the upgrade to WebSocket was refused: got %s, want status 101", got)
	default:
		return "the poll was refused: got " + got
	}
}

// code returns Engine.IO's own error code of a 400; -1 for other refusals.
func (r refusal) code() int {
	if r.answer.status != http.StatusBadRequest {
		return -1
	}
	return serverErrorOf(r.answer.body).Code
}

// A socketError is an error in an open WebSocket.
type socketError struct{ error }

func (e socketError) Unwrap() error { return e.error }

// describe returns the HTTP status of the answer that ended a stage, 0 if there was
// none, and the error in one clean line without the session id.
func (s *session) describe(err error, stage string) (int, string) {
	status := 0
	if r, ok := errors.AsType[refusal](err); ok {
		status = r.answer.status
	}
	if _, ok := errors.AsType[socketError](err); ok || errors.Is(err, errNotEngineIO) {
		status = http.StatusSwitchingProtocols
	}
	return status, probes.Clean(s.redact(s.errorText(err, stage)), probes.MaxError)
}

func (s *session) errorText(err error, stage string) string {
	err = probes.WithoutURL(err) // which contains the session id
	if r, ok := errors.AsType[refusal](err); ok {
		return r.Error()
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "stickwatch was interrupted"
	case probes.TimedOut(err):
		return fmt.Sprintf("no answer within %s (%s)", s.client.Target().Timeout, stage)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection closed before the answer was complete (" + stage + ")"
	default:
		return err.Error()
	}
}

// redact replaces the session id by its fingerprint. It cleans the text first, because
// control characters could split the id. Callers truncate the text afterwards, because
// truncation could leave a part of the id.
func (s *session) redact(text string) string {
	text = probes.Clean(text, 4*probes.MaxError)
	if s.sid == "" {
		return text
	}
	shown := string(probes.FingerprintOf(s.sid))
	return strings.NewReplacer(s.sid, shown, url.QueryEscape(s.sid), shown).Replace(text)
}
