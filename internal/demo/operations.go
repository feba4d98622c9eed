package demo

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/probes/balance"
)

// The operations of this file are actions of an operator. Unlike a Fault they are no errors,
// and Heal does not revert them. They must not run concurrently: they may change Nodes.

// Node returns the node of that id.
func (c *Cluster) Node(id string) (*Node, error) {
	i := slices.IndexFunc(c.Nodes, func(n *Node) bool { return n.ID() == id })
	if i < 0 {
		return nil, fmt.Errorf("looking for node %q: there is none of that id", id)
	}
	return c.Nodes[i], nil
}

// StopNode ends a node's process: connections are refused, and its memory is lost.
func (c *Cluster) StopNode(id string) error {
	n, err := c.Node(id)
	if err != nil {
		return err
	}
	n.Kill()
	return nil
}

// StartNode starts a stopped node. It does nothing if the node runs.
func (c *Cluster) StartNode(id string) error {
	n, err := c.Node(id)
	if err != nil {
		return err
	}
	return n.Start()
}

// ScaleOut starts another node, appends it to the balancer's list, and reloads the
// balancer.
func (c *Cluster) ScaleOut() (*Node, error) {
	n, err := c.startNode(len(c.Nodes), time.Now())
	if err != nil {
		return nil, fmt.Errorf("starting a node: %w", err)
	}
	c.Nodes = append(slices.Clip(c.Nodes), n)
	return n, c.AddServer(n.ID())
}

// Switch starts as many nodes as the balancer lists and reloads the balancer with them
// alone, as a blue/green deployment does. It returns their ids.
func (c *Cluster) Switch() (started []string, err error) {
	var servers []balance.Server
	for range c.Balancer.Servers() {
		n, err := c.startNode(len(c.Nodes), time.Now())
		if err != nil {
			return started, fmt.Errorf("starting a node: %w", err)
		}
		c.Nodes = append(slices.Clip(c.Nodes), n)
		started, servers = append(started, n.ID()), append(servers, balance.Server{Name: n.Addr(), Weight: 1})
	}
	return started, c.Balancer.Reload(servers)
}

// Reload reloads the balancer with an unchanged list.
func (c *Cluster) Reload() error { return c.Balancer.Reload(c.Balancer.Servers()) }

// RemoveServer reloads the balancer without a node.
func (c *Cluster) RemoveServer(id string) error {
	n, err := c.Node(id)
	if err != nil {
		return err
	}
	servers := c.Balancer.Servers()
	i := indexOf(servers, n.Addr())
	if i < 0 {
		return fmt.Errorf("removing server %q: the balancer does not list it", id)
	}
	return c.Balancer.Reload(slices.Delete(servers, i, i+1))
}

// AddServer reloads the balancer with an unlisted node, in the position that it has in
// Nodes.
func (c *Cluster) AddServer(id string) error {
	n, err := c.Node(id)
	if err != nil {
		return err
	}
	servers, place := c.Balancer.Servers(), 0
	if indexOf(servers, n.Addr()) >= 0 {
		return fmt.Errorf("adding server %q: the balancer lists it already", id)
	}
	for _, before := range c.Nodes[:slices.Index(c.Nodes, n)] {
		if indexOf(servers, before.Addr()) >= 0 {
			place++
		}
	}
	return c.Balancer.Reload(slices.Insert(servers, place, balance.Server{Name: n.Addr(), Weight: 1}))
}

// ReverseServers reloads the balancer with its list in the opposite order.
func (c *Cluster) ReverseServers() error {
	servers := c.Balancer.Servers()
	slices.Reverse(servers)
	return c.Balancer.Reload(servers)
}

// SetServerState sets the state of the balancer's server for a node.
func (c *Cluster) SetServerState(id string, s ServerState) error {
	n, err := c.Node(id)
	if err != nil {
		return err
	}
	return c.Balancer.SetServerState(n.Addr(), s)
}
