package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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
	_ = json.NewEncoder(w).Encode(e)
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

// maxSockets limits the clients of a process. Random ones are dropped.
const maxSockets = 10_000

// sockets are the Engine.IO clients of a process.
type sockets struct {
	messages atomic.Int64

	mu     sync.Mutex
	byID   map[string]*socket
	opened uint32
	most   int // maximum at the same time
}

func newSockets() *sockets { return &sockets{byID: make(map[string]*socket)} }

// open creates a socket, and drops those that have expired.
func (ss *sockets) open(transport string) *socket {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	now := time.Now()
	for id, s := range ss.byID {
		if len(ss.byID) >= maxSockets || now.Sub(s.lastSeen()) > pingInterval+pingTimeout {
			delete(ss.byID, id)
		}
	}
	s := &socket{id: newSocketID(ss.opened), transport: transport, wake: make(chan struct{}, 1)}
	s.touch()
	ss.byID[s.id] = s
	ss.opened++
	ss.most = max(ss.most, len(ss.byID))
	return s
}

func (ss *sockets) get(id string) *socket {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.byID[id]
}

func (ss *sockets) close(s *socket) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.byID, s.id)
}

func (ss *sockets) counts() statusCounts {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return statusCounts{Total: int64(ss.opened), Current: len(ss.byID), Max: ss.most}
}

// receive handles one packet from a client.
func (ss *sockets) receive(s *socket, packet string) {
	s.touch()
	switch {
	case packet == "1" || packet == "41": // close, or disconnect from the only namespace
		ss.close(s)
	case strings.HasPrefix(packet, "40/"):
		namespace, _, _ := strings.Cut(packet[len("40"):], ",")
		s.send("44" + namespace + `,{"message":"Invalid namespace"}`)
	case strings.HasPrefix(packet, "40"):
		s.send("40" + encode(map[string]string{"sid": newSocketID(0)}))
	case strings.HasPrefix(packet, "4"):
		ss.messages.Add(1)
	}
}

// A socket is one client.
type socket struct {
	id   string
	seen atomic.Int64  // time of its last packet, in Unix nanoseconds
	wake chan struct{} // holds a token when there may be packets to fetch

	mu        sync.Mutex
	transport string // "polling" or "websocket"
	queue     []string
	polled    bool // a poll is waiting
}

// on reports whether the client uses a transport.
func (s *socket) on(transport string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport == transport
}

// upgrade switches to WebSocket.
func (s *socket) upgrade() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transport = "websocket"
}

func (s *socket) touch()              { s.seen.Store(time.Now().UnixNano()) }
func (s *socket) lastSeen() time.Time { return time.Unix(0, s.seen.Load()) }

// handshake returns the packet that opens a session.
func (s *socket) handshake(upgrades ...string) string {
	if upgrades == nil {
		upgrades = []string{}
	}
	return "0" + encode(map[string]any{
		"sid": s.id, "upgrades": upgrades, "maxPayload": maxBody,
		"pingInterval": pingInterval.Milliseconds(), "pingTimeout": pingTimeout.Milliseconds(),
	})
}

// maxQueue limits the packets that wait for a client.
const maxQueue = 64

func (s *socket) send(packet string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) < maxQueue {
		s.queue = append(s.queue, packet)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fetch returns and removes the packets that wait for the client.
func (s *socket) fetch() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	packets := s.queue
	s.queue = nil
	return packets
}

// poll waits for packets, at most until the next ping. It returns false when another
// poll is waiting.
func (s *socket) poll(ctx context.Context) (packets []string, ok bool) {
	if !s.enter() {
		return nil, false
	}
	defer s.leave()
	ping := time.NewTimer(pingInterval)
	defer ping.Stop()
	for {
		if packets := s.fetch(); len(packets) > 0 {
			return packets, true
		}
		select {
		case <-s.wake:
		case <-ping.C:
			return []string{"2"}, true
		case <-ctx.Done():
			return nil, true
		}
	}
}

func (s *socket) enter() bool {
	s.touch()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polled {
		return false
	}
	s.polled = true
	return true
}

func (s *socket) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polled = false
}

// release ends a waiting poll with a no-op packet, so that a client can change the
// transport.
func (s *socket) release() {
	s.mu.Lock()
	waiting := s.polled
	s.mu.Unlock()
	if waiting {
		s.send("6")
	}
}

// newSocketID returns an id in Engine.IO's default format: 15 bytes in base64, the last
// four characters of which count the sockets of the process.
func newSocketID(count uint32) string {
	var id [15]byte
	rand.Read(id[:11])
	binary.BigEndian.PutUint32(id[11:], count)
	return base64.URLEncoding.EncodeToString(id[:])
}

// encode returns v, a map of plain values, as JSON.
func encode(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
