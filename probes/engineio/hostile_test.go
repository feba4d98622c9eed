package engineio

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func sameAddress(a, b netip.AddrPort) bool { return a == b }

func addressOf(t *testing.T, server *httptest.Server) netip.AddrPort {
	t.Helper()
	address, err := netip.ParseAddrPort(server.Listener.Addr().String())
	must.Succeed(t, err)
	return address
}

// freshSID is the session id of the hostile servers.
const freshSID = "hostile+hostile/AAAA"

func opened(w io.Writer) {
	fmt.Fprintf(w, `0{"sid":%q,"upgrades":["websocket"]}`, freshSID)
}

// breaksAt answers correctly until the stage, in which it calls do.
func breaksAt(stage string, do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		at := stagePoll
		switch {
		case q.Get("sid") == "":
			at = stageOpen
		case q.Get("transport") == "websocket":
			at = stageUpgrade
		}
		switch {
		case at == stage:
			do(w, r)
		case at == stageOpen:
			opened(w)
		case r.Method == http.MethodPost:
			io.WriteString(w, "ok")
		default:
			io.WriteString(w, `40{"sid":"x"}`)
		}
	}
}

func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// flood writes until the client closes.
func flood(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := io.WriteString(w, strings.Repeat("0", 4<<10)); err != nil {
			return
		}
	}
}

// hang answers nothing. A server notices that its client has closed only after it has
// read the whole request.
func hang(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func hangUp(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

// raw answers with these bytes.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buffer, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		buffer.WriteString(text)
		buffer.Flush()
	}
}

// socket opens a WebSocket and passes it to do.
func socket(do func(*http.Request, *websocket.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		do(r, conn)
	}
}

func sendText(text string) func(*http.Request, *websocket.Conn) {
	return func(r *http.Request, conn *websocket.Conn) {
		conn.Write(r.Context(), websocket.MessageText, []byte(text))
		conn.Read(r.Context())
	}
}

