package web

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Live tells browsers that a cluster's picture has changed, by server-sent
// events. It says which, not what: whoever looks fetches the page again, so a
// browser that missed ten changes catches up with one request.
//
// For the same reason nothing queues up. A listener holds the set of clusters
// that changed since it was last written to, and Publish never waits.
type Live struct {
	// boot tells this process's events from another's: revisions begin anew.
	boot string

	mu        sync.Mutex
	revision  uint64
	listeners map[*listener]struct{}
	addresses map[netip.Prefix]int // how many listeners each has
	closed    bool
}

// A listener is one browser.
type listener struct {
	from    netip.Prefix
	changed map[string]struct{} // under Live.mu
	wake    chan struct{}       // holds one; closed when Live is
}

// Bounds of what listeners take.
const (
	maxListeners   = 256              // browsers at a time; more are told to come back
	maxOfAddress   = 64               // of them from one address, which may be a proxy's: nobody alone may keep all others out
	heartbeat      = 15 * time.Second // after which silence is broken, so that proxies and dead peers show
	writeDeadline  = 10 * time.Second // for one event; a browser that takes longer is let go and will come back
	reconnectAfter = 3 * time.Second  // after which a browser is to reconnect
)

// NewLive returns a Live without listeners.
func NewLive() *Live {
	return &Live{boot: rand.Text()[:8], listeners: map[*listener]struct{}{}, addresses: map[netip.Prefix]int{}}
}

// Publish tells everybody who listens that a cluster's picture has changed.
func (l *Live) Publish(cluster string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revision++
	for who := range l.listeners {
		who.changed[cluster] = struct{}{}
		select {
		case who.wake <- struct{}{}:
		default:
		}
	}
}

// Close ends every stream and lets no new one begin.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for who := range l.listeners {
		close(who.wake)
	}
	clear(l.listeners)
}

// ServeHTTP streams changes until either side has enough.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who := l.subscribe(addressOf(r))
	if who == nil {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many listen already", http.StatusServiceUnavailable)
		return
	}
	defer l.unsubscribe(who)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	out := stream{w: w, control: http.NewResponseController(w)}
	// Who shows an older revision than this has missed a change: while the page
	// was on its way, or while the connection was down.
	if out.hello() != nil || out.event(l.Revision(), nil) != nil {
		return
	}
	l.serve(r, who, out)
}

func (l *Live) serve(r *http.Request, who *listener, out stream) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			err = out.comment()
		case _, open := <-who.wake:
			if !open {
				return
			}
			id, clusters := l.drain(who)
			err = out.event(id, clusters)
		}
		if err != nil {
			return
		}
	}
}

// addressOf is from where somebody listens: of IPv6 a network, within which one
// machine may choose.
func addressOf(r *http.Request) netip.Prefix {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := peer.Addr().Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	network, _ := address.Prefix(bits) // of a length that the address has: no error
	return network
}

// subscribe adds a listener; nil: there are too many, in all or from there, or no more
// are wanted.
func (l *Live) subscribe(from netip.Prefix) *listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.listeners) >= maxListeners || l.addresses[from] >= maxOfAddress {
		return nil
	}
	l.addresses[from]++
	who := &listener{from: from, changed: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	l.listeners[who] = struct{}{}
	return who
}

func (l *Live) unsubscribe(who *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, who)
	if l.addresses[who.from]--; l.addresses[who.from] == 0 {
		delete(l.addresses, who.from)
	}
}

// drain empties what has changed for a listener.
func (l *Live) drain(who *listener) (id string, clusters []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clusters = slices.Sorted(maps.Keys(who.changed))
	clear(who.changed)
	return l.id(), clusters
}

// Revision names the newest change. It is another with every change, and in
// every process.
func (l *Live) Revision() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id()
}

func (l *Live) id() string { return fmt.Sprintf("%s-%d", l.boot, l.revision) }

// A stream writes server-sent events, each within the deadline.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s stream) hello() error {
	return s.write(fmt.Appendf(nil, "retry: %d\n\n", reconnectAfter.Milliseconds()))
}

func (s stream) comment() error { return s.write([]byte(":\n\n")) }

// event tells which clusters changed to come to a revision.
func (s stream) event(id string, clusters []string) error {
	data, err := json.Marshal(clusters)
	if err != nil {
		return err
	}
	return s.write(fmt.Appendf(nil, "id: %s\nevent: changed\ndata: %s\n\n", id, data))
}

func (s stream) write(text []byte) error {
	err := s.control.SetWriteDeadline(time.Now().Add(writeDeadline))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}
