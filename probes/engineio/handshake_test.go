package engineio

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHandshake(t *testing.T) {
	whole := probes.HandshakeObservation{Opened: true, Known: true, Offered: true, Upgraded: true}
	polled := probes.HandshakeObservation{Opened: true, Known: true}
	socket := []string{"socket 2probe", "socket 5", "socket 41", "socket 1", "socket ends: StatusNormalClosure"}
	for name, tc := range map[string]struct {
		change func(*node)
		eio    revision
		want   probes.HandshakeObservation
		events []string
	}{
		"EIO 4": {func(*node) {}, eio4, whole, append([]string{"open", "post 40", "poll"}, socket...)},
		"EIO 3": {func(*node) {}, eio3, whole, append([]string{"open", "post 2", "poll"}, socket...)},
		"EIO 3 that refuses 4": {
			func(n *node) { n.rejects = "4" }, eio3, whole,
			append([]string{"open", "post 2", "poll"}, socket...),
		},
		"EIO 4 without upgrades": {
			func(n *node) { n.upgrade = false }, eio4, polled,
			[]string{"open", "post 40", "poll", "post 1"},
		},
		"EIO 3 without upgrades": {
			func(n *node) { n.upgrade = false }, eio3, polled,
			[]string{"open", "post 2", "poll", "post 1"},
		},
		"WebSocket only": {
			func(n *node) { n.polls = false }, eio4,
			probes.HandshakeObservation{Opened: true, Known: true, Offered: true, Upgraded: true},
			[]string{"socket 41", "socket 1", "socket ends: StatusNormalClosure"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(tc.eio, "n")
			tc.change(n)
			expect.Equal(t, "observation", tc.want, handshake(t, n), cmp.Comparer(sameAddress))
			expect.Equal(t, "events", tc.events, n.seen())
		})
	}
}

// sequence is a balancer that sends request i to nodes[order[i]], and all later ones to
// the last.
func sequence(nodes []*node, order ...int) http.Handler {
	var count atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := min(int(count.Add(1)), len(order)) - 1
		nodes[order[i]].ServeHTTP(w, r)
	})
}

func TestHandshakeNotSticky(t *testing.T) {
	const unknown = `the node that received this request does not know the new session: HTTP status 400, "Session ID unknown"`
	for name, tc := range map[string]struct {
		order []int
		stage string
	}{
		"at the POST":    {[]int{0, 1}, stagePoll},
		"at the poll":    {[]int{0, 0, 1}, stagePoll},
		"at the upgrade": {[]int{0, 0, 0, 1}, stageUpgrade},
	} {
		for _, eio := range []revision{eio3, eio4} {
			t.Run(name+", EIO "+string(eio), func(t *testing.T) {
				nodes := []*node{newNode(eio, "a"), newNode(eio, "b")}
				want := probes.HandshakeObservation{
					Opened: true, Offered: true, Stage: tc.stage, Status: http.StatusBadRequest, Error: unknown,
				}
				expect.Equal(t, "result", want, handshake(t, sequence(nodes, tc.order...)), cmp.Comparer(sameAddress))
			})
		}
	}
}

// TestHandshakeStickyCookie has a balancer that sends every request without its cookie
// to the next node.
func TestHandshakeStickyCookie(t *testing.T) {
	nodes := []*node{newNode(eio4, "a"), newNode(eio4, "b")}
	var count atomic.Int64
	got := handshake(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, err := r.Cookie("route")
		if err != nil {
			route = &http.Cookie{Name: "route", Value: []string{"a", "b"}[count.Add(1)%2], Path: "/"}
			http.SetCookie(w, route)
		}
		nodes[strings.Index("ab", route.Value)].ServeHTTP(w, r)
	}))
	want := probes.HandshakeObservation{Opened: true, Known: true, Offered: true, Upgraded: true}
	expect.Equal(t, "result", want, got, cmp.Comparer(sameAddress))
}

// TestHandshakeThroughCache has a cache that answers a URL with what it answered before, as
// some do that ignore Cache-Control. Clients do not meet it, because no two of their polls
// have the same URL.
func TestHandshakeThroughCache(t *testing.T) {
	n := newNode(eio4, "n")
	var seen sync.Map
	through := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, again := seen.LoadOrStore(r.Method+r.URL.RequestURI(), true); again && r.Method == http.MethodGet {
			t.Errorf("%s was asked twice, and the second answer comes from a cache", r.URL.RequestURI())
		}
		n.ServeHTTP(w, r)
	})
	for range 2 {
		if got := handshake(t, through); !got.Upgraded {
			t.Errorf("got %+v, want a whole handshake", got)
		}
	}
}

// TestHandshakeHeaders: every request, including the upgrade, goes to the pinned
// address with the target's Host, the client header and the endpoint's own query.
func TestHandshakeHeaders(t *testing.T) {
	n := newNode(eio4, "n")
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		got := []string{r.Host, r.Header.Get("X-Client"), r.Header.Get("User-Agent"), r.URL.Query().Get("token")}
		expect.Equal(t, r.URL.Query().Get("transport"), []string{"shop.example", "10.0.1.1", "stickwatch", "t"}, got)
		n.ServeHTTP(w, r)
	}))
	defer server.Close()
	u := must.URL("http://balancer.invalid")
	address := addressOf(t, server)
	obs := Handshake(t.Context(), probes.NewClient(probes.Target{
		URL: u, Address: address, Host: "shop.example", KeyHeader: "X-Client", Key: "10.0.1.1", Timeout: 10 * time.Second,
	}), probes.HandshakeRequest{Path: "/socket.io/?token=t"})
	want := probes.HandshakeObservation{
		Opened: true, Known: true, Offered: true, Upgraded: true,
	}
	expect.Equal(t, "result", want, obs, cmp.Comparer(sameAddress))
	if requests.Load() != 4 {
		t.Errorf("got %d requests, want 4", requests.Load())
	}
}

func TestHandshakeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	u := must.URL(server.URL)
	obs := Handshake(ctx, probes.NewClient(probes.Target{URL: u}), probes.HandshakeRequest{Path: "/socket.io/"})
	if obs.Stage != stageOpen || obs.Error != "stickwatch was interrupted" {
		t.Errorf("got stage %q, error %q", obs.Stage, obs.Error)
	}
}
