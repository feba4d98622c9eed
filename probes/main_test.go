package probes

import (
	"context"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"stickwatch/internal/must"
	"stickwatch/probes/internal/tcptest"

	"go.uber.org/goleak"
)

// TestMain checks that no goroutine is left, and resolves names on loopback.
func TestMain(m *testing.M) {
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go answerNames(names)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := net.Dial("udp", names.LocalAddr().String())
		if err == nil { // an abandoned look-up would wait several seconds for its answer
			context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}}
	code := m.Run()
	names.Close()
	if err := goleak.Find(); code == 0 && err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// The known names. The name server does not answer for silent.example.
var addresses = map[string][]net.IP{
	"\x03two\x07example\x00":  {{127, 0, 0, 2}, {127, 0, 0, 1}, {127, 0, 0, 2}},
	"\x03ten\x07example\x00":  {{127, 0, 0, 1}, {127, 0, 0, 2}, {127, 0, 0, 3}, {127, 0, 0, 4}, {127, 0, 0, 5}, {127, 0, 0, 6}, {127, 0, 0, 7}, {127, 0, 0, 8}, {127, 0, 0, 9}, {127, 0, 0, 10}},
	"\x04shop\x07example\x00": {{127, 0, 0, 1}},
}

// answerNames is a name server (RFC 1035, section 4).
func answerNames(conn net.PacketConn) {
	buf := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		name, rest, _ := strings.Cut(string(buf[12:n]), "\x00")
		name += "\x00"
		if strings.HasPrefix(name, "\x06silent") {
			continue
		}
		ips, known := addresses[name]
		if isA := rest[1] == 1; !isA {
			ips = nil
		}
		header := []byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}
		if !known {
			header[3] |= 3 // no such name
		}
		binary.BigEndian.PutUint16(header[6:], uint16(len(ips)))
		answer := slices.Concat(header, []byte(name+rest[:4]))
		for _, ip := range ips {
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
			answer = append(answer, ip.To4()...)
		}
		conn.WriteTo(answer, from)
	}
}

// quiet is the log of servers whose clients fail on purpose.
var quiet = log.New(io.Discard, "", 0)

// ample is a timeout that does not end in a test, short one that does.
const (
	ample = 30 * time.Second
	short = 150 * time.Millisecond
)

// serve runs handle for every connection until the test ends, and returns its URL.
func serve(t testing.TB, handle func(net.Conn)) *url.URL {
	t.Helper()
	return &url.URL{Scheme: "http", Host: tcptest.Serve(t, handle)}
}

// web serves HTTP until the test ends.
func web(t testing.TB, handle http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewUnstartedServer(handle)
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(server.Close)
	return must.URL(server.URL)
}

// closed returns an address on which nothing listens.
func closed(t testing.TB) *url.URL {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	listener.Close()
	return &url.URL{Scheme: "http", Host: listener.Addr().String()}
}

// extractorFunc is a function as an Extractor.
type extractorFunc func(Document) string

func (e extractorFunc) Extract(doc Document) (string, bool) {
	v := e(doc)
	return v, v != ""
}

// tomcatSession is the session test of a Tomcat behind a balancer.
var tomcatSession = &Session{
	Path:   "/cluster/index.jsp",
	Policy: PolicyReplicated,
	Cookie: "JSESSIONID",
	Node: extractorFunc(func(doc Document) string {
		_, route, _ := strings.Cut(doc.Cookies["JSESSIONID"], ".")
		return route
	}),
	ID: extractorFunc(func(doc Document) string {
		id, _, _ := strings.Cut(doc.Cookies["JSESSIONID"], ".")
		return id
	}),
	Write: "/cluster/index.jsp?key1={value}",
	Read: extractorFunc(func(doc Document) string {
		_, value, _ := strings.Cut(string(doc.Body), "key1=")
		return value
	}),
}

// checkPresentable fails the test unless ex can be shown: bounded clean lines, an error
// exactly if there is a failure, and phases that add up to at most the total.
func checkPresentable(t testing.TB, ex Exchange) {
	t.Helper()
	if (ex.Failure == "") != (ex.Error == "") {
		t.Errorf("got failure %q with error %q, want both or none", ex.Failure, ex.Error)
	}
	if ex.Failure == "" && ex.Status == 0 {
		t.Error("got neither a failure nor a status")
	}
	texts := []string{ex.Error, ex.Redirect, ex.Label, ex.Store, ex.Value, ex.Version}
	for _, r := range ex.Rejected {
		texts = append(texts, r.Name, r.Has, r.Asks)
	}
	for _, text := range texts {
		if len(text) > MaxValue || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
			t.Errorf("got %q, want one clean line of at most %d bytes", text, MaxValue)
		}
	}
	if sum := ex.Timing.DNS + ex.Timing.Connect + ex.Timing.TLS + ex.Timing.FirstByte; sum > ex.Timing.Total {
		t.Errorf("got phases %+v, want them to add up to at most the total", ex.Timing)
	}
}

// fetch sends one request to the target, and fails the test unless the exchange is
// presentable.
func fetch(t testing.TB, target Target, q pageRequest) (Exchange, Document) {
	t.Helper()
	if q.path == "" {
		q.path = "/"
	}
	ex, doc := NewClient(target).ask(t.Context(), q)
	checkPresentable(t, ex)
	return ex, doc
}
