package demo

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"stickwatch/probes/balance"
)

// An HAProxyBalance is a value of HAProxy's `balance` directive.
type HAProxyBalance string

// The values of `balance` that a Balancer knows.
const (
	HAProxyRoundRobin HAProxyBalance = "roundrobin"
	HAProxyLeastConn  HAProxyBalance = "leastconn" // exact here; HAProxy may count the end of a request later
	HAProxySource     HAProxyBalance = "source"    // with hash-type map-based, the default
)

var haproxyBalances = []HAProxyBalance{HAProxyRoundRobin, HAProxyLeastConn, HAProxySource}

// An HAProxyConfig makes a balancer behave as HAProxy 2.6. HAProxy's threads share all
// state, so BalancerConfig.Workers and Zone have no effect.
type HAProxyConfig struct {
	Balance HAProxyBalance // "": roundrobin

	// Cookie is NAME in `cookie NAME insert indirect nocache`. Its values are the
	// servers' routes. "": none.
	Cookie string

	// StickOnSrc keeps a client on its server by address, as `stick on src` does.
	// Entries expire when their client is idle for StickExpire; 0: never. Peers keeps
	// the entries over a reload, as documented for a `peers` section; package lab does
	// not compare this.
	StickOnSrc  bool
	StickExpire time.Duration
	Peers       bool

	// Retries is the number of further attempts after a failed connection. Redispatch
	// lets the last of them go to another server (`option redispatch`).
	Retries    int
	Redispatch bool

	Check HealthCheck
}

func (c HAProxyConfig) withDefaults() HAProxyConfig {
	if c.Balance == "" {
		c.Balance = HAProxyRoundRobin
	}
	c.Check = c.Check.withDefaults()
	return c
}

// haproxy is the scheduler that behaves as HAProxy.
type haproxy struct {
	config  HAProxyConfig
	timeout time.Duration // for connecting
	servers []balance.Server
	routes  []string // by server
	source  balance.Picker
	table   *stickTable

	mu         sync.Mutex
	health     []health
	states     []ServerState
	conns      []int // requests in flight
	roundRobin roundRobin
}

func newHAProxy(c BalancerConfig, servers []balance.Server, table *stickTable) *haproxy {
	h := &haproxy{
		config:     *c.HAProxy,
		timeout:    c.Timeout,
		servers:    servers,
		routes:     routes(c, servers),
		source:     balance.Source(enabled(servers)),
		table:      table,
		states:     initialStates(servers),
		conns:      make([]int, len(servers)),
		roundRobin: newRoundRobin(weights(servers)),
	}
	for range servers {
		h.health = append(h.health, newHealth(c.HAProxy.Check))
	}
	return h
}

func (h *haproxy) choose(c *selection, now time.Time) (int, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	server, ok := h.server(c, now)
	if ok {
		h.conns[server]++
	}
	return server, ok
}

// server returns the server that failed before, until the request is redispatched; else
// the server that keeps the client; else the next one by the balance directive.
func (h *haproxy) server(c *selection, now time.Time) (int, bool) {
	avoid := -1
	if n := len(c.tried); n > 0 {
		avoid = c.tried[n-1]
		if !c.redispatch {
			return avoid, true
		}
	} else if i, ok := h.persistent(c, now); ok {
		c.persistent = true
		return i, true
	}
	c.persistent = false
	return h.balanced(c, avoid)
}

// persistent returns the server that keeps the client, by cookie or stick table. A
// server that is down or disabled keeps no client; a drained server does.
func (h *haproxy) persistent(c *selection, now time.Time) (int, bool) {
	if c.faults.Method != "" {
		return 0, false
	}
	if h.config.Cookie != "" {
		if i := slices.Index(h.routes, c.cookie(h.config.Cookie)); i >= 0 && h.running(i, c) {
			return i, true
		}
	}
	if h.config.StickOnSrc {
		if i := indexOf(h.servers, h.table.server(c.client, now)); i >= 0 && h.running(i, c) {
			return i, true
		}
	}
	return 0, false
}

// running reports whether server i can get requests.
func (h *haproxy) running(i int, c *selection) bool {
	return h.states[i] != ServerDisabled && h.health[i].up() && !slices.Contains(c.faults.Ejected, h.servers[i].Name)
}

