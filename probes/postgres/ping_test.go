package postgres

import (
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

func refusal(code, message string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message}
}

// serve refuses TLS, answers the login with login, and every query with query.
func serve(login, query []pgproto3.BackendMessage) func(net.Conn) {
	return func(conn net.Conn) {
		backend := pgproto3.NewBackend(conn, conn)
		send := func(messages []pgproto3.BackendMessage) {
			for _, m := range messages {
				backend.Send(m)
			}
			backend.Flush()
		}
		startup, err := backend.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, ok := startup.(*pgproto3.SSLRequest); ok {
			conn.Write([]byte("N")) // the client reconnects
			return
		}
		send(login)
		for {
			message, err := backend.Receive()
			if err != nil {
				return
			}
			if _, ok := message.(*pgproto3.Query); ok {
				send(query)
			}
		}
	}
}

var (
	welcome = []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'}}
	one     = []pgproto3.BackendMessage{&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}}
)

func TestPing(t *testing.T) {
	denied := []pgproto3.BackendMessage{refusal("28P01", `password authentication failed for user "watch"`)}
	for name, tc := range map[string]struct {
		serve func(net.Conn)
		user  string
		want  string
	}{
		"serves":                 {serve(welcome, one), "watch:pa55@", ""},
		"denies unknown clients": {serve(denied, nil), "", ""},
		"refuses credentials":    {serve(denied, nil), "watch:pa55@", `correct the credentials in the URL: it answers "FATAL: password authentication failed for user \"watch\" (SQLSTATE 28P01)"`},
		"returns the password":   {serve([]pgproto3.BackendMessage{refusal("XX000", "pa55 is\nwrong")}, nil), "watch:pa55@", `it answers "FATAL: *** is wrong (SQLSTATE XX000)"`},
		"starts":                 {serve([]pgproto3.BackendMessage{refusal("57P03", "the database system is starting up")}, nil), "", `wait, it is starting or stopping: it answers "FATAL: the database system is starting up (SQLSTATE 57P03)"`},
		"query refused":          {serve(welcome, []pgproto3.BackendMessage{refusal("57P01", "terminating connection")}), "watch:pa55@", `it answers "FATAL: terminating connection (SQLSTATE 57P01)"`},
		"requires clear text":    {requireCleartext(t), "watch:pa55@", "the server requires the password in clear text, which is not sent: " + cleartextRemedy},
		"other protocol":         {readlimittest.Reply("HTTP/1.1 400 Bad Request\r\n\r\n"), "watch@", "the server does not use the PostgreSQL protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "result", tc.want, readlimittest.Ping(t, Ping, "postgres://"+tc.user+tcptest.Serve(t, tc.serve)+"/shop"))
		})
	}
}

// requireCleartext requires a password in clear text, and fails the test if it gets one.
func requireCleartext(t *testing.T) func(net.Conn) {
	return func(conn net.Conn) {
		serve([]pgproto3.BackendMessage{&pgproto3.AuthenticationCleartextPassword{}}, nil)(tapped{conn, t})
	}
}

// A tapped connection fails the test when the password arrives.
type tapped struct {
	net.Conn
	t *testing.T
}

func (t tapped) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if strings.Contains(string(p[:n]), "pa55") {
		t.t.Error("the password arrived in clear text")
	}
	return n, err
}

func TestKeepPassword(t *testing.T) {
	for query, want := range map[string]string{
		"":                           notCleartext,
		"?sslmode=disable":           notCleartext,
		"?sslmode=require":           notCleartext,
		"?sslmode=verify-full":       "",
		"?require_auth=password":     "password",
		"?require_auth=md5,password": "md5,password",
	} {
		config, err := pgconn.ParseConfig("postgres://watch:pa55@db.test/shop" + query)
		must.Succeed(t, err)
		withholdPassword(config)
		expect.Equal(t, query, want, config.RequireAuth)
	}
}
