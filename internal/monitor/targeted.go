package monitor

import (
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A client is who a walk comes as: itself, or a key that the oracle has chosen
// because it leads to one node.
type client struct {
	key         string // "": our own address
	targetNode  string // node id; "": nobody can tell
	counterBase int    // the counter after which it writes; 0: the next one that is free
}

// aim returns one client for every node that the balancer's arithmetic can be
// made to choose. Where it cannot, there is one client: ourselves.
func targetedClients(c *probes.Cluster) []client {
	clients := nthTargetedClients(c, 0)
	if len(clients) == 0 {
		return []client{{}}
	}
	return clients
}

// aimAt returns another client than aim does that leads to a node: clients that look
// at the balancer with other keys see that it places clients differently where those
// of aim happen to stay. n tells such clients apart.
func aimAt(c *probes.Cluster, node string, n int) client {
	const keys = 8 // computing a later one takes longer
	for _, list := range [][]client{nthTargetedClients(c, 1+n%keys), nthTargetedClients(c, 0)} {
		if at := slices.IndexFunc(list, func(c client) bool { return c.targetNode == node }); at >= 0 {
			return list[at]
		}
	}
	return targetedClients(c)[0]
}

// nthTargetedClients returns the nth client that leads to each node; none where the
// balancer cannot be told a key.
func nthTargetedClients(c *probes.Cluster, nth int) []client {
	picker, ok := checks.Oracle(c)
	if !ok || c.Balancer.KeyHeader() == "" {
		return nil
	}
	var clients []client
	for i, n := range c.Nodes {
		if n.Down || n.Backup {
			continue
		}
		if key, ok := keyFor(c, picker, i, nth); ok {
			clients = append(clients, client{key: key, targetNode: n.ID})
		}
	}
	return clients
}

func keyFor(c *probes.Cluster, picker balance.Picker, server, nth int) (string, bool) {
	if c.Balancer.Method == probes.MethodHash && c.Balancer.HashKey != "$remote_addr" {
		return balance.KeyFor(picker, server, nth)
	}
	addr, ok := balance.ClientFor(picker, server, nth)
	return addr.String(), ok
}

// sourceHashed reports whether the balancer sends one source address to one
// node, so that new clients from here meet no other.
func sourceHashed(c *probes.Cluster) bool {
	return c.Balancer.Method == probes.MethodIPHash || c.Balancer.Method == probes.MethodHash
}
