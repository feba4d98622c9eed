// Package mysql checks the health of a MySQL or MariaDB server.
package mysql

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"database/sql/driver"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"

	"stickwatch/probes/internal/readlimit"
)

// Ping connects to mysql://user:password@host:port/database, logs in, and sends the
// protocol's ping. The query may have tls, with the values of go-sql-driver: true,
// skip-verify, preferred. It is a probes.Pinger.
//
// If u has no user and the server refuses an unknown client, the server is up. If u has
// a user, every refusal is an error.
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
		if v.malformed {
			return errMalformed // the driver reports an invalid connection
		}
		return explain(err, u.User != nil)
	})
}

// ask uses the driver without database/sql, which would retry and pool connections.
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
	config.Addr = readlimit.Address(u, "3306")
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	config.TLSConfig = u.Query().Get("tls")
	config.Logger = &mysql.NopLogger{}
	return config
}

// The server's error numbers that do not mean a broken server.
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
	tooManyConnections: "it has no free connection, see max_connections",
	databaseDenied:     "grant the user the database in the URL",
	accessDenied:       "correct the credentials in the URL",
	unknownDatabase:    "correct the database in the URL",
	shuttingDown:       "it is shutting down",
	hostBlocked:        "it blocks this host after broken connections, see FLUSH HOSTS",
	hostDenied:         "grant the user access from this host",
	tooManyOfUser:      "the user has no free connection, see max_user_connections",
	passwordMissing:    "correct the credentials in the URL",
}

func explain(err error, credentials bool) error {
	switch {
	case errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrOldPassword),
		errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrNativePassword):
		if !credentials {
			return nil
		}
		return readlimit.AnswerError{Message: err.Error(), Remedy: "use a user with an ordinary password in the URL"}
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
	return readlimit.AnswerError{Message: answer.Error(), Remedy: remedies[answer.Number]}
}

// A checkedConn checks packets before the driver reads them. The driver indexes packets
// without checking their length: a short one causes a panic, and leaves the driver's
// watcher goroutine running. Packets inside TLS cannot be checked.
type checkedConn struct {
	net.Conn
	encrypts  bool // switches to TLS after the greeting
	greeted   bool
	malformed bool   // a packet was invalid
	packet    []byte // the unread part of a valid packet
}

var errMalformed = errors.New("the server does not use the MySQL protocol")

func (c *checkedConn) Read(p []byte) (int, error) {
	if len(c.packet) == 0 {
		if c.greeted && c.encrypts {
			return c.Conn.Read(p)
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.packet)
	c.packet = c.packet[n:]
	return n, nil
}

// next reads a packet: three bytes of length, one of sequence, the body.
func (c *checkedConn) next() error {
	var head [4]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return err
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if length == 0 || length > readlimit.Budget {
		c.malformed = true
		return errMalformed
	}
	packet := make([]byte, len(head)+length)
	copy(packet, head[:])
	body := packet[len(head):]
	if _, err := io.ReadFull(c.Conn, body); err != nil {
		return err
	}
	valid := validReply
	if !c.greeted {
		valid = validGreeting
	}
	if !valid(body) {
		c.malformed = true
		return errMalformed
	}
	c.greeted, c.packet = true, packet
	return nil
}

// validGreeting reports whether body is an error or a complete Protocol::HandshakeV10:
// version, server version ended by NUL, then 44 bytes or more.
func validGreeting(body []byte) bool {
	if body[0] == 0xff {
		return validReply(body)
	}
	const (
		connection = 4
		salt       = 8 + 1
		flags      = 2 + 1 + 2 + 2
		reserved   = 1 + 10
		moreSalt   = 13
	)
	end := bytes.IndexByte(body, 0)
	return body[0] == 10 && end > 0 && len(body) >= end+1+connection+salt+flags+reserved+moreSalt
}

// validReply reports whether body is complete for the type in its first byte.
func validReply(body []byte) bool {
	switch body[0] {
	case 0x00: // OK: two length-encoded integers, status, warnings
		return len(body) >= 1+9+9+4 || validOK(body[1:])
	case 0xff: // error: number, and with a '#' the SQL state
		return len(body) >= 4 && (body[3] != '#' || len(body) >= 9)
	case 0xfe: // change of the authentication method: its name, NUL, 20 bytes for mysql_native_password
		name, salt, named := bytes.Cut(body[1:], []byte{0})
		return len(body) == 1 || named && (string(name) != "mysql_native_password" || len(salt) >= 20)
	case 0x01: // more authentication data: a flag, or a public key
		return len(body) > 1 && validKey(body[1:])
	default:
		return false
	}
}

func validOK(rest []byte) bool {
	for range 2 {
		n := 1
		if len(rest) > 0 {
			n += map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[rest[0]]
		}
		if len(rest) < n {
			return false
		}
		rest = rest[n:]
	}
	return len(rest) >= 2
}

// validKey reports whether data is no public key, or one that the driver can use. The
// driver expects RSA.
func validKey(data []byte) bool {
	block, _ := pem.Decode(data)
	if block == nil {
		return true
	}
	const maxBits = 8192 // as crypto/tls; the driver's time to encrypt grows with the square
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := key.(*rsa.PublicKey)
	return err != nil || ok && public.N.BitLen() <= maxBits
}
