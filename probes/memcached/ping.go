// Package memcached checks the health of a memcached server.
package memcached

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/bradfitz/gomemcache/memcache"

	"stickwatch/probes/internal/readlimit"
)

// Ping connects to memcached://user:password@host:port and requests the version. It is
// a probes.Pinger.
//
// Credentials are those of memcached's text protocol (option -Y). They are sent only to
// a server that requires them, because any other server would store the password as a
// value. The protocol sends them in clear text, so the address must
// allow it: ?allowCleartextPasswords=true. Without credentials, a server that requires them
// is up. SASL, which needs the binary protocol, is not supported.
func Ping(ctx context.Context, address *url.URL) error {
	return readlimit.Run(ctx, address, func(ctx context.Context, dial readlimit.Dial) error {
		client := memcache.NewFromSelector(server(readlimit.Address(address, "11211")))
		client.DialContext = dial
		defer client.Close()
		err := client.Ping()
		if errors.Is(err, bufio.ErrBufferFull) {
			return errors.New("the server does not use the memcached protocol: its answer is an endless line")
		}
		if err == nil || !strings.Contains(err.Error(), "CLIENT_ERROR unauth") {
			return err
		}
		if address.User == nil {
			return nil
		}
		if address.Query().Get("allowCleartextPasswords") != "true" {
			return errors.New("the server requires the password in clear text, which is not sent:" +
				" allow it with ?allowCleartextPasswords=true in the URL, or remove the credentials")
		}
		return login(client, address.User)
	})
}

func login(client *memcache.Client, user *url.Userinfo) error {
	password, _ := user.Password()
	// A server that waits for a login reads "user password" under any key.
	err := client.Set(&memcache.Item{Key: "login", Value: []byte(user.Username() + " " + password)})
	if err != nil && strings.Contains(err.Error(), "CLIENT_ERROR") {
		return readlimit.AnswerError{Message: err.Error(), Remedy: "correct the credentials in the URL"}
	}
	if err != nil {
		return err
	}
	return client.Ping()
}

// A server selects itself. The library's own selector resolves names without a context;
// this one leaves them to the dialer.
type server string

func (s server) Network() string { return "tcp" }
func (s server) String() string  { return string(s) }

// PickServer returns s for every key.
func (s server) PickServer(string) (net.Addr, error) { return s, nil }

// Each calls f for s.
func (s server) Each(f func(net.Addr) error) error { return f(s) }
