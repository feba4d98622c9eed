package demo

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/probes/balance"
)

// An Operation is an action of an operator on a Cluster. Unlike a Fault it is not an
// error, and Heal does not revert it.
type Operation struct {
	Name        string
	Description string // one line
	OnNode      bool   // Operate needs the id of a node for it
}

// Operations lists the operations: those on nodes first, then those on the balancer's
// list.
func Operations() []Operation {
	list := make([]Operation, len(operations))
	for i, o := range operations {
		list[i] = o.Operation
	}
	return list
}

// An operation is an Operation with its implementation.
type operation struct {
	Operation
	apply func(c *Cluster, node string) error
}

var operations = []operation{
	onNamed("stop-node", "the node's process ends, and what it has in memory is gone", (*Cluster).StopNode),
	onNamed("start-node", "a stopped node starts as a new process", (*Cluster).StartNode),
	onNamed("restart-node", "the node's process ends and a new one starts at once", (*Cluster).RestartNode),
	onAll("scale-out", "another node starts, and a reload adds it to the end of the balancer's list", func(c *Cluster) error {
		_, err := c.ScaleOut()
		return err
	}),

	onAll("reload", "the balancer reads its configuration again, which is unchanged", (*Cluster).Reload),
	onNamed("remove-server", "a reload removes the node from the balancer's list", (*Cluster).RemoveServer),
	onNamed("add-server", "a reload adds the node to the balancer's list, where it belongs by its number", (*Cluster).AddServer),
	onAll("reverse-servers", "a reload reverses the order of the balancer's list", (*Cluster).ReverseServers),
	onNamed("drain-server", "new clients avoid the node; behind nginx all do, as with `down`", func(c *Cluster, node string) error {
		return c.SetServerState(node, ServerDrain)
	}),
	onNamed("disable-server", "no request goes to the node", func(c *Cluster, node string) error {
		return c.SetServerState(node, ServerDisabled)
	}),
	onNamed("enable-server", "a drained or disabled server is used again", func(c *Cluster, node string) error {
		return c.SetServerState(node, ServerReady)
	}),
}

func onNamed(name, description string, apply func(*Cluster, string) error) operation {
	return operation{Operation{name, description, true}, apply}
}

func onAll(name, description string, apply func(*Cluster) error) operation {
	return operation{Operation{name, description, false}, func(c *Cluster, _ string) error { return apply(c) }}
}

// Operate carries out the operation of that name on the node of that id; node is ""
// where the operation needs none. It returns an error for an unknown operation or node,
// or when the balancer refuses.
//
// Operations must not run concurrently: they may change Nodes.
func (c *Cluster) Operate(name, node string) error {
	i := slices.IndexFunc(operations, func(o operation) bool { return o.Name == name })
	if i < 0 {
		return fmt.Errorf("operating the cluster by %q: want one of %q", name, operationNames())
	}
	if o := operations[i]; o.OnNode != (node != "") {
		return fmt.Errorf("operating the cluster by %q: got node %q, want a node: %t", name, node, o.OnNode)
	}
	if err := operations[i].apply(c, node); err != nil {
		return fmt.Errorf("operating the cluster by %q: %w", name, err)
	}
	return nil
}

func operationNames() []string {
	names := make([]string, len(operations))
	for i, o := range operations {
		names[i] = o.Name
	}
	return names
}

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

// RestartNode replaces a node's process by a new one.
func (c *Cluster) RestartNode(id string) error {
	n, err := c.Node(id)
	if err != nil {
		return err
	}
	return n.Restart()
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
