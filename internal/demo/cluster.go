// Package demo is a web cluster inside the process: nodes and a balancer that speak
// HTTP on free loopback ports and that can be broken on purpose.
//
// It can produce every fault that stickwatch detects. The demo command shows the
// faults, and tests run the probes and checks against them. Nodes of this package also
// run behind real balancers, in place of commercial products that cannot be run here:
// they serve the documented pages of those products, and nothing else. A node does not
// know that it is monitored.
//
// The balancer behaves as nginx, HAProxy or Apache httpd: how it counts failures, how
// it places clients, and which state a reload resets. Package lab compares it with
// those products, client by client, while both are operated.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// RedisServer is the name of the service that the nodes of a Cluster depend on.
const RedisServer = "Redis Server"

// A Config configures a cluster. The zero value is three nodes behind ip_hash that each
// keep their own sessions.
type Config struct {
	Nodes  int           // 0: 3
	Method probes.Method // "": ip_hash
	Shared bool          // all nodes share one session store
	Store  Store         // the shared store, which implies Shared; nil: a new one in memory

	Workers        int           // workers of the balancer; 0: 2
	Zone           bool          // workers share their state of servers
	MaxFails       int           // 0: nginx's default, 1
	FailTimeout    time.Duration // 0: nginx's default, 10 s
	ClientIPHeader string        // "": X-Stickwatch-Client

	Timeout time.Duration // BalancerConfig.Timeout

	Network Network // network of all parts; nil: loopback

	Cache CacheConfig // cache in front of the balancer; zero: none

	Log func(r *http.Request, status int, took time.Duration) // BalancerConfig.Log

	// HAProxy and HTTPD make the balancer behave as that product, with the ids of the
	// nodes as routes of its servers. nil: it behaves as nginx.
	HAProxy *HAProxyConfig
	HTTPD   *HTTPDConfig
}

// A Cluster is a balancer, the nodes behind it, and the Redis server they depend on.
type Cluster struct {
	Config   Config // with defaults filled in
	Nodes    []*Node
	Balancer *Balancer
	Redis    *Redis

	store    Store // store of all nodes; nil: each has its own
	unlisted *Node // that a fault added; nil: none
}

// Start starts a healthy cluster. It returns an error when no loopback address is
// available or the method is unknown.
func Start(c Config) (*Cluster, error) {
	cluster := &Cluster{Config: c.withDefaults()}
	for _, start := range []func() error{cluster.startRedis, cluster.startNodes, cluster.startBalancer} {
		if err := start(); err != nil {
			cluster.Close()
			return nil, fmt.Errorf("starting a cluster: %w", err)
		}
	}
	return cluster, nil
}

func (c Config) withDefaults() Config {
	setDefault(&c.Nodes, 3)
	setDefault(&c.Method, probes.MethodIPHash)
	setDefault(&c.Workers, 2)
	setDefault(&c.MaxFails, 1)
	setDefault(&c.FailTimeout, 10*time.Second)
	setDefault(&c.ClientIPHeader, "X-Stickwatch-Client")
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

func (c *Cluster) startRedis() (err error) {
	c.Redis, err = startRedis(c.Config.Network)
	return err
}

// startNodes starts node1, node2 and so on. They report an uptime of an hour, in the
// order of their names.
func (c *Cluster) startNodes() error {
	c.store = c.Config.Store
	if c.Config.Shared && c.store == nil {
		c.store = NewStore()
	}
	began := time.Now().Add(-time.Hour)
	for i := range c.Config.Nodes {
		n, err := c.startNode(i, began.Add(time.Duration(i)*time.Minute))
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	return nil
}

func (c *Cluster) startNode(i int, since time.Time) (*Node, error) {
	return StartNode(NodeConfig{
		Network:      c.Config.Network,
		ID:           fmt.Sprintf("node%d", i+1),
		Store:        c.store,
		UpSince:      since,
		Dependencies: map[string]func(context.Context) error{RedisServer: c.Redis.ping},
	})
}

func (c *Cluster) startBalancer() (err error) {
	servers := make([]balance.Server, len(c.Nodes))
	for i, n := range c.Nodes {
		servers[i] = balance.Server{Name: n.Addr(), Weight: 1}
	}
	c.Balancer, err = StartBalancer(BalancerConfig{
		Method:         c.Config.Method,
		Servers:        servers,
		MaxFails:       c.Config.MaxFails,
		FailTimeout:    c.Config.FailTimeout,
		Timeout:        c.Config.Timeout,
		Workers:        c.Config.Workers,
		Zone:           c.Config.Zone,
		ClientIPHeader: c.Config.ClientIPHeader,
		UpstreamHeader: "X-Upstream",
		Network:        c.Config.Network,
		Cache:          c.Config.Cache,
		Log:            c.Config.Log,
		Route:          c.route,
		HAProxy:        c.Config.HAProxy,
		HTTPD:          c.Config.HTTPD,
	})
	return err
}

// route returns the id of the node at an address.
func (c *Cluster) route(addr string) string {
	for _, n := range c.Nodes {
		if n.Addr() == addr {
			return n.ID()
		}
	}
	return addr
}

// Break activates the fault of that name; see Faults. Faults add up. It returns an
// error for an unknown name, or when the cluster has too few nodes for the fault.
func (c *Cluster) Break(name string) error {
	i := slices.IndexFunc(faults, func(f fault) bool { return f.Name == name })
	if i < 0 {
		return fmt.Errorf("breaking the cluster by %q: want one of %q", name, faultNames())
	}
	if len(c.Nodes) < 2 {
		return fmt.Errorf("breaking the cluster by %q: got %d node, want 2 or more", name, len(c.Nodes))
	}
	if err := faults[i].apply(c); err != nil {
		return fmt.Errorf("breaking the cluster by %q: %w", name, err)
	}
	return nil
}

// Heal reverts every Break. Lost sessions stay lost, and the balancer readmits an
// ejected server by itself after fail_timeout. If the primary was started after other
// nodes, those are restarted, as an operator would do.
func (c *Cluster) Heal() error {
	var errs []error
	for _, n := range c.Nodes[1:] {
		if n.process.Load().since.Before(c.Nodes[0].process.Load().since) {
			errs = append(errs, n.Restart())
		}
	}
	for _, n := range c.Nodes {
		n.Set(NodeFaults{})
		errs = append(errs, n.Start())
	}
	if n := c.unlisted; n != nil {
		errs = append(errs, c.RemoveServer(n.ID()))
		n.Close()
		c.unlisted, c.Nodes = nil, slices.DeleteFunc(slices.Clone(c.Nodes), func(other *Node) bool { return other == n })
	}
	c.Balancer.Set(BalancerFaults{})
	errs = append(errs, c.Balancer.Start(), c.Redis.Start())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("healing the cluster: %w", err)
	}
	return nil
}

// Close stops all servers.
func (c *Cluster) Close() {
	if c.Balancer != nil {
		c.Balancer.Close()
	}
	for _, n := range c.Nodes {
		n.Close()
	}
	if c.Redis != nil {
		c.Redis.endpoint.close()
	}
}
