package readlimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"syscall"

	"stickwatch/probes"
)

// An Answer is a refusal in the service's own words: it is up, and does not
// serve.
type Answer struct {
	Message string
	Remedy  string // what to do, where that is known
}

func (a Answer) Error() string {
	// The remedy goes first: what the server says may be long, and is cut.
	said := fmt.Sprintf("it answers %q", probes.Clean(a.Message, probes.MaxError/2))
	if a.Remedy == "" {
		return said
	}
	return a.Remedy + ": " + said
}

// A failure is an error in one clean line, and what caused it where callers
// may want to know.
type failure struct {
	text  string
	cause error
}

func (f failure) Error() string { return f.text }
func (f failure) Unwrap() error { return f.cause }

// explain says what went wrong. An answer of the service says it best, then
// the connection, and the library last.
func (l *connections) explain(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	l.mu.Lock()
	cause := l.cause
	l.mu.Unlock()
	answer, answered := errors.AsType[Answer](err)
	switch {
	case answered:
		answer.Message = redact(answer.Message, secrets)
		return failure{text: probes.Clean(answer.Error(), probes.MaxError)} // the remedy is ours
	case l.ctx.Err() != nil:
		return failure{"no answer in time: " + l.ctx.Err().Error(), context.Cause(l.ctx)}
	case isReset(cause):
		// Not as the cause: its kind would hide these words.
		return failure{text: "the server closed the connection in the middle of the conversation"}
	case cause != nil:
		return failure{line(cause.Error(), secrets), cause}
	default:
		return failure{text: line(err.Error(), secrets)}
	}
}

func isReset(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// line is text as it may be shown.
func line(text string, secrets []string) string {
	return probes.Clean(redact(text, secrets), probes.MaxError)
}

// redact masks the secrets. It cleans the text first, for control characters
// could stand between their letters, and whoever cuts it does so later, for a
// cut could leave half of one.
//
// A secret that words contain by chance would be read off the letters that are
// masked, so nothing is shown of a text with such a one.
func redact(text string, secrets []string) string {
	const shortest = 4
	text = probes.Clean(text, Budget)
	for _, secret := range secrets {
		if len(secret) < shortest && strings.Contains(text, secret) {
			return "[hidden: the password is too short to be masked in it]"
		}
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}

// secretsOf lists the spellings of u's password.
func secretsOf(u *url.URL) []string {
	var passwords []string
	if password, ok := u.User.Password(); ok {
		passwords = append(passwords, password)
	}
	for key, values := range u.Query() {
		if strings.Contains(strings.ToLower(key), "password") {
			passwords = append(passwords, values...)
		}
	}
	var list []string
	for _, p := range passwords {
		if p == "" {
			continue
		}
		_, inUserinfo, _ := strings.Cut(url.UserPassword("", p).String(), ":")
		list = append(list, p, inUserinfo, url.QueryEscape(p), url.PathEscape(p))
	}
	return list
}
