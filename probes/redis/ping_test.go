package redis

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

func TestPing(t *testing.T) {
	address := readlimittest.Start(t, "redis-server", func(port string) []string {
		return []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--databases", "4", "--loglevel", "warning"}
	})
	for name, tc := range map[string]struct{ url, want string }{
		"plain":                 {"redis://" + address, ""},
		"database":              {"redis://" + address + "/3", ""},
		"no such database":      {"redis://" + address + "/9", `correct the database number in the URL: it answers "ERR DB index is out of range"`},
		"no database":           {"redis://" + address + "/shop", `redis: invalid database number: "shop"`},
		"password without user": {"redis://:any@" + address, ""},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "result", tc.want, readlimittest.Ping(t, Ping, tc.url))
		})
	}
}

// TestPingFull: a Redis whose memory is full and that evicts nothing answers PING, and refuses what sessions store.
func TestPingFull(t *testing.T) {
	const full = "raise maxmemory, or let keys expire: its memory is full and it refuses writes"
	for policy, want := range map[string]string{"noeviction": full, "allkeys-lru": ""} {
		address := readlimittest.Start(t, "redis-server", func(port string) []string {
			return []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--maxmemory", "100kb", "--maxmemory-policy", policy}
		})
		got := readlimittest.Ping(t, Ping, "redis://"+address)
		if before, _, _ := strings.Cut(got, ": it answers"); before != want {
			t.Errorf("%s: got %q, want %q", policy, got, want)
		}
	}
}

func TestPingPassword(t *testing.T) {
	address := readlimittest.Start(t, "redis-server", func(port string) []string {
		return []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--requirepass", "p@ss/w", "--user", "watch", "on", ">w", "-@all"}
	})
	const refused = `correct the credentials in the URL: it answers "WRONGPASS invalid username-password pair or user is disabled."`
	for name, tc := range map[string]struct{ url, want string }{
		"right":          {"redis://:p%40ss%2Fw@" + address + "/1", ""},
		"wrong":          {"redis://:wr0ng@" + address, refused},
		"none":           {"redis://" + address, ""},
		"none, database": {"redis://" + address + "/1", ""},
		"may not ping":   {"redis://watch:w@" + address, ""},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "result", tc.want, readlimittest.Ping(t, Ping, tc.url))
		})
	}
}

// answer is a Redis that does not support HELLO and answers PING with reply.
func answer(reply string) func(net.Conn) {
	return func(conn net.Conn) {
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			switch strings.ToUpper(lines.Text()) {
			case "HELLO":
				conn.Write([]byte("-ERR unknown command 'HELLO'\r\n"))
			case "PING":
				conn.Write([]byte(reply))
			}
		}
	}
}

func TestPingRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"old":     {answer("+PONG\r\n"), ""},
		"loading": {answer("-LOADING Redis is loading the dataset in memory\r\n"), `wait until it has loaded its data from disk: it answers "LOADING Redis is loading the dataset in memory"`},
		"replica": {
			answer("-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"),
			`this replica has lost its master, check the master: it answers "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."`,
		},
		"escapes": {answer("-OOPS \x1b[31m\x07red\r\n"), `it answers "OOPS [31mred"`},
		"full": {
			func(conn net.Conn) { conn.Write([]byte("-ERR max number of clients reached\r\n")) },
			`it has no free connection, see maxclients: it answers "ERR max number of clients reached"`,
		},
		"huge string": {answer("$1099511627776\r\n"), `got a reply of length "1099511627776", which is no answer to a ping`},
		"huge map":    {readlimittest.Reply("*1099511627776\r\n"), `got a reply of length "1099511627776", which is no answer to a ping`},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "result", tc.want, readlimittest.Ping(t, Ping, "redis://"+tcptest.Serve(t, tc.serve)))
		})
	}
}

func TestPingTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	address := tcptest.Serve(t, func(conn net.Conn) {
		answer("+PONG\r\n")(tls.Server(conn, web.TLS))
	})
	for url, want := range map[string]string{
		"rediss://" + address + "?skip_verify=true": "",
		"rediss://" + address:                       "x509: certificate signed by unknown authority",
	} {
		expect.Equal(t, url, want, readlimittest.Ping(t, Ping, url))
	}
}
