package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestNginxLogsEveryFailure: for every kind of failed attempt nginx logs one line at
// the level error, and max_fails of them are an ejection. The line of an invalid header
// quotes the server, and is not trusted. HTTP errors are not logged and are no
// failures; nor is an answer without a header, which nginx logs.
func TestNginxLogsEveryFailure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		https  bool
		serve  func(*net.TCPConn) // nil: nothing listens
		counts bool               // nginx counts it as a failure
		quotes bool
	}{
		{name: "refused", counts: true},
		{name: "closed", counts: true, serve: func(*net.TCPConn) {}},
		{name: "reset", counts: true, serve: func(c *net.TCPConn) { c.SetLinger(0) }},
		{name: "hanging", counts: true, serve: func(c *net.TCPConn) { io.Copy(io.Discard, c) }},
		{name: "too big a header", counts: true, serve: respond("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n")},
		{name: "no TLS", counts: true, https: true, serve: respond("HTTP/1.1 400 Bad Request\r\n\r\n")},
		{name: "invalid header", counts: true, quotes: true, serve: respond("HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n")},
		{name: "no header", serve: respond("hello\r\n")},
		{name: "404", serve: respond("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")},
		{name: "500", serve: respond("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			addr := FreeAddr(t)
			if tc.serve != nil {
				addr = listen(t, tc.serve)
			}
			timeout := time.Minute // a busy machine is no failure
			if tc.name == "hanging" {
				timeout = 300 * time.Millisecond
			}
			n, url := twoFailing(t, addr, tc.https, timeout)
			for range 8 { // four for each node without an ejection
				if resp, err := http.Get(url); err == nil { // an answer without a header is an error for net/http
					resp.Body.Close()
				}
			}
			obs := errorLog(t, n.ErrorLog(), time.Now(), longEjection)
			want := 0
			if tc.counts && !tc.quotes {
				want = 3
			}
			if got := failuresOf(obs, addr).RunOfWorker; got != want {
				t.Errorf("the log has %d failures, want %d:\n%s", got, want, read(t, n.ErrorLog()))
			}
			if ejected := states(t, obs)[addr] == probes.ServerDown; ejected != tc.counts {
				t.Errorf("ejected: got %v, want %v:\n%s", ejected, tc.counts, read(t, n.ErrorLog()))
			}
		})
	}
}

// TestNginxForgetsFailuresBySuccess: failures that are more than fail_timeout apart add
// up as long as no request to the server succeeds in between.
func TestNginxForgetsFailuresBySuccess(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a fail_timeout to pass")
	}
	t.Parallel()
	for _, succeeds := range []bool{false, true} {
		t.Run(fmt.Sprintf("succeeds=%v", succeeds), func(t *testing.T) {
			t.Parallel()
			var well atomic.Bool
			addr := listen(t, func(c *net.TCPConn) {
				if well.Load() {
					respond("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
				}
			})
			servers := append([]Server{{Addr: addr, MaxFails: 2, FailTimeout: time.Second}}, nodes(t, "alive")...)
			n := Nginx(t, NginxConfig{Servers: servers})
			askBoth := func() { get(t, n.URL()); get(t, n.URL()) }
			askBoth()
			<-time.After(3 * time.Second)
			if succeeds {
				well.Store(true)
				askBoth()
				well.Store(false)
			}
			askBoth()
			if got, want := strings.Contains(read(t, n.ErrorLog()), disabled), !succeeds; got != want {
				t.Errorf("ejected: got %v, want %v:\n%s", got, want, read(t, n.ErrorLog()))
			}
		})
	}
}

// twoFailing starts an nginx in front of a failing server, which it ejects after three failures, and a
// healthy one. timeout is its read time-out.
func twoFailing(tb testing.TB, failing string, https bool, timeout time.Duration) (n *NginxBalancer, url string) {
	tb.Helper()
	scheme := "http"
	if https {
		scheme = "https"
	}
	alive, addr := nodes(tb, "alive"), FreeAddr(tb)
	n = Nginx(tb, NginxConfig{Servers: alive, ExtraServers: fmt.Sprintf(`
upstream failing {
	server %[2]s max_fails=3 fail_timeout=60s;
	server %[3]s max_fails=0;
}
server {
	listen %[1]s;
	location / {
		proxy_pass %[4]s://failing;
		proxy_read_timeout %[5]dms;
	}
}`, addr, failing, alive[0].Addr, scheme, timeout.Milliseconds())})
	return n, "http://" + addr + "/"
}

// listen calls serve for every connection after a request, or half of one, has arrived,
// and then closes the connection.
func listen(tb testing.TB, serve func(*net.TCPConn)) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(tb, err)
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				http.ReadRequest(bufio.NewReader(io.LimitReader(conn, 4<<10)))
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

// respond answers with a text.
func respond(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) { io.WriteString(c, text) }
}

func failuresOf(obs probes.EvidenceObservation, server string) probes.Failures {
	for _, s := range obs.Servers {
		if s.Server == server {
			return s.Failures
		}
	}
	return probes.Failures{}
}
