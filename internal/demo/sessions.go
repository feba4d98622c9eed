package demo

import (
	"container/list"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Session is what a node keeps for a client: the values it was given.
type Session map[string]string

// A Store keeps sessions by id. Nodes with one Store between them share, or
// replicate, their sessions.
type Store interface {
	// Get returns the session, and whether there is one. The caller may change it.
	Get(ctx context.Context, id string) (Session, bool, error)
	// Put keeps s, new or not.
	Put(ctx context.Context, id string, s Session) error
}

// maxSessions bounds a MemoryStore: monitors open sessions and leave.
const maxSessions = 10_000

// A MemoryStore is a Store in memory. When it is full, the session goes that nobody
// has asked for for the longest time.
type MemoryStore struct {
	idle time.Duration // forgets sessions that nobody asked for for this long; 0: never

	mu    sync.Mutex
	byID  map[string]*list.Element // of order
	order list.List                // of storedSession, in the order of their last use
}

type storedSession struct {
	id     string
	values Session
	used   time.Time // last
}

// NewStore returns an empty MemoryStore.
func NewStore() *MemoryStore { return NewIdleStore(0) }

// NewIdleStore returns an empty MemoryStore that forgets sessions which nobody
// asked for for the given time, as one with too little memory does.
func NewIdleStore(idle time.Duration) *MemoryStore {
	return &MemoryStore{idle: idle, byID: make(map[string]*list.Element)}
}

// Get implements Store.
func (m *MemoryStore) Get(_ context.Context, id string) (Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byID[id]
	if !ok {
		return nil, false, nil
	}
	s := e.Value.(*storedSession)
	if m.idle > 0 && time.Since(s.used) > m.idle {
		return nil, false, nil
	}
	s.used = time.Now()
	m.order.MoveToBack(e)
	return maps.Clone(s.values), true, nil
}

// Put implements Store.
func (m *MemoryStore) Put(_ context.Context, id string, values Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, known := m.byID[id]; known {
		m.order.Remove(e)
	}
	m.byID[id] = m.order.PushBack(&storedSession{id, maps.Clone(values), time.Now()})
	if m.order.Len() > maxSessions {
		oldest := m.order.Remove(m.order.Front()).(*storedSession)
		delete(m.byID, oldest.id)
	}
	return nil
}

// A sessionCookie is how one of the node's faces keeps sessions with its clients.
type sessionCookie struct {
	cookie string
	path   string
	suffix string // what follows the id in the cookie
}

// A sessionRequest is a request with its session.
type sessionRequest struct {
	ID     string // the id without suffix
	Cookie string // the id as the cookie has it
	Session
}

// maxValue bounds what a session stores under a key, in bytes.
const maxValue = 256

// sessionKeys are the request parameters that are put into the session, as the
// form of Tomcat's cluster test does.
var sessionKeys = []string{"key1", "key2"}

// openSession finds the session of r or begins one, stores what r brings for it, and
// sets the cookie when the client's is not the right one (any more).
func (n *Node) openSession(w http.ResponseWriter, r *http.Request, k sessionCookie) (sessionRequest, error) {
	faults, store := n.Faults(), n.store()
	given := ""
	if cookie, err := r.Cookie(k.cookie); err == nil {
		given = cookie.Value
	}
	v, known, err := find(r.Context(), store, given)
	if err != nil {
		return sessionRequest{}, fmt.Errorf("reading a session: %w", err)
	}
	if faults.AdoptIDs && !known && adoptableID.MatchString(given) {
		v, known = sessionRequest{ID: withoutRoute(given), Session: Session{}}, true
	}
	if !known || faults.Forgetful {
		v, known = sessionRequest{ID: newSessionID(), Session: Session{}}, false
	}
	stored := storeParameters(v.Session, r)
	if stored || !known {
		if err := store.Put(r.Context(), v.ID, v.Session); err != nil {
			return sessionRequest{}, fmt.Errorf("storing a session: %w", err)
		}
	}
	if v.Cookie = v.ID + k.suffix; v.Cookie != given {
		http.SetCookie(w, faults.corruptCookie(&http.Cookie{Name: k.cookie, Value: v.Cookie, Path: k.path, HttpOnly: true}))
	}
	if faults.Overwrites {
		v.Session = n.process.Load().withLastStored(v.Session, stored)
	}
	if faults.Rollback {
		v.rollBack()
	}
	return v, nil
}

// find returns the session that a cookie's value names. Whatever follows the
// id there, a route or a memcached node, is of no account.
func find(ctx context.Context, store Store, cookie string) (sessionRequest, bool, error) {
	id := withoutRoute(cookie)
	if !sessionID.MatchString(id) {
		return sessionRequest{}, false, nil
	}
	s, known, err := store.Get(ctx, id)
	if s == nil {
		s = Session{}
	}
	return sessionRequest{ID: id, Session: s}, known, err
}

func withoutRoute(cookie string) string {
	if end := strings.IndexAny(cookie, ".-"); end >= 0 {
		return cookie[:end]
	}
	return cookie
}

// storeParameters puts r's parameters into s and reports whether there were any.
func storeParameters(s Session, r *http.Request) bool {
	changed := false
	for _, key := range sessionKeys {
		if value := r.FormValue(key); value != "" && len(value) <= maxValue {
			s[key], changed = value, true
		}
	}
	return changed
}

// rollBack shows counters as they were one write before.
func (v sessionRequest) rollBack() {
	for key, value := range v.Session {
		if counter, err := strconv.Atoi(value); err == nil {
			v.Session[key] = strconv.Itoa(counter - 1)
		}
	}
}

// sessionID is how Tomcat writes its ids. Anything else in a cookie is no
// session of ours, and reaches no store.
var sessionID = regexp.MustCompile(`^[0-9A-F]{32}$`)

func newSessionID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return strings.ToUpper(hex.EncodeToString(id[:]))
}
