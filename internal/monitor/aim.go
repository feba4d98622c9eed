package monitor

import (
	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A client is who a walk comes as: itself, or a key that the oracle has chosen
// because it leads to one node.
type client struct {
	key      string // "": our own address
	expected string // node id; "": nobody can tell
	base     int    // the counter after which it writes; 0: the next one that is free
}

// aim returns one client for every node that the balancer's arithmetic can be
// made to choose. Where it cannot, there is one client: ourselves.
func aim(c *probes.Cluster) []client {
	clients := aimNth(c, 0)
	if len(clients) == 0 {
		return []client{{}}
	}
	return clients
}

// aimNth returns the nth client that leads to each node; none where the
// balancer cannot be told a key.
func aimNth(c *probes.Cluster, nth int) []client {
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
			clients = append(clients, client{key: key, expected: n.ID})
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
