// Package postgres asks a PostgreSQL server whether it serves.
package postgres

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"stickwatch/probes/internal/leash"
)

// Ping connects to postgres://user:password@host:port/database, as pgx reads
// it, with PGSSLMODE and its like, and asks SELECT 1. It is a probes.Pinger.
//
// A server that refuses an unknown client when u names no user is up. Anything
// it refuses a user whom u names is an error.
func Ping(ctx context.Context, u *url.URL) error {
	return leash.Run(ctx, u, func(ctx context.Context, dial leash.Dial) error {
		config, err := pgconn.ParseConfig(u.String())
		if err != nil {
			return err
		}
		shorten(config, dial)
		return judge(ask(context.WithValue(ctx, ours{}, true), config), u.User != nil)
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
func shorten(config *pgconn.Config, dial leash.Dial) {
	config.MaxProtocolMessageBodyLen = leash.Budget
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(ours{}) == nil {
			return nil, errBackground
		}
		return dial(ctx, network, address)
	}
}

// remedies are by SQLSTATE.
var remedies = map[string]string{
	"28P01": "correct the credentials in the URL",
	"28000": "correct the credentials in the URL, or let this host in by pg_hba.conf",
	"3D000": "correct the database in the URL",
	"42501": "grant the user CONNECT on the database",
	"53300": "it has no connection left, see max_connections",
	"57P03": "wait, it is starting or stopping",
}

func judge(err error, credentials bool) error {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return plain(err)
	}
	if !credentials && strings.HasPrefix(answer.Code, "28") {
		return nil
	}
	return leash.Answer{Said: answer.Error(), Remedy: remedies[answer.Code]}
}

// plain is err in fewer words than pgx takes.
func plain(err error) error {
	err = innermost(err)
	if err == nil {
		return nil
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
