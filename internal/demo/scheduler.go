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
	choose(c *choice, now time.Time) (server int, ok bool)

	// failed notes that a server gave no answer, and why.
	failed(server int, why error, now time.Time)

	// finished notes that a request ended in any other way.
	finished(server int)

	// retry reports whether the request may be sent again after a failure, and
	// after which pause.
	retry(c *choice, why error) (pause time.Duration, ok bool)

	// answered adds to the header of the answer what keeps the client at server.
	answered(c *choice, server int, header http.Header)

	// status is the answer when no server gave one. why is the last failure; nil
	// means that no server was left to try.
	status(why error) int
}

// A choice is the request that a server is chosen for.
type choice struct {
	client  string // address
	request *http.Request
	faults  BalancerFaults
	tried   []int // in their order
}

// cookie returns the value of the request's cookie of that name, or "".
func (c *choice) cookie(name string) string {
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
	schedulers []scheduler // one for each worker
}

func newGeneration(c BalancerConfig, servers []balance.Server) *generation {
	g := &generation{servers: servers}
	shared := newAccount(c, servers)
	for number := range c.Workers {
		account := shared
		if !c.Zone {
			account = newAccount(c, servers)
		}
		g.schedulers = append(g.schedulers, newWorker(c, servers, number+1, account))
	}
	return g
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
