package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

const polling = "/socket.io/?EIO=4&transport=polling"

// opening opens a session by polling and returns its sid.
func opening(t *testing.T, v *browser, url string) string {
	t.Helper()
	return openPacket(t, v.get(url+polling).Body).SID
}

type openedSocket struct {
	SID          string
	Upgrades     []string
	PingInterval int
	PingTimeout  int
	MaxPayload   int
}

func openPacket(t *testing.T, packet string) openedSocket {
	t.Helper()
	var o openedSocket
	text, found := strings.CutPrefix(packet, "0")
	if err := json.Unmarshal([]byte(text), &o); err != nil || !found {
		t.Fatalf("got %q, want an open packet (%v)", packet, err)
	}
	return o
}

func TestEngineIOPolling(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	v := newBrowser(t)
	opened := openPacket(t, v.get(n.URL()+polling).Body)
	want := openedSocket{opened.SID, []string{"websocket"}, 25000, 20000, 1 << 20}
	if diff := cmp.Diff(want, opened); diff != "" || len(opened.SID) != 20 {
		t.Errorf("open packet with sid %q (-want +got):\n%s", opened.SID, diff)
	}
	url := n.URL() + polling + "&sid=" + opened.SID
	if r := v.do(http.MethodPost, url, "40\x1e42[\"hello\"]"); r.Status != http.StatusOK || r.Body != "ok" {
		t.Errorf("connecting: %d %q, want 200 ok", r.Status, r.Body)
	}
	if r := v.get(url); !strings.HasPrefix(r.Body, `40{"sid":"`) {
		t.Errorf("polling: got %q, want the answer to 40", r.Body)
	}
	v.do(http.MethodPost, url, "40/admin,")
	if r := v.get(url); r.Body != `44/admin,{"message":"Invalid namespace"}` {
		t.Errorf("polling: got %q, want an invalid namespace", r.Body)
	}
	s := readStatus(t, n)
	if diff := cmp.Diff(statusCounts{1, 1, 1}, s.Main.Connections); diff != "" || s.Main.Messages.Processed != 1 {
		t.Errorf("%d messages, want 1; connections (-want +got):\n%s", s.Main.Messages.Processed, diff)
	}
	v.do(http.MethodPost, url, "1")
	if r := v.get(url); r.Status != http.StatusBadRequest {
		t.Errorf("polling after the goodbye: %d, want 400", r.Status)
	}
}

