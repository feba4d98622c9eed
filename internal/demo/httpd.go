package demo

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/probes/balance"
)

// An HTTPDConfig makes a balancer behave as Apache httpd 2.4 with mod_proxy_balancer
// and lbmethod byrequests. httpd's processes share the state of servers, so
// BalancerConfig.Workers and Zone have no effect.
type HTTPDConfig struct {
	// StickySession is the cookie whose value ends in the route of the client's server,
	// after the first dot. "": no stickiness.
	StickySession string

	// Retry is how long a server is in error, and gets no request, after a failed
	// connection. 0: 60 s; negative: not at all, so that clients of a dead server get
	// 503.
	Retry time.Duration

	NoFailover bool // clients of a server in error get 503 instead of another server
}

// httpd is the scheduler that behaves as Apache httpd.
type httpd struct {
	config  HTTPDConfig
	servers []balance.Server
	routes  []string // by server

	mu         sync.Mutex
	errors     []time.Time // start of a server's error state; zero: no error
	states     []ServerState
	roundRobin roundRobin
}

func newHTTPD(c BalancerConfig, servers []balance.Server) *httpd {
	return &httpd{
		config:     *c.HTTPD,
		servers:    servers,
		routes:     routes(c, servers),
		errors:     make([]time.Time, len(servers)),
		states:     initialStates(servers),
		roundRobin: newRoundRobin(weights(servers)),
	}
}

func (h *httpd) choose(c *selection, now time.Time) (int, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recover(now)
	return h.server(c, now)
}

// recover clears the errors when every server is in error (forcerecovery=On).
func (h *httpd) recover(now time.Time) {
	for i := range h.servers {
		if !h.inError(i, now) {
			return
		}
	}
	clear(h.errors)
}

// inError reports whether a server is in error. The first request after the retry time
// clears the error.
func (h *httpd) inError(i int, now time.Time) bool {
	if h.config.Retry < 0 || now.Sub(h.errors[i]) > cmp.Or(h.config.Retry, time.Minute) {
		h.errors[i] = time.Time{}
	}
	return !h.errors[i].IsZero()
}

func (h *httpd) server(c *selection, now time.Time) (int, bool) {
	if i := slices.Index(h.routes, h.route(c)); i >= 0 {
		if h.running(i, c, now) {
			h.roundRobin.countTurn(i, func(i int) bool { return h.running(i, c, now) })
			return i, true
		}
		if h.config.NoFailover {
			return 0, false
		}
	}
	for _, backup := range [...]bool{false, true} {
		may := func(i int) bool {
			return h.servers[i].Backup == backup && h.states[i] != ServerDrain && h.running(i, c, now)
		}
		if server, ok := h.roundRobin.next(may); ok {
			return server, true
		}
	}
	return 0, false
}

// route returns the part after the first dot of the session cookie, or "".
func (h *httpd) route(c *selection) string {
	if h.config.StickySession == "" || c.faults.Method != "" {
		return ""
	}
	_, route, _ := strings.Cut(c.cookie(h.config.StickySession), ".")
	return route
}

// running reports whether server i can get requests.
func (h *httpd) running(i int, c *selection, now time.Time) bool {
	return h.states[i] != ServerDisabled && !h.inError(i, now) && !slices.Contains(c.faults.Ejected, h.servers[i].Name)
}

// failed sets a server in error when no connection was possible. A server that closes a
// connection is not in error.
func (h *httpd) failed(server int, why error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if notSent(why) {
		h.errors[server] = now
	}
}

// finished does nothing: lbmethod byrequests counts turns.
func (h *httpd) finished(int) {}

// retry allows as many attempts as there are servers, and two for a single server
// (maxattempts).
func (h *httpd) retry(c *selection, why error) (time.Duration, bool) {
	return 0, notSent(why) && len(c.tried) < max(len(h.servers), 2)
}

// answered does nothing: the route is in the session cookie of the server.
func (h *httpd) answered(*selection, int, http.Header, time.Time) {}

func (h *httpd) status(why error) int { return gatewayStatus(why) }

func (h *httpd) usable(server int, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[server] != ServerDrain && h.running(server, &selection{}, now)
}

// setState implements the balancer manager: disabled or drain.
func (h *httpd) setState(server int, s ServerState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states[server] = s
}
