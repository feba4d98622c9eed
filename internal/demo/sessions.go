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

// A Session contains the values that a client has stored.
type Session map[string]string

// A Store keeps sessions by id. Nodes with the same Store share their sessions.
type Store interface {
	// Get returns the session and whether it exists. The caller may change it.
	Get(ctx context.Context, id string) (Session, bool, error)
	// Put stores s, new or not.
	Put(ctx context.Context, id string, s Session) error
}

// maxSessions limits a MemoryStore, because monitors open sessions that nobody uses
// again.
const maxSessions = 10_000

// A MemoryStore is a Store in memory. When it is full, the least recently used session
// is deleted.
type MemoryStore struct {
	idle time.Duration // deletes sessions that are unused for this long; 0: never

	mu    sync.Mutex
	byID  map[string]*list.Element // elements of order
	order list.List                // of storedSession, the least recently used first
}

type storedSession struct {
	id     string
	values Session
	used   time.Time // time of the last use
}

// NewStore returns an empty MemoryStore.
func NewStore() *MemoryStore { return NewIdleStore(0) }

// NewIdleStore returns an empty MemoryStore that deletes sessions which are unused for
// the given time, like a store with too little memory.
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

// Clear deletes every session.
func (m *MemoryStore) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.byID)
	m.order.Init()
}

// A sessionCookie describes how one of the node's pages uses cookies.
type sessionCookie struct {
	cookie string
	path   string
	suffix string // part after the id in the cookie
}

type sessionRequest struct {
	ID     string // the id without suffix
	Cookie string // the id as in the cookie
	Session
}

// maxValue limits a value in a session, in bytes.
const maxValue = 256

// sessionKeys are the request parameters that are stored in the session, as the form of
// Tomcat's cluster test does.
var sessionKeys = []string{"key1", "key2"}

// openSession finds the session of r or opens one, stores the parameters of r, and sets
// the cookie if the client's is missing or outdated.
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

// find returns the session for a cookie's value. A suffix after the id, such as a route
// or a memcached node, is ignored.
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

// storeParameters stores r's parameters in s and reports whether there were any.
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
func (s sessionRequest) rollBack() {
	for key, value := range s.Session {
		if counter, err := strconv.Atoi(value); err == nil {
			s.Session[key] = strconv.Itoa(counter - 1)
		}
	}
}

// sessionID matches Tomcat's ids. Any other cookie value is not looked up in a store.
var sessionID = regexp.MustCompile(`^[0-9A-F]{32}$`)

func newSessionID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return strings.ToUpper(hex.EncodeToString(id[:]))
}
