package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A BalancerConfig is what a balancer does, as long as nothing is wrong with it.
type BalancerConfig struct {
	Addr    string           // host:port to listen on; "": a free port of 127.0.0.1
	Name    string           // of the upstream block; "": demo
	Method  probes.Method    // ip_hash, hash (of the client's address), cookie, round_robin, least_conn or random; "": ip_hash
	Servers []balance.Server // Name is the host:port to connect to

	MaxFails    int           // failures before a server is ejected; 0: never
	FailTimeout time.Duration // in whole seconds, as nginx counts
	Timeout     time.Duration // for connecting, and again for an answer; 0: 60 s, which is nginx's

	// Workers is how many processes share the listener, each with an account of
	// failures and a round robin of its own, as in nginx without `zone`.
	// Connections take turns among them. 0: 1.
	Workers int

	// Zone gives all workers one account, as nginx's `zone` does.
	Zone bool

	// ClientIPHeader names the request header that overrides the client's
	// address when it comes from loopback, as nginx's realip module does.
	ClientIPHeader string

	Cookie         string // that method cookie inserts, with the server's name; "": SERVER
	UpstreamHeader string // answer header with the servers tried, as $upstream_addr; "": none
	Seed           uint64 // of method random

	Network Network // nil: loopback

	Cache CacheConfig // in front; zero: none

	// Route returns the name by which cookies call a server: HAProxy's cookie
	// value or httpd's route. It is called when the balancer starts or reloads.
	// nil: servers are called by their names.
	Route func(server string) string

	// HAProxy and HTTPD make the balancer behave as that product, instead of as
	// nginx; Method, MaxFails, FailTimeout, Workers, Zone and Cookie then have no
	// effect. At most one of them is set.
	HAProxy *HAProxyConfig
	HTTPD   *HTTPDConfig
}

// BalancerFaults are what is wrong with a balancer. The zero value is a healthy
// one.
type BalancerFaults struct {
	Status         int           // it answers everything itself, with this status; 0: it does not
	Method         probes.Method // it balances so instead of as configured; HAProxy and httpd by round robin, whichever it is
	IgnoreClientIP bool          // every client has the address of its connection
	NoUpgrade      bool          // it does not pass the WebSocket upgrade
	Cache          CacheConfig   // it caches so instead of as configured; zero: it does not

	// Ejected are names of servers it holds for dead. Only its worker of that
	// number does when OnlyWorker is not 0.
	Ejected    []string
	OnlyWorker int
}

// A Balancer passes requests to servers. Its methods may be called side by side.
type Balancer struct {
	config      BalancerConfig // as it started: Reload changes the servers in generation only
	endpoint    *endpoint
	transport   *http.Transport
	generation  atomic.Pointer[generation]
	connections atomic.Uint64
	faults      atomic.Pointer[BalancerFaults]
	cache       cache

	reload sync.Mutex // held while the generation is replaced or ended
	closed bool       // under reload
}

