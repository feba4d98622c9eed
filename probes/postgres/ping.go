// Package postgres checks the health of a PostgreSQL server.
package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"stickwatch/probes/internal/readlimit"
)

// Ping connects to postgres://user:password@host:port/database, which pgx parses with
// PGSSLMODE and similar variables, and runs SELECT 1. It is a probes.Pinger.
//
// If u has no user and the server refuses an unknown client, the server is up. If u has
// a user, every refusal is an error. A server that requires the password in clear text
// gets it only if u has require_auth=password, or sslmode=verify-full, which proves the
// server's identity.
func Ping(ctx context.Context, u *url.URL) error {
	return readlimit.Run(ctx, u, func(ctx context.Context, dial readlimit.Dial) error {
		config, err := pgconn.ParseConfig(u.String())
		if err != nil {
			return err
		}
		limit(config, dial)
		withholdPassword(config)
		return explain(ask(context.WithValue(ctx, probeContext{}, true), config), u.User != nil)
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

// probeContext is the key of contexts that belong to the probe.
type probeContext struct{}

var errBackground = errors.New("the probe has ended")

// limit bounds the size that a message may announce. It also prevents pgx from
// connecting again, in the background and for 15 s, to cancel a failed query.
func limit(config *pgconn.Config, dial readlimit.Dial) {
	config.MaxProtocolMessageBodyLen = readlimit.Budget
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(&saslReader{r: r}, w)
	}
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(probeContext{}) == nil {
			return nil, errBackground
		}
		return dial(ctx, network, address)
	}
}

// withholdPassword prevents pgx from sending a password in clear text, unless the URL
// sets how to log in, or every server must prove its identity by TLS.
func withholdPassword(config *pgconn.Config) {
	proven := config.TLSConfig != nil && !config.TLSConfig.InsecureSkipVerify
	for _, other := range config.Fallbacks {
		proven = proven && other.TLSConfig != nil && !other.TLSConfig.InsecureSkipVerify
	}
	if config.RequireAuth == "" && config.Password != "" && !proven {
		config.RequireAuth = notCleartext
	}
}

const (
	notCleartext    = "!password"
	cleartextRemedy = "use scram-sha-256, or allow clear text with sslmode=verify-full or require_auth=password in the URL"
)

// remedies are the remedies by SQLSTATE.
var remedies = map[string]string{
	"28P01": "correct the credentials in the URL",
	"28000": "correct the credentials in the URL, or let this host in by pg_hba.conf",
	"3D000": "correct the database in the URL",
	"42501": "grant the user CONNECT on the database",
	"53300": "it has no free connection, see max_connections",
	"57P03": "wait, it is starting or stopping",
}

func explain(err error, credentials bool) error {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return simplify(err)
	}
	if !credentials && strings.HasPrefix(answer.Code, "28") {
		return nil
	}
	return readlimit.AnswerError{Message: answer.Error(), Remedy: remedies[answer.Code]}
}

// simplify returns err with a shorter text than that of pgx.
func simplify(err error) error {
	err = innermost(err)
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "requirement \""+notCleartext+"\" failed") {
		return fmt.Errorf("the server requires the password in clear text, which is not sent: %s", cleartextRemedy)
	}
	for _, mark := range []string{"unexpected message", "invalid body length", "invalid message length"} {
		if strings.Contains(err.Error(), mark) {
			return errors.New("the server does not use the PostgreSQL protocol")
		}
	}
	return err
}

// innermost returns the last attempt's error without the wrappings that name user,
// database and address.
func innermost(err error) error {
	for {
		var next error
		switch wrapping := err.(type) { //nolint:errorlint // it unwraps one level at a time
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

// maxIterations bounds the rounds of password hashing that the server may require,
// which cannot be interrupted: 500,000 take about 200 ms. PostgreSQL's default is 4096.
const maxIterations = 500_000

// A saslReader checks messages before pgx reads them, and ends when the server requires
// more than maxIterations. pgx's own limit takes seconds.
type saslReader struct {
	r      io.Reader
	header []byte // type and length of the current message
	skip   int    // bytes left of a body that is not checked
	body   []byte // body of an authentication message
	want   int    // bytes left of it
}

// Read reads from the server until a message is invalid.
func (s *saslReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		var bad error
		if rest, bad = s.take(rest); bad != nil {
			return 0, bad
		}
	}
	return n, err
}

// take checks a part of a message, and returns the bytes after it.
func (s *saslReader) take(p []byte) ([]byte, error) {
	switch {
	case s.skip > 0:
		n := min(s.skip, len(p))
		s.skip -= n
		return p[n:], nil
	case s.want > 0:
		n := min(s.want, len(p))
		s.body, s.want = append(s.body, p[:n]...), s.want-n
		if s.want > 0 {
			return p[n:], nil
		}
		return p[n:], checkIterations(s.body)
	}
	const headerLength = 1 + 4
	n := min(headerLength-len(s.header), len(p))
	s.header = append(s.header, p[:n]...)
	if len(s.header) == headerLength {
		// pgx refuses a length beyond the budget and reads no further.
		length := min(max(0, int(binary.BigEndian.Uint32(s.header[1:]))-4), readlimit.Budget)
		if s.header[0] == 'R' {
			s.body, s.want = s.body[:0], length
		} else {
			s.skip = length
		}
		s.header = s.header[:0]
	}
	return p[n:], nil
}

// checkIterations returns an error if the body of an authentication message requires
// too many rounds of hashing.
func checkIterations(body []byte) error {
	const saslContinue = "\x00\x00\x00\x0b"
	text, ok := strings.CutPrefix(string(body), saslContinue)
	if !ok {
		return nil
	}
	for field := range strings.SplitSeq(text, ",") {
		count, ok := strings.CutPrefix(field, "i=")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(count); err != nil || n > maxIterations {
			return fmt.Errorf("the server requires %.20s rounds of password hashing, want at most %d", count, maxIterations)
		}
	}
	return nil
}