func TestEngineIORefuses(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	tests := []struct{ method, query, want string }{
		{"GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", `{"code":1,"message":"Session ID unknown"}` + "\n"},
		{"POST", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", `{"code":1,"message":"Session ID unknown"}` + "\n"},
		{"GET", "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA", "Session ID unknown"},
		{"GET", "EIO=4&transport=pigeon", `{"code":0,"message":"Transport unknown"}` + "\n"},
		{"POST", "EIO=4&transport=polling", `{"code":2,"message":"Bad handshake method"}` + "\n"},
		{"GET", "EIO=4&transport=websocket", "Bad request"},
		{"GET", "EIO=3&transport=polling", `{"code":5,"message":"Unsupported protocol version"}` + "\n"},
	}
	for _, tt := range tests {
		r := newBrowser(t).do(tt.method, n.URL()+"/socket.io/?"+tt.query, "")
		if r.Status != http.StatusBadRequest || r.Body != tt.want {
			t.Errorf("%s %s: %d %q, want 400 %q", tt.method, tt.query, r.Status, r.Body, tt.want)
		}
	}
}

// TestEngineIOForgets checks that only the process that opened a session knows it.
func TestEngineIOForgets(t *testing.T) {
	n, other := startNode(t, NodeConfig{ID: "node1"}), startNode(t, NodeConfig{ID: "node2"})
	v := newBrowser(t)
	known := func(n *Node, sid string) bool {
		return v.do(http.MethodPost, n.URL()+polling+"&sid="+sid, "3").Status == http.StatusOK
	}
	sid := opening(t, v, n.URL())
	if !known(n, sid) || known(other, sid) {
		t.Error("want the sid known to its node, and not to the other")
	}
	n.Set(NodeFaults{ForgetSockets: true})
	if known(n, sid) {
		t.Error("the sid is known, want it forgotten")
	}
	n.Set(NodeFaults{})
	must.Succeed(t, n.Restart())
	if known(n, sid) {
		t.Error("the sid is known after a restart")
	}
}

func TestEngineIOTwoPollsAtOnce(t *testing.T) {
	ss := newSockets()
	s := ss.open("polling")
	if !s.enter() || s.enter() {
		t.Fatal("want the first poll in and the second refused")
	}
	if _, ok := s.poll(t.Context()); ok {
		t.Error("a second poll was served")
	}
}

// dialWebSocket requests a WebSocket from addr, and returns the status of the answer, too. The
// connection is nil if it was refused.
func dialWebSocket(t *testing.T, addr, query string) (*websocket.Conn, int) {
	t.Helper()
	c, answer, err := websocket.Dial(t.Context(), "ws://"+addr+"/socket.io/?EIO=4&transport=websocket"+query, nil)
	if answer == nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, answer.StatusCode
}

func sendPacket(t *testing.T, c *websocket.Conn, packet string) {
	t.Helper()
	must.Succeed(t, c.Write(t.Context(), websocket.MessageText, []byte(packet)))
}

func receivePacket(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	_, packet, err := c.Read(t.Context())
	must.Succeed(t, err)
	return string(packet)
}

func TestEngineIOUpgrade(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	v := newBrowser(t)
	sid := opening(t, v, n.URL())
	c, _ := dialWebSocket(t, n.Addr(), "&sid="+sid)
	sendPacket(t, c, "2probe")
	expect.Equal(t, "probing", "3probe", receivePacket(t, c))
	sendPacket(t, c, "5")
	sendPacket(t, c, "40")
	if got := receivePacket(t, c); !strings.HasPrefix(got, `40{"sid":"`) {
		t.Errorf("connecting: got %q, want the answer to 40", got)
	}
	if r := v.get(n.URL() + polling + "&sid=" + sid); r.Status != http.StatusBadRequest {
		t.Errorf("polling after the upgrade: %d, want 400", r.Status)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("closing: %v", err)
	}
	until(t, "the session ends with its WebSocket", func() bool { return n.process.Load().sockets.get(sid) == nil })
}

func TestEngineIOByWebSocketAlone(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	c, _ := dialWebSocket(t, n.Addr(), "")
	if o := openPacket(t, receivePacket(t, c)); len(o.Upgrades) != 0 || o.SID == "" {
		t.Errorf("got %+v, want a sid and no upgrades", o)
	}
	n.Stop()
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the WebSocket outlives its node")
	}
}

func TestPollIsPingedAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := newSockets().open("polling"), time.Now()
		packets, ok := s.poll(t.Context())
		if diff := cmp.Diff([]string{"2"}, packets); diff != "" || !ok {
			t.Errorf("packets (-want +got):\n%s", diff)
		}
		if waited := time.Since(began); waited != pingInterval {
			t.Errorf("waited %v, want %v", waited, pingInterval)
		}
	})
}

func TestPollEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(s *socket, leave func())
		want []string
	}{
		{"with a packet", func(s *socket, _ func()) { s.send("42") }, []string{"42"}},
		{"for an upgrade", func(s *socket, _ func()) { s.release() }, []string{"6"}},
		{"when the client leaves", func(_ *socket, leave func()) { leave() }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				s := newSockets().open("polling")
				go func() {
					synctest.Wait() // until the poll below waits
					tt.end(s, leave)
				}()
				packets, _ := s.poll(ctx)
				expect.Equal(t, "packets", tt.want, packets)
			})
		})
	}
}

func TestSilentSocketsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss := newSockets()
		silent, talking := ss.open("polling"), ss.open("polling")
		time.Sleep(30 * time.Second) // virtual time
		ss.receive(talking, "3")
		time.Sleep(30 * time.Second)
		ss.open("polling")
		if ss.get(silent.id) != nil || ss.get(talking.id) == nil {
			t.Error("want the silent one forgotten, and the other kept")
		}
		expect.Equal(t, "counts", statusCounts{Total: 3, Current: 2, Max: 2}, ss.counts())
	})
}

// TestSocketIDsCount checks the last four characters of ids, a counter by which
// monitors distinguish processes.
func TestSocketIDsCount(t *testing.T) {
	ss := newSockets()
	var got []string
	for range 3 {
		id := ss.open("polling").id
		got = append(got, id[len(id)-4:])
	}
	expect.Equal(t, "ends of ids", []string{"AAAA", "AAAB", "AAAC"}, got)
}
