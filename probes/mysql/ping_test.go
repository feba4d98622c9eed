package mysql

import (
	"io"
	"net"
	"net/url"
	"testing"

	"pgregory.net/rapid"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

// greeting is MariaDB's, shortened: protocol 10, version, connection, salt, flags,
// salt, plugin.
const greeting = "\x0a10.11.19\x00" + "\x01\x00\x00\x00" + "saltsalt\x00" + "\xfe\xf7" + "\x2d\x02\x00" + "\xff\x81" +
	"\x15" + "\x00\x00\x00\x00\x00\x00" + "\x1d\x00\x00\x00" + "saltsaltsalt\x00" + "mysql_native_password\x00"

const ok = "\x00\x00\x00\x02\x00\x00\x00"

func packet(sequence byte, body string) []byte {
	n := len(body)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, body...)
}

// serve sends greeting, answers the login with login, and every command with command.
func serve(greeting, login, command string) func(net.Conn) {
	return func(conn net.Conn) {
		conn.Write(packet(0, greeting))
		if _, ok := next(conn); !ok {
			return
		}
		conn.Write(packet(2, login))
		for {
			body, ok := next(conn)
			if !ok || body[0] == 1 { // COM_QUIT
				return
			}
			conn.Write(packet(1, command))
		}
	}
}

func next(conn net.Conn) (body []byte, ok bool) {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, false
	}
	body = make([]byte, int(head[0])|int(head[1])<<8)
	_, err := io.ReadFull(conn, body)
	return body, err == nil && len(body) > 0
}

func TestPing(t *testing.T) {
	const (
		denied  = "\xff\x15\x04#28000Access denied for user 'watch'@'localhost' (using password: YES)"
		full    = "\xff\x10\x04Too many connections"
		blocked = "\xff\x69\x04Host 'prober' is blocked because of many connection errors"
		plugin  = "\xfeauth_gssapi_client\x00salt"
	)
	for name, tc := range map[string]struct {
		serve func(net.Conn)
		user  string
		want  string
	}{
		"serves":                      {serve(greeting, ok, ok), "watch:pa55@", ""},
		"denies unknown clients":      {serve(greeting, denied, ok), "", ""},
		"refuses credentials":         {serve(greeting, denied, ok), "watch:pa55@", `correct the credentials in the URL: it answers "Error 1045 (28000): Access denied for user 'watch'@'localhost' (using password: YES)"`},
		"full":                        {readlimittest.Reply(string(packet(0, full))), "", `it has no free connection, see max_connections: it answers "Error 1040: Too many connections"`},
		"blocked":                     {readlimittest.Reply(string(packet(0, blocked))), "", `it blocks this host after broken connections, see FLUSH HOSTS: it answers "Error 1129: Host 'prober' is blocked because of many connection errors"`},
		"other login":                 {serve(greeting, plugin, ok), "watch:pa55@", `use a user with an ordinary password in the URL: it answers "this authentication plugin is not supported"`},
		"other login, unknown client": {serve(greeting, plugin, ok), "", ""},
		"ping refused":                {serve(greeting, ok, "\xff\x1d\x04#08S01Server shutdown in progress"), "watch:pa55@", `it is shutting down: it answers "Error 1053 (08S01): Server shutdown in progress"`},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "result", tc.want, readlimittest.Ping(t, Ping, "mysql://"+tc.user+tcptest.Serve(t, tc.serve)+"/shop"))
		})
	}
}

// TestPingMalformed sends complete packets of any content. The driver must not receive
// an invalid one.
func TestPingMalformed(t *testing.T) {
	body := rapid.Custom(func(t *rapid.T) string {
		first := rapid.SampledFrom([]byte{0x00, 0x01, 0x0a, 0xfe, 0xff}).Draw(t, "kind")
		return string(append([]byte{first}, rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "rest")...))
	})
	rapid.Check(t, func(r *rapid.T) {
		first := rapid.OneOf(rapid.Just(greeting), body).Draw(r, "greeting")
		handle := serve(first, body.Draw(r, "login"), body.Draw(r, "command"))
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must.Succeed(r, err)
		defer listener.Close()
		go func() {
			if conn, err := listener.Accept(); err == nil {
				handle(conn)
				conn.Close()
			}
		}()
		u := &url.URL{Host: listener.Addr().String(), User: url.UserPassword("watch", "secret")}
		if err := Ping(t.Context(), u); err != nil && err.Error() == "the client library panics on the answer: this is another service, or a hostile one" {
			r.Fatal("the driver panicked")
		}
	})
}

func TestConfigOf(t *testing.T) {
	type config struct{ Addr, User, Passwd, DBName, TLS string }
	for raw, want := range map[string]config{
		"mysql://":           {Addr: "localhost:3306"},
		"mysql://[::1]/shop": {Addr: "[::1]:3306", DBName: "shop"},
		"mysql://a:p%40s%2F@db:33/s?tls=preferred&x=%0": {Addr: "db:33", User: "a", Passwd: "p@s/", DBName: "s", TLS: "preferred"},
	} {
		u := must.URL(raw)
		c := configOf(u)
		expect.Equal(t, raw, want, config{c.Addr, c.User, c.Passwd, c.DBName, c.TLSConfig})
	}
}
