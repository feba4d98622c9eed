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

// Live notifies browsers of changed clusters by server-sent events. An event contains the
// names of the clusters and no data: the browser fetches the page again, so that one request
// is enough after any number of missed events.
//
// Events do not queue up. A listener stores the set of clusters that changed since its last
// event, and Publish never blocks.
type Live struct {
	// processID distinguishes the revisions of this process from those of others.
	processID string

	mu        sync.Mutex
	revision  uint64
	listeners map[*listener]struct{}
	addresses map[netip.Prefix]int // number of listeners by address
	closed    bool
}

// A listener is the connection of one browser.
type listener struct {
	from    netip.Prefix
	changed map[string]struct{} // guarded by Live.mu
	wake    chan struct{}       // capacity 1; closed by Live.Close
}

// Limits of listeners.
const (
	maxListeners   = 256              // concurrent browsers; others are asked to retry
	maxPerAddress  = 64               // from one address, which may be a proxy, so that one client cannot take all places
	heartbeat      = 15 * time.Second // interval of comments that keep proxies from closing the connection and detect dead peers
	writeDeadline  = 10 * time.Second // for one event; slower browsers are disconnected and reconnect
	reconnectAfter = 3 * time.Second  // delay of a browser's reconnect
)

// NewLive returns a Live without listeners.
func NewLive() *Live {
	return &Live{processID: rand.Text()[:8], listeners: map[*listener]struct{}{}, addresses: map[netip.Prefix]int{}}
}

// Publish notifies all listeners that a cluster has changed.
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

// close ends every stream and rejects new ones.
func (l *Live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for who := range l.listeners {
		close(who.wake)
	}
	clear(l.listeners)
}

// ServeHTTP streams changes until the client or the server closes the connection.
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
	w.Header().Set("X-Accel-Buffering", "no") // nginx would buffer events
	out := stream{w: w, control: http.NewResponseController(w)}
	// A browser with an older revision missed a change, while it loaded the page or was
	// disconnected.
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

// addressOf returns the source of a listener: an IPv4 address, or an IPv6 network, because a
// machine can use any address in its network.
func addressOf(r *http.Request) netip.Prefix {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := peer.Addr().Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	network, _ := address.Prefix(bits) // bits is valid for the address, so there is no error
	return network
}

// subscribe adds a listener. It returns nil if a limit is reached or Live is closed.
func (l *Live) subscribe(from netip.Prefix) *listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.listeners) >= maxListeners || l.addresses[from] >= maxPerAddress {
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

// drain returns and clears the changed clusters of a listener.
func (l *Live) drain(who *listener) (id string, clusters []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clusters = slices.Sorted(maps.Keys(who.changed))
	clear(who.changed)
	return l.id(), clusters
}

// Revision identifies the newest change. It is unique over all processes.
func (l *Live) Revision() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id()
}

func (l *Live) id() string { return fmt.Sprintf("%s-%d", l.processID, l.revision) }

// A stream writes server-sent events, each with a deadline.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s stream) hello() error {
	return s.write(fmt.Appendf(nil, "retry: %d\n\n", reconnectAfter.Milliseconds()))
}

func (s stream) comment() error { return s.write([]byte(":\n\n")) }

// event sends the clusters that changed up to a revision.
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