func TestHandshakeBreaks(t *testing.T) {
	const page = "<html>\x1b[31m" + freshSID + "</html>"
	for name, tc := range map[string]struct {
		stage   string
		do      http.HandlerFunc
		status  int
		because string
	}{
		"not found":        {stageOpen, respond(404, page), 404, "no session: got HTTP status 404, 38 bytes of other content"},
		"a page":           {stageOpen, respond(200, page), 200, "no Engine.IO: got 38 bytes of other content, want an open packet"},
		"nothing":          {stageOpen, respond(200, ""), 200, "no Engine.IO: got 0 bytes of other content"},
		"redirect":         {stageOpen, respond(302, ""), 302, "no session: got HTTP status 302"},
		"bad gateway":      {stageOpen, respond(502, "no live upstreams"), 502, "no session: got HTTP status 502, 17 bytes of other content"},
		"forbidden":        {stageOpen, respond(403, `{"code":4,"message":"Forbidden"}`), 403, `"Forbidden"`},
		"no version fits":  {stageOpen, respond(400, `{"code":5,"message":"Unsupported protocol version"}`), 400, "Unsupported protocol version"},
		"open cut":         {stageOpen, respond(200, `0{"sid":"abc`), 200, "no Engine.IO"},
		"no sid":           {stageOpen, respond(200, `0{"upgrades":[]}`), 200, "no Engine.IO"},
		"huge sid":         {stageOpen, respond(200, `0{"sid":"`+strings.Repeat("a", 4<<10)+`"}`), 200, "no Engine.IO"},
		"control in sid":   {stageOpen, respond(200, `0{"sid":"a\u0000b"}`), 200, "no Engine.IO"},
		"huge length":      {stageOpen, respond(200, `99999999999999999999:0{}`), 200, "no Engine.IO"},
		"open floods":      {stageOpen, flood, 200, "no Engine.IO"},
		"open hangs up":    {stageOpen, hangUp, 0, "connection closed before the answer was complete (open)"},
		"open no HTTP":     {stageOpen, raw("SSH-2.0-OpenSSH\r\n"), 0, "malformed HTTP"},
		"poll 502":         {stagePoll, respond(502, page), 502, "the poll was refused: got HTTP status 502"},
		"poll 404":         {stagePoll, respond(404, page), 404, "the poll was refused"},
		"poll not ok":      {stagePoll, respond(200, page), 200, "the poll was refused"},
		"poll floods":      {stagePoll, flood, 200, "the poll was refused"},
		"poll hangs up":    {stagePoll, hangUp, 0, "connection closed before the answer was complete (poll)"},
		"poll, other text": {stagePoll, respond(400, `"Invalid session `+freshSID+`"`), 400, "bytes of other content"},
		"poll, sid cut":    {stagePoll, respond(400, strings.Repeat("x", probes.MaxError/2-10)+freshSID), 400, "bytes of other content"},
		"poll, sid hidden": {stagePoll, respond(400, `{"code":1,"message":"no \u0068ostile\u0000+hostile/AAAA"}`), 400, "bytes of other content"},
		"upgrade 200":      {stageUpgrade, respond(200, page), 200, "the upgrade to WebSocket was refused: got HTTP status 200"},
		"upgrade 400":      {stageUpgrade, respond(400, `{"code":3,"message":"Bad request"}`), 400, `got HTTP status 400, "Bad request", want status 101`},
		"upgrade 426":      {stageUpgrade, respond(426, ""), 426, "got HTTP status 426"},
		"upgrade 101 bare": {stageUpgrade, raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), 101, "not a WebSocket handshake"},
		"upgrade floods":   {stageUpgrade, flood, 200, "was refused"},
		"upgrade hangs up": {stageUpgrade, hangUp, 0, "connection closed before the answer was complete (upgrade)"},
		"socket wrong":     {stageUpgrade, socket(sendText("hello")), 101, "does not use Engine.IO"},
		"socket huge":      {stageUpgrade, socket(sendText(strings.Repeat("3", 64<<10))), 101, "read limited at"},
		"socket closes":    {stageUpgrade, socket(func(*http.Request, *websocket.Conn) {}), 101, "connection closed before the answer was complete (upgrade)"},
		"socket with reason": {stageUpgrade, socket(func(_ *http.Request, conn *websocket.Conn) {
			conn.Close(websocket.StatusPolicyViolation, "no "+freshSID)
		}), 101, "StatusPolicyViolation"},
	} {
		t.Run(name, func(t *testing.T) {
			got := handshake(t, breaksAt(tc.stage, tc.do))
			if !strings.Contains(got.Error, tc.because) {
				t.Errorf("got error %q, want %q in it", got.Error, tc.because)
			}
			checkFit(t, got)
			got.Error = ""
			want := probes.HandshakeObservation{
				Stage: tc.stage, Status: tc.status, Opened: tc.stage != stageOpen, Offered: tc.stage != stageOpen, Known: tc.stage == stageUpgrade,
			}
			expect.Equal(t, "result", want, got, cmp.Comparer(sameAddress))
		})
	}
}

func checkFit(t *testing.T, obs probes.HandshakeObservation) {
	t.Helper()
	if len(obs.Error) > probes.MaxError || strings.ContainsFunc(obs.Error, unicode.IsControl) {
		t.Errorf("got error %q, want one clean line", obs.Error)
	}
	if obs.Stage != stageOpen && strings.Contains(obs.Error, freshSID[:6]) {
		t.Errorf("got error %q, which shows the session id", obs.Error)
	}
}

func TestHandshakeEndsInTime(t *testing.T) {
	silent := socket(func(r *http.Request, conn *websocket.Conn) {
		for {
			if _, _, err := conn.Read(r.Context()); err != nil {
				return
			}
		}
	})
	for name, tc := range map[string]struct {
		stage string
		do    http.HandlerFunc
	}{
		"open":    {stageOpen, hang},
		"poll":    {stagePoll, hang},
		"upgrade": {stageUpgrade, hang},
		"socket":  {stageUpgrade, silent},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(breaksAt(tc.stage, tc.do))
			defer server.Close()
			defer server.CloseClientConnections()
			got, timeout := patiently(t, server.URL, func(got probes.HandshakeObservation) bool { return got.Stage == tc.stage })
			want := fmt.Sprintf("no answer within %s (%s)", timeout, tc.stage)
			if got.Stage != tc.stage || got.Error != want {
				t.Errorf("got stage %q, error %q, want stage %q, error %q", got.Stage, got.Error, tc.stage, want)
			}
		})
	}
}

