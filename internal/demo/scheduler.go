package demo

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"stickwatch/probes/balance"
)

// A scheduler chooses servers for requests, records how the requests end, and decides
// about retries. Each product has its own. Schedulers are safe for concurrent use.
type scheduler interface {
	// choose returns the server for a request and counts the request there. It returns
	// false when no server is left.
	choose(c *selection, now time.Time) (server int, ok bool)

	// failed records that a server gave no answer, and why.
	failed(server int, why error, now time.Time)

	// finished records that a request ended in any other way.
	finished(server int)

	// retry reports whether the request may be sent again after a failure, and after
	// which pause.
	retry(c *selection, why error) (pause time.Duration, ok bool)

	// answered adds headers that keep the client at server.
	answered(c *selection, server int, header http.Header, now time.Time)

	// status returns the status when no server answered. why is the last failure; nil
	// means that no server was left to try.
	status(why error) int

	// usable reports whether server may be given to a new client.
	usable(server int, now time.Time) bool
}

// A selection is a request for which a server is chosen.
type selection struct {
	client  string // client address
	request *http.Request
	faults  BalancerFaults
	tried   []int // servers, in the order of the attempts

	// For HAProxy: persistent means that a cookie or a stick table chose the server,
	// redispatch that the next attempt may use another server.
	persistent, redispatch bool
}

// cookie returns the value of the request's cookie of that name, or "".
func (s *selection) cookie(name string) string {
	cookie, err := s.request.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// A generation is the state that a reload replaces: the list of servers and their
// failure state. Requests in flight stay with their generation, as with the old workers
// of nginx.
type generation struct {
	servers    []balance.Server
	schedulers []scheduler // one for each failure state
	stop       func()      // ends the health checks and waits for their end
}

// newGeneration returns the generation after old, which is nil initially, and starts
// its health checks.
func (b *Balancer) newGeneration(servers []balance.Server, old *generation) *generation {
	g, c := &generation{servers: servers, stop: func() {}}, b.config
	switch {
	case c.HAProxy != nil:
		h := newHAProxy(c, servers, b.stickTable(old))
		g.schedulers = []scheduler{h}
		if c.HAProxy.Check.Inter > 0 {
			g.stop = b.startChecks(h)
		}
	case c.HTTPD != nil:
		g.schedulers = []scheduler{newHTTPD(c, servers)}
	default:
		g.schedulers = newWorkers(c, servers)
	}
	return g
}

// stickTable returns the stick table of the generation after old.
func (b *Balancer) stickTable(old *generation) *stickTable {
	if old != nil && b.config.HAProxy.Peers {
		return old.schedulers[0].(*haproxy).table
	}
	return newStickTable(b.config.HAProxy.StickExpire)
}

// newWorkers returns the workers of an nginx.
func newWorkers(c BalancerConfig, servers []balance.Server) []scheduler {
	var list []scheduler
	shared := newUpstreamState(c, servers)
	for number := range c.Workers {
		upstreamState := shared
		if !c.Zone {
			upstreamState = newUpstreamState(c, servers)
		}
		list = append(list, newWorker(c, servers, number+1, upstreamState))
	}
	return list
}

// notSent reports whether a request failed before a server can have received it.
func notSent(why error) bool {
	op, ok := errors.AsType[*net.OpError](why)
	return ok && op.Op == "dial"
}

func timedOut(why error) bool {
	e, ok := errors.AsType[net.Error](why)
	return ok && e.Timeout()
}

// weights returns the weight of each server, at least 1.
func weights(servers []balance.Server) []int {
	list := make([]int, len(servers))
	for i, s := range servers {
		list[i] = max(s.Weight, 1)
	}
	return list
}

// indexOf returns the index of the server of that name, or -1.
func indexOf(servers []balance.Server, name string) int {
	return slices.IndexFunc(servers, func(s balance.Server) bool { return s.Name == name })
}

// gatewayStatus returns the status of HAProxy's and httpd's own answers: 503 where the
// request was sent to no server, for which a nil error stands, too.
func gatewayStatus(why error) int {
	switch {
	case why == nil || notSent(why):
		return http.StatusServiceUnavailable
	case timedOut(why):
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

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
