package demo

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// The frames of RFC 6455 that an Engine.IO server needs. Fragmented messages are
// refused, because packets of a monitor are short.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA

	maxFrame = 64 << 10
)

// serveWebSocket upgrades s to a WebSocket, or opens a new session when s is nil.
func (ss *sockets) serveWebSocket(w http.ResponseWriter, r *http.Request, s *socket) {
	ws, err := acceptWebSocket(w, r)
	if err != nil {
		refuseFor(w, "websocket", errRequest)
		return
	}
	defer panics.AfterContext(r.Context(), panics.Daemon, func() { ws.conn.Close() })()
	defer ws.conn.Close()
	if s == nil {
		s = ss.open("websocket")
		ws.text(s.handshake())
	}
	stop := ws.keepAlive(r.Context())
	defer stop()
	for {
		packet, err := ws.read()
		switch {
		case err != nil:
			if s.on("websocket") { // else the client continues polling
				ss.close(s)
			}
			return
		case packet == "2probe":
			ws.text("3probe")
			s.release()
			continue
		case packet == "5":
			s.upgrade()
		default:
			ss.receive(s, packet)
		}
		if s.on("websocket") {
			ws.text(s.fetch()...)
		}
	}
}

// A webSocket is the server's end of a connection.
type webSocket struct {
	conn net.Conn
	r    *bufio.Reader
	mu   sync.Mutex // guards writes
}

// acceptWebSocket answers the opening handshake. On error it has not answered the
// request.
func acceptWebSocket(w http.ResponseWriter, r *http.Request) (*webSocket, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(nonce) != 16 || !wantsUpgrade(r) || r.Header.Get("Sec-WebSocket-Version") != "13" {
		return nil, errors.New("not the opening of a WebSocket")
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking over the connection: %w", err)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455, section 1.3
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	return &webSocket{conn: conn, r: rw.Reader}, nil
}

// wantsUpgrade reports whether r requests a WebSocket.
func wantsUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade")
}

// keepAlive sends Engine.IO pings to the client until stop is called.
func (ws *webSocket) keepAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg panics.Group
	wg.Go(func() {
		for sleep.For(ctx, pingInterval) {
			ws.text("2")
		}
	})
	return func() { cancel(); wg.Wait() }
}

// read returns the next text message. It returns io.EOF after a close frame.
func (ws *webSocket) read() (string, error) {
	for {
		ws.conn.SetReadDeadline(time.Now().Add(pingInterval + pingTimeout))
		op, payload, err := ws.readFrame()
		switch {
		case err != nil:
			return "", err
		case op == opText:
			return string(payload), nil
		case op == opPing:
			ws.write(opPong, payload)
		case op == opClose:
			ws.write(opClose, payload)
			return "", io.EOF
		}
	}
}

// readFrame reads a masked, unfragmented frame.
func (ws *webSocket) readFrame() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(ws.r, head[:]); err != nil {
		return 0, nil, err
	}
	length := int(head[1] & 0x7f)
	if length == 126 {
		var long [2]byte
		if _, err := io.ReadFull(ws.r, long[:]); err != nil {
			return 0, nil, err
		}
		length = int(binary.BigEndian.Uint16(long[:]))
	}
	final, masked := head[0]&0x80 != 0, head[1]&0x80 != 0
	if !final || !masked || head[1]&0x7f == 127 {
		return 0, nil, errors.New("a frame in parts, unmasked or too long")
	}
	buf := make([]byte, 4+length) // the mask comes first
	if _, err := io.ReadFull(ws.r, buf); err != nil {
		return 0, nil, err
	}
	payload = buf[4:]
	for i := range payload {
		payload[i] ^= buf[i%4]
	}
	return head[0] & 0x0f, payload, nil
}

// text sends packets, one per frame. A write error shows up in the next read.
func (ws *webSocket) text(packets ...string) {
	for _, packet := range packets {
		ws.write(opText, []byte(packet))
	}
}

func (ws *webSocket) write(op byte, payload []byte) {
	frame := []byte{0x80 | op}
	if len(payload) < 126 {
		frame = append(frame, byte(len(payload)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(min(len(payload), maxFrame-1)))
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.conn.SetWriteDeadline(time.Now().Add(pingTimeout))
	ws.conn.Write(append(frame, payload[:min(len(payload), maxFrame-1)]...))
}
