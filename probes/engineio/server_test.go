package engineio

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A node is an Engine.IO server that is as strict as real ones: it knows only its own
// sessions, and two concurrent polls end a session.
type node struct {
	eio     revision
	rejects string // the EIO that it refuses
	polls   bool   // false: WebSocket only
	upgrade bool   // offers the WebSocket
	name    string // beginning of its session ids

	sockets sync.WaitGroup // open WebSockets, whose close may be in flight
	mu      sync.Mutex
	queue   map[string][]string // packets for each session
	events  []string
}

func newNode(eio revision, name string) *node {
	return &node{eio: eio, polls: true, upgrade: true, name: name, queue: map[string][]string{}}
}

func (n *node) note(event string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, event)
}

func (n *node) seen() []string {
	n.sockets.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.events)
}

func complain(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"code":%d,"message":%q}`, code, message)
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	sid, socket := q.Get("sid"), q.Get("transport") == "websocket"
	n.mu.Lock()
	_, known := n.queue[sid]
	n.mu.Unlock()
	switch {
	case r.URL.Path != "/socket.io/":
		http.NotFound(w, r)
	case q.Get("EIO") == n.rejects:
		complain(w, 5, "Unsupported protocol version")
	case !socket && !n.polls:
		complain(w, 0, "Transport unknown")
	case sid == "" && socket:
		n.socket(w, r, "")
	case sid == "":
		io.WriteString(w, n.open())
	case !known && socket:
		http.Error(w, "Session ID unknown", http.StatusBadRequest)
	case !known:
		complain(w, 1, "Session ID unknown")
	case socket:
		n.socket(w, r, sid)
	case r.Method == http.MethodPost:
		n.receive(w, r, sid)
	default:
		n.poll(w, r, sid)
	}
}

func (n *node) opening(sid string) string {
	upgrades := ""
	if n.upgrade {
		upgrades = `"websocket"`
	}
	return fmt.Sprintf(`0{"sid":%q,"upgrades":[%s],"pingInterval":25000,"pingTimeout":20000}`, sid, upgrades)
}

func (n *node) open() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	sid := fmt.Sprintf("%-16sAA%02d", strings.Repeat(n.name, 16)[:16], len(n.queue))
	n.queue[sid] = nil
	n.events = append(n.events, "open")
	if n.eio == eio3 {
		return n.eio.encode(n.opening(sid), packetConnect)
	}
	return n.eio.encode(n.opening(sid))
}

func (n *node) receive(w http.ResponseWriter, r *http.Request, sid string) {
	body, _ := io.ReadAll(r.Body)
	packets := n.eio.decode(string(body))
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range packets {
		n.events = append(n.events, "post "+p)
		switch p {
		case packetConnect:
			n.queue[sid] = append(n.queue[sid], `40{"sid":"x"}`)
		case packetPing:
			n.queue[sid] = append(n.queue[sid], "3")
		case packetClose:
			delete(n.queue, sid)
		}
	}
	io.WriteString(w, "ok")
}

// poll waits, as real servers do, until there is a packet.
func (n *node) poll(w http.ResponseWriter, r *http.Request, sid string) {
	n.mu.Lock()
	packets := n.queue[sid]
	n.queue[sid] = nil
	n.events = append(n.events, "poll")
	n.mu.Unlock()
	if len(packets) == 0 {
		<-r.Context().Done()
		return
	}
	io.WriteString(w, n.eio.encode(packets...))
}

func (n *node) socket(w http.ResponseWriter, r *http.Request, sid string) {
	n.sockets.Add(1)
	defer n.sockets.Done()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	if sid == "" {
		conn.Write(r.Context(), websocket.MessageText, []byte(n.opening(n.name+"-straight")))
	}
	for {
		_, packet, err := conn.Read(r.Context())
		if err != nil {
			n.note("socket ends: " + fmt.Sprint(websocket.CloseStatus(err)))
			return
		}
		n.note("socket " + string(packet))
		if string(packet) == packetPingProbe {
			conn.Write(r.Context(), websocket.MessageText, []byte(packetPongProbe))
		}
	}
}

// handshake serves handler and performs a handshake with it.
func handshake(t *testing.T, handler http.Handler) probes.HandshakeObservation {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	return handshakeURL(t, server.URL, 10*time.Second)
}

func handshakeURL(t *testing.T, raw string, timeout time.Duration) probes.HandshakeObservation {
	t.Helper()
	client := probes.NewClient(probes.Target{URL: must.URL(raw), Timeout: timeout})
	return Handshake(t.Context(), client, probes.HandshakeRequest{Path: "/socket.io/"})
}
