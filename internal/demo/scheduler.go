package demo

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"stickwatch/probes/balance"
)

// A scheduler chooses servers for requests, keeps account of how the requests
// end, and decides when a request is sent again. Each product has its own.
// Schedulers are safe for concurrent use.
type scheduler interface {
	// choose returns the server for a request and notes that it is in use there.
	// It is not ok when no server is left.
	choose(c *selection, now time.Time) (server int, ok bool)

	// failed notes that a server gave no answer, and why.
	failed(server int, why error, now time.Time)

	// finished notes that a request ended in any other way.
	finished(server int)

	// retry reports whether the request may be sent again after a failure, and
	// after which pause.
	retry(c *selection, why error) (pause time.Duration, ok bool)

	// answered adds to the header of the answer what keeps the client at server.
	answered(c *selection, server int, header http.Header, now time.Time)

	// status is the answer when no server gave one. why is the last failure; nil
	// means that no server was left to try.
	status(why error) int

	// usable reports whether server may be given to a new client.
	usable(server int, now time.Time) bool
}

// A selection is the request that a server is chosen for.
type selection struct {
	client  string // address
	request *http.Request
	faults  BalancerFaults
	tried   []int // in their order

	// HAProxy's: the server was given by a cookie or a stick table; the next try
	// need not go to the same server.
	persistent, redispatch bool
}

// cookie returns the value of the request's cookie of that name, or "".
func (c *selection) cookie(name string) string {
	cookie, err := c.request.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// A generation is what a reload replaces: the list of servers, and everything
// that is remembered about them. Requests that are under way stay with the
// generation that they began with, as in the old workers of nginx.
type generation struct {
	servers    []balance.Server
	schedulers []scheduler // one for each account of the servers' failures
	stop       func()      // ends the health checks and waits for their end
}

// newGeneration returns the generation that follows old, which is nil at first,
// and starts its health checks.
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

// stickTable returns the table of the generation that follows old.
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

// notSent reports whether a request failed before a server can have seen it.
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

// gatewayStatus is what HAProxy and httpd answer themselves: 503 where no server was
// sent the request, which a nil error stands for, too.
func gatewayStatus(why error) int {
	switch {
	case why == nil || notSent(why):
		return http.StatusServiceUnavailable
	case timedOut(why):
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}
