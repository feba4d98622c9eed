package demo

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// Engine.IO 4 as socket.io 4 serves it, with its default intervals.
const (
	pingInterval = 25 * time.Second
	pingTimeout  = 20 * time.Second

	packetSeparator = "\x1e"
)

// An engineError is the body of an Engine.IO error, sent with status 400.
type engineError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// The errors of the protocol.
var (
	errTransport = engineError{0, "Transport unknown"}
	errSID       = engineError{1, "Session ID unknown"}
	errMethod    = engineError{2, "Bad handshake method"}
	errRequest   = engineError{3, "Bad request"}
	errVersion   = engineError{5, "Unsupported protocol version"}
)

// serveEngineIO serves one request of a client. Only the process that opened a socket
// knows it, so the balancer must be sticky.
func (n *Node) serveEngineIO(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	transport, sid := query.Get("transport"), query.Get("sid")
	sockets := n.process.Load().sockets
	if query.Get("EIO") != "4" {
		refuse(w, errVersion)
		return
	}
	var s *socket
	if sid != "" {
		if s = sockets.get(sid); s == nil || n.Faults().ForgetSockets {
			refuseFor(w, transport, errSID)
			return
		}
	}
	switch {
	case transport == "websocket":
		sockets.serveWebSocket(w, r, s)
	case transport != "polling":
		refuse(w, errTransport)
	case s != nil && !s.on(transport):
		refuse(w, errRequest)
	case s == nil && r.Method != http.MethodGet:
		refuse(w, errMethod)
	case s == nil:
		writePackets(w, sockets.open("polling").handshake("websocket"))
	case r.Method == http.MethodGet:
		sockets.servePoll(w, r, s)
	case r.Method == http.MethodPost:
		sockets.servePost(w, r, s)
	default:
		refuse(w, errRequest)
	}
}

// servePoll answers with the packets for the client, and waits until there are any.
func (ss *sockets) servePoll(w http.ResponseWriter, r *http.Request, s *socket) {
	packets, ok := s.poll(r.Context())
	if !ok { // a second poll at the same time: the real server closes the client as well
		ss.close(s)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	writePackets(w, packets...)
}

// servePost receives packets from the client.
func (ss *sockets) servePost(w http.ResponseWriter, r *http.Request, s *socket) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	for packet := range strings.SplitSeq(string(body), packetSeparator) {
		ss.receive(s, packet)
	}
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "ok")
}

func writePackets(w http.ResponseWriter, packets ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	io.WriteString(w, strings.Join(packets, packetSeparator))
}

// refuse sends an error to a polling client.
func refuse(w http.ResponseWriter, e engineError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(e)
}

// refuseFor sends an error to a client of either transport. A WebSocket client gets the
// bare message.
func refuseFor(w http.ResponseWriter, transport string, e engineError) {
	if transport != "websocket" {
		refuse(w, e)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusBadRequest)
	io.WriteString(w, e.Message)
}