// StartBalancer starts a healthy balancer. The error is that its address is not
// to be had, or its method unknown.
func StartBalancer(c BalancerConfig) (*Balancer, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	b := &Balancer{config: c, transport: newTransport(c)}
	b.Set(BalancerFaults{})
	b.endpoint = newEndpoint(c.Addr, serveHTTP(b, b.accept)).on(c.Network)
	b.generation.Store(b.newGeneration(c.Servers, nil))
	if err := b.Start(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// check reports what a balancer cannot do.
func (c BalancerConfig) check() error {
	switch {
	case c.HAProxy != nil && c.HTTPD != nil:
		return errors.New("starting a balancer: got HAProxy and HTTPD, want one of them")
	case c.HAProxy != nil && !slices.Contains(haproxyBalances, c.HAProxy.Balance):
		return fmt.Errorf("balancing by %q: want one of %q", c.HAProxy.Balance, haproxyBalances)
	case !slices.Contains(balancerMethods, c.Method):
		return fmt.Errorf("balancing by %q: want one of %q", c.Method, balancerMethods)
	}
	return nil
}

func (c BalancerConfig) withDefaults() BalancerConfig {
	if c.Name == "" {
		c.Name = "demo"
	}
	if c.Method == "" {
		c.Method = probes.MethodIPHash
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	if c.Cookie == "" {
		c.Cookie = "SERVER"
	}
	c.Workers = max(c.Workers, 1)
	c.Servers = slices.Clone(c.Servers)
	if c.HAProxy != nil {
		h := c.HAProxy.withDefaults()
		c.HAProxy = &h
	}
	return c
}

// newTransport returns a transport that tries once and changes nothing, on a
// connection of its own for every request, as nginx does by default.
func newTransport(c BalancerConfig) *http.Transport {
	dial := dialOn(c.Network)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			return dial(ctx, network, addr)
		},
		ResponseHeaderTimeout: c.Timeout,
		DisableKeepAlives:     true,
		DisableCompression:    true,
	}
}

// Addr returns the balancer's host:port, which it keeps while it is stopped.
func (b *Balancer) Addr() string { return b.endpoint.address() }

// URL returns the balancer's root, without a slash at its end.
func (b *Balancer) URL() string { return "http://" + b.Addr() }

// Stop makes the balancer refuse connections and cuts those it has.
func (b *Balancer) Stop() { b.endpoint.stop() }

// Start makes a stopped balancer listen again, at its address. It has
// forgotten nothing.
func (b *Balancer) Start() error { return b.endpoint.start() }

// Servers returns the balancer's servers as its last reload has them.
func (b *Balancer) Servers() []balance.Server { return slices.Clone(b.generation.Load().servers) }

// Reload replaces the list of servers, as a reload with a changed configuration
// does: whatever was remembered about servers is forgotten, also where the list
// is the same. Requests under way end as they began. The error is that there is
// no server in the list, or one twice.
func (b *Balancer) Reload(servers []balance.Server) error {
	if len(servers) == 0 {
		return errors.New("reloading the balancer: got no server, want 1 or more")
	}
	for i, s := range servers {
		if indexOf(servers, s.Name) != i {
			return fmt.Errorf("reloading the balancer: got server %q twice, want it once", s.Name)
		}
	}
	b.reload.Lock()
	defer b.reload.Unlock()
	if b.closed {
		return errors.New("reloading the balancer: it is closed")
	}
	old := b.generation.Load()
	old.stop()
	b.generation.Store(b.newGeneration(slices.Clone(servers), old))
	return nil
}

// A ServerState is what an operator makes of a server.
type ServerState string

// The states.
const (
	ServerReady    ServerState = ""         // it is used
	ServerDrain    ServerState = "drain"    // it keeps its clients and gets no new ones
	ServerDisabled ServerState = "disabled" // it gets no request
)

// SetServerState gives the server of that name a state, by HAProxy's socket or
// httpd's balancer manager; a reload forgets it. nginx has no interface for that:
// it is reloaded with the server down, or not down, so that a drained server
// keeps nobody. The error is that there is no such server.
func (b *Balancer) SetServerState(name string, s ServerState) error {
	g := b.generation.Load()
	i := indexOf(g.servers, name)
	if i < 0 {
		return fmt.Errorf("setting the state of server %q: the balancer does not list it", name)
	}
	if control, ok := g.schedulers[0].(interface{ setState(int, ServerState) }); ok {
		control.setState(i, s)
		return nil
	}
	servers := b.Servers()
	servers[i].Down = s != ServerReady
	return b.Reload(servers)
}

// Usable reports whether the balancer gives new clients to the server of that
// name at this moment: whether all its workers do.
func (b *Balancer) Usable(name string) bool {
	g, now := b.generation.Load(), time.Now()
	i := indexOf(g.servers, name)
	return i >= 0 && !slices.ContainsFunc(g.schedulers, func(s scheduler) bool { return !s.usable(i, now) })
}

// Close stops the balancer for good.
func (b *Balancer) Close() {
	b.endpoint.close()
	b.reload.Lock()
	defer b.reload.Unlock()
	b.closed = true
	b.generation.Load().stop()
}

// Set replaces the balancer's faults, for the requests that come from now on.
func (b *Balancer) Set(f BalancerFaults) {
	f.Ejected = slices.Clone(f.Ejected)
	b.faults.Store(&f)
}

// Change lets change add to the balancer's faults. Changes may run side by
// side; change may then be called more than once.
func (b *Balancer) Change(change func(*BalancerFaults)) {
	for {
		old := b.faults.Load()
		f := *old
		f.Ejected = slices.Clone(f.Ejected)
		change(&f)
		if b.faults.CompareAndSwap(old, &f) {
			return
		}
	}
}

// Faults returns the balancer's faults.
func (b *Balancer) Faults() BalancerFaults {
	f := *b.faults.Load()
	f.Ejected = slices.Clone(f.Ejected)
	return f
}

// connectionKey is the context key for the number of the connection.
type connectionKey struct{}

// accept numbers a new connection, so that workers take turns.
func (b *Balancer) accept(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, b.connections.Add(1)-1)
}

// turn is the number of a request's connection; 0 where the request came by no
// listener of the balancer's.
func (b *Balancer) turn(ctx context.Context) uint64 {
	number, _ := ctx.Value(connectionKey{}).(uint64)
	return number
}

// client is the address by which r's client is placed.
func (b *Balancer) client(r *http.Request, f BalancerFaults) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if b.config.ClientIPHeader == "" || f.IgnoreClientIP || !addr.IsLoopback() {
		return addr
	}
	if told, err := netip.ParseAddr(r.Header.Get(b.config.ClientIPHeader)); err == nil {
		return told
	}
	return addr
}
