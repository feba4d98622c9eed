package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/expect"
)

// A tap is the client of a stream within a synctest bubble.
type tap struct {
	header http.Header

	mu    sync.Mutex
	text  bytes.Buffer
	block chan struct{} // if not nil, writes wait for it
}

func (t *tap) Header() http.Header { return t.header }
func (t *tap) WriteHeader(int)     {}
func (t *tap) Flush()              {}
func (t *tap) Write(b []byte) (int, error) {
	if t.block != nil {
		<-t.block
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

// read returns the data since the last call.
func (t *tap) read() string {
	synctest.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.text.Reset()
	return t.text.String()
}

// listen streams from l until the test ends.
func listen(t *testing.T, l *Live) *tap {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &tap{header: http.Header{}}
	r := httptest.NewRequest(http.MethodGet, "/events", nil).WithContext(ctx)
	var done sync.WaitGroup
	done.Go(func() { l.ServeHTTP(w, r) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return w
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLive()
		l.Publish("before")
		browser := listen(t, l)
		revision := l.Revision()
		if want, got := "retry: 3000\n\nid: "+revision+"\nevent: changed\ndata: null\n\n", browser.read(); got != want {
			t.Errorf("at first got %q, want %q", got, want)
		}
		time.Sleep(2*heartbeat + time.Second)
		expect.Equal(t, "in silence", ":\n\n:\n\n", browser.read())
		l.Publish("shop")
		if want, got := "id: "+l.Revision()+"\nevent: changed\ndata: [\"shop\"]\n\n", browser.read(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		l.close()
		l.Publish("shop")
		expect.Equal(t, "after the end", "", browser.read())
	})
}

// TestLiveCoalesces: a slow browser gets one event for all missed changes, and delays nobody.
func TestLiveCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLive()
		slow := &tap{header: http.Header{}, block: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.ServeHTTP(slow, httptest.NewRequest(http.MethodGet, "/events", nil).WithContext(ctx))
		synctest.Wait()
		for range 1000 {
			l.Publish("shop")
			l.Publish("portal")
		}
		close(slow.block)
		events := strings.SplitAfter(slow.read(), "\n\n")
		want := "id: " + l.Revision() + "\nevent: changed\ndata: [\"portal\",\"shop\"]\n\n"
		if diff := cmp.Diff(want, events[len(events)-2]); diff != "" || len(events) > 4 {
			t.Errorf("got %d events (-want +got):\n%s", len(events), diff)
		}
	})
}

// TestLiveIsBounded: a listener above the limit is rejected, and accepted after another one
// left.
func TestLiveIsBounded(t *testing.T) {
	l := NewLive()
	var all []*listener
	for n := range maxListeners {
		all = append(all, l.subscribe(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 32)))
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/events", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	l.unsubscribe(all[0])
	if l.subscribe(netip.Prefix{}) == nil {
		t.Error("nobody may come after one has gone")
	}
	l.close()
	l.close()
	if l.subscribe(netip.Prefix{}) != nil {
		t.Error("somebody may come after the end")
	}
}

// TestLiveConnectionsPerAddress: one client, even with all addresses of its network, cannot take
// every place.
func TestLiveConnectionsPerAddress(t *testing.T) {
	l := NewLive()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	join := func(peer string) *listener {
		r := httptest.NewRequest(http.MethodGet, "/events", nil).WithContext(ctx)
		r.RemoteAddr = peer
		return l.subscribe(addressOf(r))
	}
	for _, peer := range []string{"10.0.0.7:%d", "[::ffff:10.0.0.7]:%d", "[2001:db8:0:1::%x]:50000"} {
		for n := range maxListeners {
			join(fmt.Sprintf(peer, n+1))
		}
	}
	if got := len(l.listeners); got != 2*maxPerAddress {
		t.Errorf("got %d listeners of two networks, want %d", got, 2*maxPerAddress)
	}
	one := join("10.0.0.8:50000")
	if one == nil {
		t.Fatal("another address is kept out")
	}
	for who := range l.listeners {
		l.unsubscribe(who)
	}
	if len(l.addresses) > 0 {
		t.Errorf("%d addresses are kept for ever", len(l.addresses))
	}
}