// candidates lists the servers for new clients in order: those that run and are not
// drained, else the first such backup.
func (h *haproxy) candidates(c *selection) []int {
	var primaries, backups []int
	for i, s := range h.servers {
		switch {
		case !h.running(i, c) || h.states[i] == ServerDrain:
		case s.Backup:
			backups = append(backups, i)
		default:
			primaries = append(primaries, i)
		}
	}
	if len(primaries) == 0 && len(backups) > 0 {
		return backups[:1]
	}
	return primaries
}

// balanced chooses a server by the balance directive. The hash of the source address
// may return the server to avoid again; the other algorithms do so only when it is the
// last one.
func (h *haproxy) balanced(c *selection, avoid int) (int, bool) {
	usable := h.candidates(c)
	if h.config.Balance == HAProxySource && c.faults.Method == "" {
		return h.source.Pick(c.client, without(len(h.servers), usable)...)
	}
	if others := slices.DeleteFunc(slices.Clone(usable), func(i int) bool { return i == avoid }); len(others) > 0 {
		usable = others
	}
	may := func(i int) bool { return slices.Contains(usable, i) }
	if h.config.Balance == HAProxyLeastConn && c.faults.Method == "" {
		return h.roundRobin.leastConn(h.conns, may)
	}
	return h.roundRobin.next(may)
}

func (h *haproxy) failed(server int, _ error, _ time.Time) { h.finished(server) }

func (h *haproxy) finished(server int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[server]--
}

// turnAround is HAProxy's pause before it tries the same server again.
const turnAround = time.Second

// retry follows back_handle_st_cer of HAProxy: only a connection is retried, with the
// same server until the last attempt. A request without persistence is redispatched at
// once under round robin.
func (h *haproxy) retry(c *selection, why error) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(c.tried)
	if !notSent(why) || n > h.config.Retries {
		return 0, false
	}
	free := !c.persistent && h.config.Balance == HAProxyRoundRobin && len(h.candidates(c)) > 1
	c.redispatch = h.config.Redispatch && (n == h.config.Retries || !h.running(c.tried[n-1], c) || free)
	if c.redispatch && len(h.candidates(c)) > 1 {
		return 0, true
	}
	return min(h.timeout, turnAround), true
}

// answered sets the cookie of a client whose server has changed, and stores the server
// in the stick table.
func (h *haproxy) answered(c *selection, server int, header http.Header, now time.Time) {
	if h.config.Cookie != "" && !c.persistent {
		addCookie(header, h.config.Cookie, h.routes[server])
	}
	if h.config.StickOnSrc {
		h.table.store(c.client, h.servers[server].Name, now)
	}
}

func (h *haproxy) status(why error) int { return gatewayStatus(why) }

func (h *haproxy) usable(server int, _ time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.candidates(&selection{}), server)
}

// setState implements `disable server`, `enable server` and `set server ... state
// drain`. An enabled server counts as up until its first check fails.
func (h *haproxy) setState(server int, s ServerState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.states[server] == ServerDisabled && s != ServerDisabled {
		h.health[server] = newHealth(h.config.Check)
	}
	h.states[server] = s
}

// isDisabled reports whether a server is not checked.
func (h *haproxy) isDisabled(server int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[server] == ServerDisabled
}

// checked records the result of a health check.
func (h *haproxy) checked(server int, passed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.health[server].add(passed)
}

// routes returns the names of the servers in cookies.
func routes(c BalancerConfig, servers []balance.Server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.Name
		if c.Route != nil {
			list[i] = c.Route(s.Name)
		}
	}
	return list
}

// initialStates returns the states that the configuration gives the servers.
func initialStates(servers []balance.Server) []ServerState {
	states := make([]ServerState, len(servers))
	for i, s := range servers {
		if s.Down {
			states[i] = ServerDisabled
		}
	}
	return states
}

// enabled returns the servers as if none was disabled: that changes while HAProxy runs.
func enabled(servers []balance.Server) []balance.Server {
	list := slices.Clone(servers)
	for i := range list {
		list[i].Down = false
	}
	return list
}

// without returns the indexes below n that are not in the list.
func without(n int, list []int) (others []int) {
	for i := range n {
		if !slices.Contains(list, i) {
			others = append(others, i)
		}
	}
	return others
}
