package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// RedisServer is what the nodes of a Cluster call the service they depend on.
const RedisServer = "Redis Server"

// A Config tells how large a cluster is and how it balances. The zero value is
// three nodes behind ip_hash that keep their sessions to themselves.
type Config struct {
	Nodes  int           // 0: 3
	Method probes.Method // "": ip_hash
	Shared bool          // one session store for all nodes
	Store  Store         // that one; nil: a new one in memory. It implies Shared
	GBK    bool          // the e-Bridge page is in GBK

	Workers        int           // of the balancer; 0: 2
	Zone           bool          // its workers share what they know of servers
	MaxFails       int           // 0: nginx's default, 1
	FailTimeout    time.Duration // 0: nginx's default, 10 s
	ClientIPHeader string        // "": X-Stickwatch-Client

	Timeout time.Duration // of the balancer, as BalancerConfig.Timeout

	Network Network // of everything; nil: loopback

	Cache CacheConfig // in front of the balancer; zero: none

	// HAProxy and HTTPD make the balancer behave as that product, and give its
	// servers the ids of the nodes as routes. nil: it behaves as nginx.
	HAProxy *HAProxyConfig
	HTTPD   *HTTPDConfig
}

// A Cluster is a balancer, the nodes behind it, and the Redis they depend on.
type Cluster struct {
	Config   Config // with the defaults filled in
	Nodes    []*Node
	Balancer *Balancer
	Redis    *Redis

	store Store // of all nodes; nil: each has its own memory
}

// Start starts a healthy cluster. The error is that there are no loopback
// addresses to be had, or that the method is unknown.
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

// startNodes starts node1, node2 and so on. They pretend to have been up for
// an hour, and to have been started in their order.
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
		GBK:          c.Config.GBK,
		Store:        c.store,
		UpSince:      since,
		Dependencies: map[string]func(context.Context) error{RedisServer: c.Redis.Ping},
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

// Break makes something go wrong, as Faults lists by name. Faults add up. The
// error is that there is no fault of that name, or that the cluster has too few
// nodes for it.
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

// Heal undoes every Break. What a fault has cost stays lost, such as sessions,
// and the balancer finds out by itself, a fail_timeout later, that a server it
// ejected is back. Where the primary was started after others, those are started
// again, as an operator would.
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
	c.Balancer.Set(BalancerFaults{})
	errs = append(errs, c.Balancer.Start(), c.Redis.Start())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("healing the cluster: %w", err)
	}
	return nil
}

// Close stops everything.
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
