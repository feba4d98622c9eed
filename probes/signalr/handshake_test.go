package signalr

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A node is a server as the specification of transports demands: it knows only its own
// connections, and a connection has one transport.
type node struct {
	name       string
	transports string // offered, each in quotes after "transport":

	mu    sync.Mutex
	polls map[string]int // by token: polls so far; -1: it is a WebSocket
	open  int
}

func newNode(name string) *node {
	return &node{name: name, transports: `{"transport":"WebSockets"},{"transport":"ServerSentEvents"},{"transport":"LongPolling"}`, polls: map[string]int{}}
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	token := r.URL.Query().Get("id")
	polls, known := n.polls[token]
	switch {
	case r.URL.Path == "/hub/negotiate" && r.Method == http.MethodPost:
		n.open++
		token = fmt.Sprintf("%s+secret/%d", n.name, n.open)
		n.polls[token] = 0
		fmt.Fprintf(w, `{"negotiateVersion":1,"connectionId":"public","connectionToken":%q,"availableTransports":[%s]}`, token, n.transports)
	case r.URL.Path != "/hub" || !known:
		http.Error(w, "No Connection with that ID", http.StatusNotFound)
	case r.Header.Get("Upgrade") != "":
		if polls != 0 {
			w.WriteHeader(http.StatusConflict)
			return
		}
		n.polls[token] = -1
		serveSocket(w, r)
	case r.Method == http.MethodDelete:
		delete(n.polls, token)
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPost:
		if text, _ := io.ReadAll(r.Body); string(text) != hello {
			w.WriteHeader(http.StatusBadRequest)
		}
	default:
		if n.polls[token]++; polls > 0 {
			_, _ = io.WriteString(w, accepted)
		}
	}
}

func serveSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	if _, text, err := conn.Read(r.Context()); err == nil && string(text) == hello {
		_ = conn.Write(r.Context(), websocket.MessageText, []byte(accepted))
	}
}

// roundRobin sends each request to the next node.
func roundRobin(nodes ...http.Handler) http.Handler {
	var requests atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nodes[int(requests.Add(1)-1)%len(nodes)].ServeHTTP(w, r)
	})
}

// noUpgrade is a proxy that does not pass the Upgrade header.
func noUpgrade(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestHandshake(t *testing.T) {
	only := func(transport string) *node {
		n := newNode("one")
		n.transports = `{"transport":"` + transport + `"}`
		return n
	}
	for _, test := range []struct {
		name   string
		server http.Handler
		want   probes.HandshakeObservation
	}{
		{"healthy", newNode("one"), probes.HandshakeObservation{Opened: true, Known: true, Offered: true, Upgraded: true}},
		{"polling only", only(longPolling), probes.HandshakeObservation{Opened: true, Known: true}},
		{"WebSockets only", only(webSockets), probes.HandshakeObservation{Opened: true, Known: true, Offered: true, Upgraded: true}},
		{"not sticky", roundRobin(newNode("one"), newNode("two")), probes.HandshakeObservation{
			Opened: true, Offered: true, Stage: "poll", Status: 404, Error: "the node that received this request does not know the new connection",
		}},
		{"WebSockets only, not sticky", roundRobin(only(webSockets), only(webSockets)), probes.HandshakeObservation{
			Opened: true, Offered: true, Stage: "upgrade", Status: 404, Error: "the node that received this request does not know the new connection",
		}},
		{"no upgrade", noUpgrade(newNode("one")), probes.HandshakeObservation{
			Opened: true, Known: true, Offered: true, Stage: "upgrade", Status: 400, Error: "the upgrade to WebSocket was refused: got HTTP status 400, want 101",
		}},
		{"no SignalR", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }), probes.HandshakeObservation{
			Stage: "open", Status: 200, Error: "no SignalR: the answer to the negotiation is no connection",
		}},
		{"nothing there", http.NotFoundHandler(), probes.HandshakeObservation{
			Stage: "open", Status: 404, Error: "no connection: the negotiation got HTTP status 404",
		}},
		{"elsewhere", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"url":"https://shop.service.signalr.net/client/?hub=shop","accessToken":"secret"}`)
		}), probes.HandshakeObservation{Opened: true, Known: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.server)
			defer server.Close()
			got := handshakeWith(t, server.URL)
			if strings.Contains(got.Error, "secret") {
				t.Errorf("the token is in %q", got.Error)
			}
			expect.Equal(t, "result", test.want, got, cmpopts.EquateComparable(netip.AddrPort{}))
		})
	}
}

func handshakeWith(t *testing.T, address string) probes.HandshakeObservation {
	t.Helper()
	at := must.URL(address)
	client := probes.NewClient(probes.Target{URL: at, Timeout: 10 * time.Second})
	return Handshake(t.Context(), client, probes.HandshakeRequest{Kind: probes.HandshakeSignalR, Path: "/hub"})
}

// TestNoAnswer checks that a server that closes every connection is reported without the
// address of the request.
func TestNoAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	if got := handshakeWith(t, server.URL); got.Stage != "open" || got.Status != 0 || got.Error == "" || strings.Contains(got.Error, "hub") {
		t.Errorf("got %+v, want an error at open without the URL", got)
	}
}
