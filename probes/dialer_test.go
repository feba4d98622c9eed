package probes

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// TestClusterDial: everything that is asked of a cluster goes over the connections
// that its Dial opens, to the address that was meant.
func TestClusterDial(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer server.Close()
	var mu sync.Mutex
	dialled := make(map[string]bool)
	node := Node{ID: "node1", URL: &url.URL{Scheme: "http", Host: "192.0.2.1:8001"}}
	front := &url.URL{Scheme: "http", Host: "192.0.2.9:80"}
	c := &Cluster{
		Balancer: Balancer{URLs: []*url.URL{front}}, Nodes: []Node{node}, Status: &Status{Path: "/status"}, Session: &Session{Path: "/"},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			dialled[addr] = true
			mu.Unlock()
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	through := Frontend{URL: front, Address: netip.MustParseAddrPort("192.0.2.9:80")}
	direct := Direct(t.Context(), c, node)
	canary := NewCanary(c, through, "", "", 0)
	for name, ex := range map[string]Exchange{
		"node": direct.Primary, "balancer": Through(t.Context(), c, through).Primary, "canary": canary.Open(t.Context()),
	} {
		if ex.Failure != "" {
			t.Errorf("%s: %s", name, ex.Error)
		}
	}
	if diff := cmp.Diff(map[string]bool{"192.0.2.1:8001": true, "192.0.2.9:80": true}, dialled); diff != "" {
		t.Errorf("dialled (-want +got):\n%s", diff)
	}
}

// TestConnWaits: whatever a peer says at once is heard after the first word to
// it, and a reader does not outlive the connection.
func TestConnWaits(t *testing.T) {
	for name, release := range map[string]func(net.Conn){
		"until spoken to": func(c net.Conn) { c.Write([]byte("GET")) },
		"until closed":    func(c net.Conn) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				c := newConn(near)
				defer c.Close()
				read := make(chan int, 1)
				go func() {
					n, _ := c.Read(make([]byte, 9))
					read <- n
				}()
				go io.WriteString(far, "SSH-2.0")
				go io.Copy(io.Discard, far)
				synctest.Wait()
				if len(read) > 0 {
					t.Error("it was heard before it was spoken to")
				}
				release(c)
				<-read
			})
		})
	}
}
