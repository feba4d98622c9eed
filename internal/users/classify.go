package users

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
)

// An Outcome is the result of one request from the user's point of view.
type Outcome string

// The outcomes, the most severe first. A request has the first one that applies.
const (
	Error     Outcome = "error"      // no answer, time-out, 4xx or 5xx
	Foreign   Outcome = "foreign"    // another user's session or value
	Lost      Outcome = "lost"       // the session id or the value is gone
	Stale     Outcome = "stale"      // an older value
	WrongPage Outcome = "wrong_page" // 2xx or 3xx that is not the page
	Moved     Outcome = "moved"      // served by another node although sessions are sticky
	Served    Outcome = "served"
	Unknown   Outcome = "unknown" // the answer shows too little
)

// Outcomes lists every Outcome, the most severe first.
var Outcomes = []Outcome{Error, Foreign, Lost, Stale, WrongPage, Moved, Served, Unknown}

// Harmful reports whether a user notices the outcome.
func (o Outcome) Harmful() bool {
	return slices.Contains([]Outcome{Error, Foreign, Lost, Stale, WrongPage}, o)
}

// classify returns the outcome of an answer and, where the outcome is not self-evident,
// a detail that explains it. stores reports whether the request stored the counter
// u.attempted.
func (u *user) classify(got response, stores bool) (Outcome, string) {
	if got.err != nil {
		return Error, reason(got.err)
	}
	if got.status >= 400 {
		return Error, fmt.Sprintf("status %d", got.status)
	}
	if got.node == "" && !u.showsSession(got) {
		return WrongPage, fmt.Sprintf("status %d with neither node nor session", got.status)
	}
	if outcome, why := u.classifySession(got, stores); outcome != "" {
		return outcome, why
	}
	if u.population.config.Sticky && u.owner != "" && got.node != "" && got.node != u.owner {
		return Moved, ""
	}
	if got.id == "" && u.population.config.Page.ID != nil {
		return Unknown, "the page shows no session"
	}
	return Served, ""
}

// showsSession reports whether the answer shows a session. An id that is read from a
// cookie is present on every page, so only a new id or a value counts.
func (u *user) showsSession(got response) bool {
	return got.value != "" || got.id != "" && got.id != u.id
}

// classifySession compares the session of an answer with the one that the user holds.
// It returns "" when they agree.
func (u *user) classifySession(got response, stores bool) (Outcome, string) {
	if got.id != "" && u.population.ownedByAnother(got.id, u.number) {
		return Foreign, "the session of another user"
	}
	number, counter, ours := parseValue(got.value)
	switch {
	case ours && number != u.number:
		return Foreign, fmt.Sprintf("a value of user %d", number)
	case got.value != "" && !ours:
		return Foreign, "a value that no user stored"
	case u.id != "" && got.id != "" && got.id != u.id:
		return Lost, "another session id"
	case u.written > 0 && got.value == "" && u.population.config.Page.Value != nil:
		return Lost, "the value is gone"
	case ours && counter < u.written:
		return Stale, fmt.Sprintf("counter %d, wrote %d", counter, u.written)
	case ours && stores && counter < u.attempted:
		return Stale, fmt.Sprintf("counter %d, just wrote %d", counter, u.attempted)
	}
	return "", ""
}

// adoptSession makes the session of an answer the one that the user holds from now on.
func (u *user) adoptSession(got response, o Outcome) {
	if o == Error || o == WrongPage {
		return
	}
	if got.id != "" && got.id != u.id {
		u.id, u.written = got.id, 0
		u.population.recordOwner(got.id, u.number)
	}
	if got.node != "" {
		u.owner = got.node
	}
	u.written = 0 // so that one lost value is counted once
	if number, counter, ours := parseValue(got.value); ours && number == u.number {
		u.written = counter
	}
}

// reason returns the text of an error without addresses and paths.
func reason(err error) string {
	if e, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && e.Timeout() {
		return "time-out"
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}
