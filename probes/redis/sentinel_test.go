package redis

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

// sentinel is a Sentinel that names a server as the primary.
func sentinel(primary string) func(net.Conn) {
	return func(conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			switch strings.ToUpper(lines.Text()) {
			case "HELLO":
				conn.Write([]byte("-ERR unknown command 'HELLO'\r\n"))
			case "GET-MASTER-ADDR-BY-NAME":
				if lines.Scan(); !lines.Scan() || lines.Text() != "m" {
					conn.Write([]byte("*-1\r\n"))
					return
				}
				host, port, _ := net.SplitHostPort(primary)
				fmt.Fprintf(conn, "*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(host), host, len(port), port)
			}
		}
	}
}

func TestPingPrimary(t *testing.T) {
	up, hung, loading := tcptest.Serve(t, answer("+PONG\r\n")), tcptest.Serve(t, readlimittest.Hang), tcptest.Serve(t, answer("-LOADING\r\n"))
	toUp, toHung, toLoading := tcptest.Serve(t, sentinel(up)), tcptest.Serve(t, sentinel(hung)), tcptest.Serve(t, sentinel(loading))
	for name, tc := range map[string]struct{ url, want string }{
		"up":                             {toUp + "/m", ""},
		"not up":                         {toLoading + "/m", `wait until it has loaded its data from disk: it answers "LOADING"`},
		"another Sentinel knows the new": {toLoading + "/m?sentinel=" + toUp, ""},
		"the first Sentinel hangs":       {hung + "/m?sentinel=" + toUp, ""},
		"the old primary hangs":          {toHung + "/m?sentinel=" + toUp, ""},
		"unknown":                        {toUp + "/other", "sentinel: it has no primary \"other\", see `SENTINEL masters`: it answers \"unknown\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect.Equal(t, "result", tc.want, readlimittest.Ping(t, PingPrimary, "redis+sentinel://"+tc.url))
		})
	}
}

func TestHostileSentinel(t *testing.T) { readlimittest.TestHostile(t, "redis+sentinel", PingPrimary) }
