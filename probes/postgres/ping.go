// Package postgres asks a PostgreSQL server whether it serves.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"stickwatch/probes/internal/readlimit"
)

// Ping connects to postgres://user:password@host:port/database, as pgx reads
// it, with PGSSLMODE and its like, and asks SELECT 1. It is a probes.Pinger.
//
// A server that refuses an unknown client when u names no user is up. Anything
// it refuses a user whom u names is an error. A server that asks for the password
// in clear gets it where u has require_auth=password, or sslmode=verify-full,
// which proves that it is the right one.
func Ping(ctx context.Context, u *url.URL) error {
	return readlimit.Run(ctx, u, func(ctx context.Context, dial readlimit.Dial) error {
		config, err := pgconn.ParseConfig(u.String())
		if err != nil {
			return err
		}
		shorten(config, dial)
		keepPassword(config)
		return explain(ask(context.WithValue(ctx, ours{}, true), config), u.User != nil)
	})
}

func ask(ctx context.Context, config *pgconn.Config) error {
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT 1").ReadAll()
	conn.Close(ctx)
	<-conn.CleanupDone()
	return err
}

// ours marks the contexts of the probe.
type ours struct{}

var errBackground = errors.New("the probe is over")

// shorten bounds what a message may announce, and keeps pgx from dialling once
// more, in the background and for 15 s, to cancel a query that went wrong.
func shorten(config *pgconn.Config, dial readlimit.Dial) {
	config.MaxProtocolMessageBodyLen = readlimit.Budget
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(&saslReader{r: r}, w)
	}
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(ours{}) == nil {
			return nil, errBackground
		}
		return dial(ctx, network, address)
	}
}

// keepPassword keeps pgx from sending a password in clear, unless the URL says how
// to log in, or every server that is asked must prove by TLS that it is the right one.
func keepPassword(config *pgconn.Config) {
	proven := config.TLSConfig != nil && !config.TLSConfig.InsecureSkipVerify
	for _, other := range config.Fallbacks {
		proven = proven && other.TLSConfig != nil && !other.TLSConfig.InsecureSkipVerify
	}
	if config.RequireAuth == "" && config.Password != "" && !proven {
		config.RequireAuth = notInClear
	}
}

const (
	notInClear = "!password"
	keptRemedy = "take a login by scram-sha-256, or allow this with sslmode=verify-full or require_auth=password in the URL"
)

// remedies are by SQLSTATE.
var remedies = map[string]string{
	"28P01": "correct the credentials in the URL",
	"28000": "correct the credentials in the URL, or let this host in by pg_hba.conf",
	"3D000": "correct the database in the URL",
	"42501": "grant the user CONNECT on the database",
	"53300": "it has no connection left, see max_connections",
	"57P03": "wait, it is starting or stopping",
}

func explain(err error, credentials bool) error {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return plain(err)
	}
	if !credentials && strings.HasPrefix(answer.Code, "28") {
		return nil
	}
	return readlimit.Answer{Message: answer.Error(), Remedy: remedies[answer.Code]}
}

// plain is err in fewer words than pgx takes.
func plain(err error) error {
	err = innermost(err)
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "requirement \""+notInClear+"\" failed") {
		return fmt.Errorf("the server asks for the password in clear, which is not sent: %s", keptRemedy)
	}
	for _, mark := range []string{"unexpected message", "invalid body length", "invalid message length"} {
		if strings.Contains(err.Error(), mark) {
			return errors.New("the server does not speak PostgreSQL")
		}
	}
	return err
}

// innermost is the last attempt's error without the wrappings that name user,
// database and address.
func innermost(err error) error {
	for {
		var next error
		switch wrapping := err.(type) {
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
