package demo

import (
	"sync"
	"time"
)

// A stickTable stores the server of each client address. When it is full, the oldest
// entry is deleted.
type stickTable struct {
	expire time.Duration // lifetime of an unused entry; 0: unlimited

	mu      sync.Mutex
	entries map[string]stickEntry
	order   []string // oldest first
}

type stickEntry struct {
	server string // name
	used   time.Time
}

func newStickTable(expire time.Duration) *stickTable {
	return &stickTable{expire: expire, entries: make(map[string]stickEntry)}
}

// server returns the name of the client's server, or "".
func (t *stickTable) server(client string, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[client]
	if t.expire > 0 && now.Sub(e.used) >= t.expire {
		return ""
	}
	return e.server
}

// store records the server that answered the client.
func (t *stickTable) store(client, server string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.entries[client]; !known {
		t.order = append(t.order, client)
	}
	t.entries[client] = stickEntry{server, now}
	if len(t.order) > maxSessions {
		delete(t.entries, t.order[0])
		t.order = t.order[1:]
	}
}
