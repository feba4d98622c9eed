package web

import (
	"context"
	"maps"
	"sync"
	"time"
)

// A cache shares values between requests, each for a limited time.
type cache[K comparable, V any] struct {
	now func() time.Time // monotonic, because the clock of a database can be set back
	ttl time.Duration
	max int // number of values that no request is using; 0: unbounded

	mu      sync.Mutex
	entries map[K]*cacheEntry[V]
}

// A cacheEntry contains a value. Concurrent requests wait for the one that reads.
type cacheEntry[V any] struct {
	users int           // requests that use it; guarded by cache.mu
	turn  chan struct{} // contains one element while a request uses the fields below
	until time.Time
	value V
	err   error
}

func newCache[K comparable, V any](c Config, limit int) *cache[K, V] {
	return &cache[K, V]{now: c.clock, ttl: c.CacheFor, max: limit, entries: map[K]*cacheEntry[V]{}}
}

// load returns the value of a key, which it reads at most once in ttl. An error is shared for cache.ttl at most,
// so that requests do not wait for one failing read after the other. If ctx ends while another request reads, load
// returns the error of ctx.
func (c *cache[K, V]) load(ctx context.Context, key K, ttl time.Duration, read func() (V, error)) (value V, err error) {
	entry := c.use(key)
	defer c.release(entry)
	select {
	case entry.turn <- struct{}{}:
		defer func() { <-entry.turn }()
	case <-ctx.Done():
		return value, ctx.Err()
	}
	if now := c.now(); !now.Before(entry.until) {
		if entry.value, entry.err = read(); entry.err != nil {
			ttl = min(ttl, c.ttl)
		}
		entry.until = now.Add(ttl)
	}
	return entry.value, entry.err
}

// use returns the entry of a key. It removes entries that are over, such as those of removed clusters, and makes room.
func (c *cache[K, V]) use(key K) *cacheEntry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	full := c.max > 0 && len(c.entries) >= c.max && c.entries[key] == nil
	maps.DeleteFunc(c.entries, func(_ K, e *cacheEntry[V]) bool { return e.users == 0 && (full || !now.Before(e.until)) })
	entry, ok := c.entries[key]
	if !ok {
		entry = &cacheEntry[V]{turn: make(chan struct{}, 1)}
		c.entries[key] = entry
	}
	entry.users++
	return entry
}

func (c *cache[K, V]) release(entry *cacheEntry[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry.users--
}