// patiently makes a handshake with a longer timeout until it reaches what a test is about, which
// takes a busy machine a while.
func patiently(t *testing.T, url string, reached func(probes.HandshakeObservation) bool) (got probes.HandshakeObservation, timeout time.Duration) {
	t.Helper()
	const longest = 10 * time.Second
	for timeout = 100 * time.Millisecond; ; timeout *= 2 {
		if got = handshakeURL(t, url, timeout); reached(got) || timeout > longest {
			return got, timeout
		}
	}
}

// TestHandshakeEndsUnclosed has a server that answers the upgrade and does not answer
// the close.
func TestHandshakeEndsUnclosed(t *testing.T) {
	over := make(chan struct{})
	server := httptest.NewServer(breaksAt(stageUpgrade, socket(func(r *http.Request, conn *websocket.Conn) {
		conn.Read(r.Context())
		conn.Write(r.Context(), websocket.MessageText, []byte(packetPongProbe))
		<-over
	})))
	defer server.Close()
	defer close(over)
	if got, _ := patiently(t, server.URL, func(got probes.HandshakeObservation) bool { return got.Upgraded }); !got.Upgraded || got.Stage != "" {
		t.Errorf("got %+v, want an upgrade", got)
	}
}

func TestHandshakeRefusedConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	listener.Close()
	got := handshakeURL(t, "http://"+listener.Addr().String(), time.Second)
	if got.Opened || got.Stage != stageOpen || got.Status != 0 || !strings.Contains(got.Error, "refused") {
		t.Errorf("got %+v, want a refused connection at the open", got)
	}
}

// upgraded is a transport that answers every request with a correct upgrade, and then with
// these bytes. It opens no connection, because a fuzzer would use up the ports of the machine.
type upgraded []byte

func (u upgraded) RoundTrip(r *http.Request) (*http.Response, error) {
	key := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols, Request: r, Body: readWriter{bytes.NewReader(u)},
		Header: http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(key[:])},
		},
	}, nil
}

// A readWriter is a connection that accepts everything.
type readWriter struct{ io.Reader }

func (readWriter) Write(p []byte) (int, error) { return len(p), nil }
func (readWriter) Close() error                { return nil }

// FuzzFrames sends any bytes as the frames of a WebSocket, after a correct upgrade. A
// handshake must end, and must not take what is no Engine.IO for a success.
func FuzzFrames(f *testing.F) {
	frame := func(text string) string { return "\x81" + string(rune(len(text))) + text }
	for _, frames := range []string{
		frame("3probe"), frame("3probe") + "\x88\x00", frame(`0{"sid":"x"}`), "\x89\x00" + frame("3probe"), "\x01\x033pr\x80\x03obe",
		"\x81\x7e\xff\xff", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\xfe", "\xc1\x06junk..", "\x88\x02\x03\xe8", "\x83\x00", "",
	} {
		f.Add([]byte(frames))
	}
	f.Fuzz(func(t *testing.T, frames []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		client := probes.NewClient(probes.Target{URL: &url.URL{Scheme: "http", Host: "shop.example"}})
		client.HTTP().Transport = upgraded(frames)
		s := &session{client: client, path: "/socket.io/", jar: probes.NewJar(), eio: eio4, sid: freshSID}
		if err := s.upgrade(ctx); err == nil && !bytes.Contains(frames, []byte("probe")) && !bytes.Contains(frames, []byte("\x80")) {
			t.Errorf("%q counts as an upgrade", frames)
		}
		if err := s.openSocket(ctx); err == nil && !bytes.Contains(frames, []byte("{")) {
			t.Errorf("%q counts as an opened session", frames)
		}
		if ctx.Err() != nil {
			t.Errorf("%q held the handshake until its time-out", frames)
		}
	})
}
