package demo

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSessionFaultsSpareNewClients checks that new clients are served during faults
// that affect clients with a session.
func TestSessionFaultsSpareNewClients(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults SessionFaults
		query  string // query of the second request
		want   int    // its status
		shows  string
	}{
		{"returning clients get 419", SessionFaults{ReturningStatus: 419}, "", 419, "419"},
		{"storing fails", SessionFaults{StoringStatus: 500}, "?key1=1", 500, "500"},
		{"reading goes on while storing fails", SessionFaults{StoringStatus: 500}, "", 200, "node1"},
		{"a login is asked for", SessionFaults{LoginRedirect: true}, "", 302, "/login"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := startNode(t, NodeConfig{ID: "node1"})
			n.Set(NodeFaults{SessionFaults: tt.faults})
			v := newBrowser(t)
			if first := v.get(n.URL() + "/cluster/test"); first.Status != http.StatusOK || !strings.Contains(first.Body, "node1") {
				t.Errorf("the first request: got %d\n%s", first.Status, first.Body)
			}
			if got := v.get(n.URL() + "/cluster/test" + tt.query); got.Status != tt.want || !strings.Contains(got.Body, tt.shows) {
				t.Errorf("got %d, want %d and %q in\n%s", got.Status, tt.want, tt.shows, got.Body)
			}
		})
	}
}

func TestErrorPage(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{SessionFaults: SessionFaults{ErrorPage: true}})
	got := newBrowser(t).get(n.URL() + "/cluster/test")
	if got.Status != http.StatusOK || strings.Contains(got.Body, "node1") || got.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %d, %v\n%s", got.Status, got.Header, got.Body)
	}
}

// TestAdoptIDs checks that a node that adopts ids shows a session that it did not open.
func TestAdoptIDs(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{SessionFaults: SessionFaults{AdoptIDs: true}})
	made := strings.Repeat("AB12", 8)
	v := newBrowser(t, "Cookie: SESSIONID="+made)
	if got := shownID(t, v.get(n.URL()+"/cluster/test?key1=41")); got != made {
		t.Errorf("got %q, want %q", got, made)
	}
	if got := v.get(n.URL() + "/cluster/test"); !strings.Contains(got.Body, "key1=41\n") {
		t.Errorf("the value is gone:\n%s", got.Body)
	}
}

// TestOverwrites checks that a client reads the value of another one.
func TestOverwrites(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{SessionFaults: SessionFaults{Overwrites: true}})
	a, b := newBrowser(t), newBrowser(t)
	a.get(n.URL() + "/cluster/test?key1=41")
	b.get(n.URL() + "/cluster/test?key1=99")
	if got := a.get(n.URL() + "/cluster/test"); !strings.Contains(got.Body, "key1=99\n") {
		t.Errorf("want the other client's value in\n%s", got.Body)
	}
}

// TestIdleStore checks that a session in use is kept, and an idle one is deleted.
func TestIdleStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx := NewIdleStore(12*time.Second), context.Background()
		store.Put(ctx, "used", Session{"key1": "1"})
		store.Put(ctx, "idle", Session{"key1": "1"})
		for range 4 {
			time.Sleep(5 * time.Second)
			if _, known, _ := store.Get(ctx, "used"); !known {
				t.Fatal("the session that is used is gone")
			}
		}
		if _, known, _ := store.Get(ctx, "idle"); known {
			t.Error("the idle session is still there")
		}
	})
}
