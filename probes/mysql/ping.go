// Package mysql asks a MySQL or MariaDB server whether it serves.
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"

	"stickwatch/probes/internal/readlimit"
)

// Ping connects to mysql://user:password@host:port/database, logs in, and
// sends the protocol's ping. Of the query, tls counts, with the values that
// go-sql-driver knows: true, skip-verify, preferred. It is a probes.Pinger.
//
// A server that refuses an unknown client when u names no user is up. Anything
// it refuses a user whom u names is an error.
func Ping(ctx context.Context, u *url.URL) error {
	return readlimit.Run(ctx, u, func(ctx context.Context, dial readlimit.Dial) error {
		config := configOf(u)
		v := &checkedConn{encrypts: config.TLSConfig != "" && config.TLSConfig != "false"}
		config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			v.Conn = conn
			return v, err
		}
		err := ask(ctx, config)
		if v.unsound {
			return errUnsound // the driver calls it an invalid connection
		}
		return explain(err, u.User != nil)
	})
}

// ask uses the driver without database/sql, which would retry, and pool.
func ask(ctx context.Context, config *mysql.Config) error {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.(driver.Pinger).Ping(ctx)
}

func configOf(u *url.URL) *mysql.Config {
	config := mysql.NewConfig()
	config.Net = "tcp"
	config.Addr = address(u)
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	config.TLSConfig = u.Query().Get("tls")
	config.Logger = &mysql.NopLogger{}
	return config
}

func address(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = "3306"
	}
	return net.JoinHostPort(host, port)
}

// The server's error numbers that can be told apart from a broken server.
const (
	tooManyConnections = 1040
	databaseDenied     = 1044
	accessDenied       = 1045
	unknownDatabase    = 1049
	shuttingDown       = 1053
	hostBlocked        = 1129
	hostDenied         = 1130
	tooManyOfUser      = 1203
	passwordMissing    = 1698
)

var remedies = map[uint16]string{
	tooManyConnections: "it has no connection left, see max_connections",
	databaseDenied:     "grant the user the database in the URL",
	accessDenied:       "correct the credentials in the URL",
	unknownDatabase:    "correct the database in the URL",
	shuttingDown:       "it is shutting down",
	hostBlocked:        "it blocks this host after broken connections, see FLUSH HOSTS",
	hostDenied:         "grant the user access from this host",
	tooManyOfUser:      "the user has no connection left, see max_user_connections",
	passwordMissing:    "correct the credentials in the URL",
}

func explain(err error, credentials bool) error {
	switch {
	case errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrOldPassword),
		errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrNativePassword):
		if !credentials {
			return nil
		}
		return readlimit.Answer{Message: err.Error(), Remedy: "give the URL a user with an ordinary password"}
	}
	answer, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return err
	}
	switch answer.Number {
	case accessDenied, passwordMissing, hostDenied, databaseDenied:
		if !credentials {
			return nil
		}
	}
	return readlimit.Answer{Message: answer.Error(), Remedy: remedies[answer.Number]}
}
