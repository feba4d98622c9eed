package demo

import (
	"context"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// maxMessage bounds a message, in bytes. Packets of a monitor are short.
const maxMessage = 64 << 10

// serveWebSocket upgrades s to a WebSocket, or opens a new session when s is nil.
func (ss *sockets) serveWebSocket(w http.ResponseWriter, r *http.Request, s *socket) {
	if !wantsUpgrade(r) {
		refuseFor(w, "websocket", errRequest)
		return
	}
	// Engine.IO accepts clients of all origins
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxMessage)
	ws := webSocket{conn, r.Context()}
	if s == nil {
		s = ss.open("websocket")
		ws.send(s.handshake())
	}
	stop := ws.keepAlive()
	defer stop()
	for {
		packet, err := ws.receive()
		switch {
		case err != nil:
			if s.on("websocket") { // else the client continues polling
				ss.close(s)
			}
			return
		case packet == "2probe":
			ws.send("3probe")
			s.release()
			continue
		case packet == "5":
			s.upgrade()
		default:
			ss.receive(s, packet)
		}
		if s.on("websocket") {
			ws.send(s.fetch()...)
		}
	}
}

// wantsUpgrade reports whether r requests a WebSocket.
func wantsUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade")
}

// A webSocket is the server's end of a connection, until ctx ends.
type webSocket struct {
	conn *websocket.Conn
	ctx  context.Context
}

// keepAlive sends Engine.IO pings to the client until stop is called.
func (ws webSocket) keepAlive() (stop func()) {
	ctx, cancel := context.WithCancel(ws.ctx)
	var wg panics.Group
	wg.Go(func() {
		for sleep.For(ctx, pingInterval) {
			ws.send("2")
		}
	})
	return func() { cancel(); wg.Wait() }
}

// receive returns the next packet. A silent client is an error.
func (ws webSocket) receive() (string, error) {
	ctx, cancel := context.WithTimeout(ws.ctx, pingInterval+pingTimeout)
	defer cancel()
	_, packet, err := ws.conn.Read(ctx)
	return string(packet), err
}

// send sends packets, one per message. An error shows up in the next receive.
func (ws webSocket) send(packets ...string) {
	ctx, cancel := context.WithTimeout(ws.ctx, pingTimeout)
	defer cancel()
	for _, packet := range packets {
		_ = ws.conn.Write(ctx, websocket.MessageText, []byte(packet))
	}
}
