package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// remedies are the remedies of errors by SQLSTATE; see
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
var remedies = map[string]string{
	"28P01": "correct the user or the password of history.url",
	"28000": "correct the user of history.url, or let this host in by pg_hba.conf",
	"3D000": "create the database, or correct its name in history.url",
	"42501": "the user needs the right to create and change tables: make it the owner of the database or of a schema",
	"53100": "the disk of the database is full",
	"53300": "the database has no free connection: see max_connections",
	"57P03": "the database is starting or stopping",
	"25006": "the database is read-only: it is a standby, or was switched over",
}

// A databaseError is an error of PostgreSQL with the database and a remedy.
type databaseError struct {
	name string
	err  error
}

func (e *databaseError) Error() string {
	err := innermost(e.err)
	text := fmt.Sprintf("using %q: %s", e.name, err)
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		text = fmt.Sprintf("using %q: %s (SQLSTATE %s)", e.name, answer.Message, answer.Code)
		if remedy := remedies[answer.Code]; remedy != "" {
			text += ": " + remedy
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		text = fmt.Sprintf("using %q: it has not answered in time", e.name)
	}
	if strings.Contains(err.Error(), "server refused TLS") {
		text += ": let it use TLS, or add ?sslmode=disable to history.url if nobody can listen on the network"
	}
	return text
}

func (e *databaseError) Unwrap() error { return e.err }

// Unavailable reports whether the database is away, instead of refusing what it was asked: it has
// not answered, or has a SQLSTATE of class 08 (connection), 28 (login), 3D (no such database), 53
// (resources) or 57 (shutdown). It answers that it has canceled a query, and says nothing of a
// request that its client has canceled.
func (e *databaseError) Unavailable() bool {
	const queryCanceled = "57014"
	if errors.Is(e.err, context.Canceled) || isState(e.err, queryCanceled) {
		return false
	}
	answer, ok := errors.AsType[*pgconn.PgError](e.err)
	return !ok || slices.ContainsFunc([]string{"08", "28", "3D", "53", "57"}, func(class string) bool { return strings.HasPrefix(answer.Code, class) })
}

// Full reports whether the database has no space for what it was asked to write.
func (e *databaseError) Full() bool { return isState(e.err, "53100") }

// explain adds the name of the database and a remedy to an error.
func explain(name string, err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, ErrNotFound) || errors.Is(err, errRecreated) {
		return err
	}
	if _, done := errors.AsType[*databaseError](err); done {
		return err
	}
	if _, inUse := errors.AsType[*InUseError](err); inUse {
		return err
	}
	if _, fenced := isFenced(err); fenced {
		return err
	}
	return &databaseError{name, err}
}

// innermost returns the error of the last attempt without the text of pgx around it, which names
// every host and fills several lines.
func innermost(err error) error {
	for {
		var next error
		switch wrapping := err.(type) { //nolint:errorlint // it unwraps one level at a time
		case *pgconn.PgError:
			return err
		case interface{ Unwrap() error }:
			next = wrapping.Unwrap()
		case interface{ Unwrap() []error }:
			if all := wrapping.Unwrap(); len(all) > 0 {
				next = all[len(all)-1]
			}
		}
		if next == nil {
			return err
		}
		err = next
	}
}

func isState(err error, code string) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && answer.Code == code
}
