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

// A BalancerConfig configures a balancer.
type BalancerConfig struct {
	Addr    string           // host:port to listen on; "": a free port of 127.0.0.1
	Name    string           // name of the upstream block; "": demo
	Method  probes.Method    // ip_hash, hash (of the client's address), cookie, round_robin, least_conn or random; "": ip_hash
	Servers []balance.Server // Name is the host:port to connect to

	MaxFails    int           // failures before a server is ejected; 0: never
	FailTimeout time.Duration // whole seconds, as in nginx
	Timeout     time.Duration // limit for connecting, and again for an answer; 0: 60 s, nginx's default

	// Workers is the number of processes that share the listener. As in nginx without
	// `zone`, each counts failures and takes round-robin turns by itself. Connections
	// are assigned to them in turn. 0: 1.
	Workers int

	// Zone makes all workers share their counts, as nginx's `zone` does.
	Zone bool

	// ClientIPHeader is the request header that overrides the client's address if the
	// connection comes from loopback, as nginx's realip module does.
	ClientIPHeader string

	Cookie         string // cookie that method cookie inserts, with the server's name; "": SERVER
	UpstreamHeader string // response header with the servers tried, as $upstream_addr; "": none
	Seed           uint64 // seed of method random

	Network Network // nil: loopback

	Cache CacheConfig // cache in front of the balancer; zero: none

	// Log is called at the end of each request, with the status of the answer; 499, as in
	// nginx's log, if the client got none or only a part. nil: nothing is logged.
	Log func(r *http.Request, status int, took time.Duration)

	// Route returns the name of a server in cookies: HAProxy's cookie value or httpd's
	// route. It is called when the balancer starts or reloads. nil: the server's own
	// name.
	Route func(server string) string

	// HAProxy and HTTPD make the balancer behave as that product instead of as nginx.
	// Method, MaxFails, FailTimeout, Workers, Zone and Cookie then have no effect. At
	// most one is set.
	HAProxy *HAProxyConfig
	HTTPD   *HTTPDConfig
}

// BalancerFaults are the faults of a balancer. The zero value is a healthy balancer.
type BalancerFaults struct {
	Status         int           // status of every answer, without asking a server; 0: no fault
	Method         probes.Method // method used instead of the configured one; HAProxy and httpd always use round robin instead
	IgnoreClientIP bool          // every client has the address of its connection
	NoUpgrade      bool          // the WebSocket upgrade is not passed on
	Cache          CacheConfig   // cache used instead of the configured one; zero: no fault

	// Ejected are names of servers that are considered dead; with OnlyWorker, only by
	// the worker of that number.
	Ejected    []string
	OnlyWorker int
}

// A Balancer passes requests to servers. Its methods are safe for concurrent use.
type Balancer struct {
	config      BalancerConfig // configuration at the start: Reload changes only the servers in generation
	endpoint    *endpoint
	transport   *http.Transport
	generation  atomic.Pointer[generation]
	connections atomic.Uint64
	faults      atomic.Pointer[BalancerFaults]
	cache       cache

	reload sync.Mutex // held while the generation is replaced or ended
	closed bool       // guarded by reload
}

// StartBalancer starts a healthy balancer. It returns an error when the address is
// taken or the method is unknown.
func StartBalancer(c BalancerConfig) (*Balancer, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	b := &Balancer{config: c, transport: newTransport(c)}
	b.Set(BalancerFaults{})
	b.endpoint = newEndpoint(c.Addr, serveHTTP(b.logged(), b.accept)).on(c.Network)
	b.generation.Store(b.newGeneration(c.Servers, nil))
	if err := b.Start(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// check returns an error for a configuration that is not supported.
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

// newTransport returns a transport that tries once, changes nothing, and opens a
// connection for every request, as nginx does by default.
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

// Addr returns the balancer's host:port, which stays reserved while it is stopped.
func (b *Balancer) Addr() string { return b.endpoint.address() }

// URL returns the balancer's root, without a trailing slash.
func (b *Balancer) URL() string { return "http://" + b.Addr() }

// Stop makes the balancer refuse connections and closes the open ones.
func (b *Balancer) Stop() { b.endpoint.stop() }

// Start makes a stopped balancer listen again at its address. Its state is unchanged.
func (b *Balancer) Start() error { return b.endpoint.start() }

// Servers returns the list of servers after the last reload.
func (b *Balancer) Servers() []balance.Server { return slices.Clone(b.generation.Load().servers) }

// Reload replaces the list of servers, as a reload of a product does: the state of all
// servers is forgotten, even if the list is the same. Requests in flight are not
// affected. It returns an error for an empty list or a duplicate server.
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

// A ServerState is the administrative state of a server.
type ServerState string

// The states.
const (
	ServerReady    ServerState = ""         // in use
	ServerDrain    ServerState = "drain"    // keeps its clients and gets no new ones
	ServerDisabled ServerState = "disabled" // gets no requests
)

// SetServerState sets the state of a server, as HAProxy's socket or httpd's balancer
// manager does; a reload resets it. nginx has no such interface: it is reloaded with
// the server marked down or not, so that a drained server keeps no clients. It returns
// an error for an unknown server.
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

// Usable reports whether all workers of the balancer give new clients to the server of
// that name now.
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

// Set replaces the balancer's faults for later requests.
func (b *Balancer) Set(f BalancerFaults) {
	f.Ejected = slices.Clone(f.Ejected)
	b.faults.Store(&f)
}

// Change applies change to the balancer's faults. It is safe for concurrent use; change
// may be called more than once.
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

// turn returns the number of a request's connection; 0 where the request did not come
// through the balancer's listener.
func (b *Balancer) turn(ctx context.Context) uint64 {
	number, _ := ctx.Value(connectionKey{}).(uint64)
	return number
}

// client returns the client address that the balancer uses for r.
func (b *Balancer) client(r *http.Request, f BalancerFaults) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if b.config.ClientIPHeader == "" || f.IgnoreClientIP || !addr.IsLoopback() {
		return addr
	}
	if addr, err := netip.ParseAddr(r.Header.Get(b.config.ClientIPHeader)); err == nil {
		return addr
	}
	return addr
}
