package probes

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

// respond reads the request, writes text, and closes.
func respond(text string) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		io.WriteString(conn, text)
	}
}

// hang writes text and waits until the client closes.
func hang(text string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		io.Copy(io.Discard, conn)
	}
}

// flood writes text, and then block until the client closes.
func flood(text, block string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		data := bytes.Repeat([]byte(block), 1+(32<<10)/len(block))
		for {
			if _, err := conn.Write(data); err != nil {
				return
			}
		}
	}
}

// drip writes text, and then a byte every few milliseconds until the client closes.
func drip(text string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for range ticker.C {
			if _, err := conn.Write([]byte{'a'}); err != nil {
				return
			}
		}
	}
}

func reset(conn net.Conn) {
	readRequest(conn)
	conn.(*net.TCPConn).SetLinger(0)
}

func readRequest(conn net.Conn) { http.ReadRequest(bufio.NewReader(conn)) }

func zipped(size int) string {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(make([]byte, size))
	w.Close()
	return buf.String()
}

const head = "HTTP/1.1 200 OK\r\n"

// TestHostile checks the failure of each kind of broken or hostile server, and that
// none takes longer than the timeout or sends more than a bounded answer.
func TestHostile(t *testing.T) {
	tests := []struct {
		name    string
		handle  func(net.Conn)
		timeout time.Duration
		status  int
		failure Failure
	}{
		{"hangs", hang(""), short, 0, FailureTimeout},
		{"hangs after the headers", hang(head + "Content-Length: 5\r\n\r\n"), short, 200, FailureTimeout},
		{"drips", drip(""), short, 0, FailureTimeout},
		{"drips a header", drip(head + "A: "), short, 0, FailureTimeout},
		{"drips a body", drip(head + "\r\n"), short, 200, FailureTimeout},
		{"switches protocols and hangs", hang("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), ample, 0, FailureMalformed},

		{"closes at once", func(net.Conn) {}, ample, 0, FailureReset},
		{"closes after the request", readRequest, ample, 0, FailureReset},
		{"resets", reset, ample, 0, FailureReset},
		{"closes in the status line", respond("HTTP/1."), ample, 0, FailureMalformed},
		{"closes in the headers", respond(head + "Server:"), ample, 0, FailureReset},
		{"closes in the body", respond(head + "Content-Length: 50\r\n\r\nhello"), ample, 200, FailureReset},
		{"closes in a chunk", respond(head + "Transfer-Encoding: chunked\r\n\r\n50\r\nhello"), ample, 200, FailureReset},

		{"endless body", flood(head+"\r\n", "a"), ample, 200, ""},
		{"endless chunks", flood(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"), ample, 200, ""},
		{"gzip bomb", respond(head + "Content-Encoding: gzip\r\n\r\n" + zipped(16<<20)), ample, 200, ""},
		{"more than announced", respond(head + "Content-Length: 2\r\n\r\nhello"), ample, 200, ""},
		{"status 999", respond("HTTP/1.1 999 Unheard\r\n\r\n"), ample, 999, ""},
		{"empty", respond(head + "Content-Length: 0\r\n\r\n"), ample, 200, ""},
		{"a few 1xx first", respond(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 3) + head + "\r\n"), ample, 200, ""},

		{"endless headers", flood(head, "A: b\r\n"), ample, 0, FailureMalformed},
		{"endless header", flood(head+"A: ", "b"), ample, 0, FailureMalformed},
		{"10 MB header", respond(head + "A: " + strings.Repeat("b", 10<<20) + "\r\n\r\n"), ample, 0, FailureMalformed},
		{"flood of 1xx", flood("", "HTTP/1.1 102 Processing\r\n\r\n"), ample, 0, FailureMalformed},
		{"status 000", respond("HTTP/1.1 000 Nothing\r\n\r\n"), ample, 0, FailureMalformed},
		{"status 20", respond("HTTP/1.1 20 OK\r\n\r\n"), ample, 0, FailureMalformed},
		{"status -20", respond("HTTP/1.1 -20 OK\r\n\r\n"), ample, 0, FailureMalformed},
		{"status 2000", respond("HTTP/1.1 2000 OK\r\n\r\n"), ample, 0, FailureMalformed},
		{"HTTP/0.9", respond("<html>hello</html>\r\n"), ample, 0, FailureMalformed},
		{"another protocol", respond("-ERR unknown command\r\n"), ample, 0, FailureMalformed},
		{"sends first", hang("SSH-2.0-OpenSSH_9.6\r\n"), ample, 0, FailureMalformed},
		{"zeros", flood("", "\x00"), ample, 0, FailureMalformed},
		{"TLS alert", respond("\x15\x03\x01\x00\x02\x02\x0a"), ample, 0, FailureMalformed},
		{"terminal escapes", respond("HTTP/1.1 \x1b[2J\x1b]0;owned\x07 \u202egnihton\r\n\r\n"), ample, 0, FailureMalformed},
		{"nameless header", respond(head + ": b\r\n\r\n"), ample, 0, FailureMalformed},
		{"header without colon", respond(head + "ab\x1b[31m\r\n\r\n"), ample, 0, FailureMalformed},
		{"wrong Content-Length", respond(head + "Content-Length: many\r\n\r\n"), ample, 0, FailureMalformed},
		{"negative Content-Length", respond(head + "Content-Length: -1\r\n\r\n"), ample, 0, FailureMalformed},
		{"two Content-Lengths", respond(head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), ample, 0, FailureMalformed},
		{"unknown encoding", respond(head + "Transfer-Encoding: \x1b[31mx\r\n\r\n"), ample, 0, FailureMalformed},
		{"chunked nonsense", respond(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"), ample, 200, FailureMalformed},
		{"chunk too large", respond(head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n"), ample, 200, FailureMalformed},
		{"chunk extensions without end", flood(head+"Transfer-Encoding: chunked\r\n\r\n1;", "a"), ample, 200, FailureMalformed},
		{"gzip that is none", respond(head + "Content-Encoding: gzip\r\n\r\nhello hello hello"), ample, 200, FailureMalformed},
		{"gzip that breaks off", respond(head + "Content-Encoding: gzip\r\n\r\n" + zipped(1 << 20)[:99]), ample, 200, FailureReset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := serve(t, tt.handle)
			ex, doc := fetch(t, Target{URL: u, Timeout: tt.timeout}, pageRequest{follow: true, session: tomcatSession})
			if ex.Status != tt.status || ex.Failure != tt.failure {
				t.Errorf("got status %d, failure %q (%s), want %d, %q", ex.Status, ex.Failure, ex.Error, tt.status, tt.failure)
			}
			if ex.Address.String() != u.Host || !ex.LocalAddress.IsLoopback() {
				t.Errorf("got address %s and local address %s, want %s and loopback", ex.Address, ex.LocalAddress, u.Host)
			}
			if len(doc.Body) > MaxBody {
				t.Errorf("got a body of %d bytes, want at most %d", len(doc.Body), MaxBody)
			}
		})
	}
}

// TestFailureText checks the errors that people read.
func TestFailureText(t *testing.T) {
	gone := closed(t)
	hanging := serve(t, hang(""))
	tests := []struct {
		name    string
		target  Target
		failure Failure
		words   string
	}{
		{"refused", Target{URL: gone}, FailureRefused, gone.Host + ": connection refused"},
		{"no such name", Target{URL: must.URL("http://nowhere.invalid/")}, FailureDNS, "no such host"},
		{"silent name server", Target{URL: must.URL("http://silent.example/"), Timeout: short}, FailureDNS, "no answer within 150ms (looking up the name)"},
		{"hangs", Target{URL: hanging, Timeout: short}, FailureTimeout, "no answer within 150ms (waiting for an answer)"},
		{"hangs in TLS", Target{URL: must.URL("https://" + hanging.Host), Timeout: short}, FailureTimeout, "no answer within 150ms (TLS handshake)"},
		{"hangs in the body", Target{URL: serve(t, hang(head+"\r\n")), Timeout: short}, FailureTimeout, "no answer within 150ms (reading the answer)"},
		{"closes", Target{URL: serve(t, readRequest)}, FailureReset, "connection closed before the answer was complete (waiting for an answer)"},
		{"garbage", Target{URL: serve(t, respond("SSH-2.0-\x1b[31mOpenSSH\r\n"))}, FailureMalformed, "malformed HTTP response"},
		{"header line", Target{URL: serve(t, respond(head+"Set-Cookie JSESSIONID=0123456789ABCDEF\r\n\r\n"))}, FailureMalformed, "malformed MIME header"},
		{"own header value", Target{URL: hanging, KeyHeader: "X-Client", Key: "a\r\nX-Evil: b"}, FailureOther, `invalid header field value for "X-Client"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ex, _ := fetch(t, tt.target, pageRequest{})
			if ex.Failure != tt.failure || !strings.Contains(ex.Error, tt.words) || strings.Contains(ex.Error, "0123456789ABCDEF") {
				t.Errorf("got %q: %q, want %q: %q", ex.Failure, ex.Error, tt.failure, tt.words)
			}
		})
	}
}

func TestRefusedNamesAddress(t *testing.T) {
	u := closed(t)
	ex, _ := fetch(t, Target{URL: u}, pageRequest{})
	if diff := cmp.Diff(u.Host, ex.Address.String()); diff != "" || ex.LocalAddress.IsValid() {
		t.Errorf("address (-want +got):\n%s; local address %s, want none", diff, ex.LocalAddress)
	}
}
