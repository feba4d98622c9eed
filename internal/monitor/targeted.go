package monitor

import (
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A client is the identity that a trace uses: the address of this machine, or a key that the
// oracle computed because it leads to a certain node.
type client struct {
	key         string // "": address of this machine
	targetNode  string // node id; "": not predictable
	counterBase int    // counter from which it writes; 0: the next free one
}

// targetedClients returns one client for every node that a balancer key can select. If there
// is no such key, it returns one client with the address of this machine.
func targetedClients(c *probes.Cluster) []client {
	clients := nthTargetedClients(c, 0)
	if len(clients) == 0 {
		return []client{{}}
	}
	return clients
}

// targetedClient returns an alternative client for a node, with another key than that of
// targetedClients. Other keys can detect a wrong placement that the keys of targetedClients
// miss. n selects the key.
func targetedClient(c *probes.Cluster, node string, n int) client {
	const keys = 8 // later keys take longer to compute
	for _, list := range [][]client{nthTargetedClients(c, 1+n%keys), nthTargetedClients(c, 0)} {
		if at := slices.IndexFunc(list, func(c client) bool { return c.targetNode == node }); at >= 0 {
			return list[at]
		}
	}
	return targetedClients(c)[0]
}

// nthTargetedClients returns the nth client for each node, or nil if keys cannot be sent to
// the balancer.
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
	if c.Balancer.Method == probes.MethodHash && !c.Balancer.HashesAddress() {
		return balance.KeyFor(picker, server, nth)
	}
	addr, ok := balance.ClientFor(picker, server, nth)
	return addr.String(), ok
}
