package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// shownID returns the session id on the generic page.
func shownID(t *testing.T, r reply) string {
	t.Helper()
	return between(t, r.Body, "<th>sessionid</th><td>", "<")
}

func TestSessionStays(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	v := newBrowser(t)
	first := v.get(n.URL() + "/cluster/test?key1=41")
	again := v.get(n.URL() + "/cluster/test")
	if a, b := shownID(t, first), shownID(t, again); a != b {
		t.Errorf("the id changed from %q to %q", a, b)
	}
	if !strings.Contains(again.Body, "key1=41\n") || again.Header.Get("Set-Cookie") != "" {
		t.Errorf("the value is gone, or the cookie was set again:\n%v\n%s", again.Header, again.Body)
	}
}

// TestSessionFaults checks how faults and restarts change a session that contains 41.
func TestSessionFaults(t *testing.T) {
	tests := []struct {
		name   string
		store  Store
		breaks func(*Node) error
		kept   bool
		shows  string
	}{
		{"none", nil, set(NodeFaults{}), true, "key1=41\n"},
		{"forgetful", nil, set(NodeFaults{Forgetful: true}), false, ""},
		{"rollback", nil, set(NodeFaults{Rollback: true}), true, "key1=40\n"},
		{"private", NewStore(), set(NodeFaults{Private: true}), false, ""},
		{"restarted", nil, (*Node).Restart, false, ""},
		{"restarted, with a store of its own", NewStore(), (*Node).Restart, true, "key1=41\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := startNode(t, NodeConfig{ID: "node1", Store: tt.store})
			v := newBrowser(t)
			before := v.get(n.URL() + "/cluster/test?key1=41")
			must.Succeed(t, tt.breaks(n))
			after := v.get(n.URL() + "/cluster/test")
			if kept := shownID(t, before) == shownID(t, after); kept != tt.kept {
				t.Errorf("id kept: %v, want %v", kept, tt.kept)
			}
			if shows := strings.Contains(after.Body, "key1="); shows != (tt.shows != "") || !strings.Contains(after.Body, tt.shows) {
				t.Errorf("want %q in:\n%s", tt.shows, after.Body)
			}
		})
	}
}

func set(f NodeFaults) func(*Node) error {
	return func(n *Node) error {
		n.Set(f)
		return nil
	}
}

func TestSpoiltCookies(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{CookiePath: "/elsewhere", CookieSecure: true})
	v := newBrowser(t)
	first, again := v.get(n.URL()+"/cluster/test"), v.get(n.URL()+"/cluster/test")
	if shownID(t, first) == shownID(t, again) {
		t.Error("the session stayed")
	}
	if got, want := first.Header.Get("Set-Cookie"), "; Path=/elsewhere; HttpOnly; Secure"; !strings.HasSuffix(got, want) {
		t.Errorf("cookie %q, want it to end in %q", got, want)
	}
}

// TestTomcatChangesTheRoute checks that a session that moves to another node gets that
// node's route, keeps its id and values, and does not move back by itself.
func TestTomcatChangesTheRoute(t *testing.T) {
	store := NewStore()
	nodes := []*Node{
		startNode(t, NodeConfig{ID: "tomcat1", Store: store}),
		startNode(t, NodeConfig{ID: "tomcat2", Store: store}),
	}
	v := newBrowser(t)
	var got []string
	for _, step := range []struct {
		node  int
		query string
	}{{0, "?key1=41"}, {0, ""}, {1, ""}, {1, ""}, {0, ""}} {
		r := v.get(nodes[step.node].URL() + "/cluster/index.jsp" + step.query)
		cookie := r.Header.Get("Set-Cookie")
		_, route, _ := strings.Cut(between(t, cookie+";", "", ";"), ".")
		got = append(got, fmt.Sprintf("%d %q %v", step.node, route, strings.Contains(r.Body, "key1=41\n")))
	}
	want := []string{`0 "tomcat1" true`, `0 "" true`, `1 "tomcat2" true`, `1 "" true`, `0 "tomcat1" true`}
	expect.Equal(t, "node, route set, value kept", want, got)
}

func TestMemcachedFailover(t *testing.T) {
	var name atomic.Value
	name.Store("n1")
	n := startNode(t, NodeConfig{ID: "tomcat1", Memcached: func(context.Context) string { return name.Load().(string) }})
	v := newBrowser(t)
	before := between(t, v.get(n.URL()+"/index.jsp").Body, "SessionID:", "<")
	name.Store("n2")
	after := between(t, v.get(n.URL()+"/index.jsp").Body, "SessionID:", "<")
	if want := strings.Replace(before, "-n1.", "-n2.", 1); after != want || after == before {
		t.Errorf("id %q became %q, want %q", before, after, want)
	}
}

type brokenStore struct{}

func (brokenStore) Get(context.Context, string) (Session, bool, error) {
	return nil, false, errors.New("gone")
}
func (brokenStore) Put(context.Context, string, Session) error { return errors.New("gone") }

func TestStoreFails(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1", Store: brokenStore{}})
	if r := newBrowser(t).get(n.URL() + "/cluster/test"); r.Status != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", r.Status)
	}
}

func TestStoreIsBounded(t *testing.T) {
	m := NewStore()
	for i := range maxSessions + 1 {
		must.Succeed(t, m.Put(t.Context(), fmt.Sprint(i), Session{}))
	}
	for id, want := range map[string]bool{"0": false, "1": true, fmt.Sprint(maxSessions): true} {
		if _, known, _ := m.Get(t.Context(), id); known != want {
			t.Errorf("session %s known: %v, want %v", id, known, want)
		}
	}
}

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
