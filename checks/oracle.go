package checks

import (
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// Oracle returns the arithmetic by which c's balancer chooses a node, and
// whether it has one that can be computed.
func Oracle(c *probes.Cluster) (balance.Picker, bool) {
	servers := make([]balance.Server, len(c.Nodes))
	for i, n := range c.Nodes {
		servers[i] = balance.Server{Name: n.ServerName(), Weight: n.Weight, Down: n.Down, Backup: n.Backup}
	}
	switch {
	case c.Balancer.Method == probes.MethodIPHash:
		return balance.IPHash(servers), true
	case c.Balancer.Method == probes.MethodHash && c.Balancer.Consistent:
		return balance.Consistent(servers), c.Balancer.HashKey != ""
	case c.Balancer.Method == probes.MethodHash:
		return balance.Hash(servers), c.Balancer.HashKey != ""
	default:
		return nil, false
	}
}

// hashesAddress reports whether what the balancer hashes of a client is its
// address.
func hashesAddress(b probes.Balancer) bool {
	return b.Method == probes.MethodIPHash || (b.Method == probes.MethodHash && b.HashKey == "$remote_addr")
}

// key is what the balancer hashed for a walk: what it presented, or our own
// address; "" when not known.
func (v *nodeStates) key(w *trace) string {
	switch own := w.First().LocalAddress; {
	case w.Client != "":
		return w.Client
	case hashesAddress(v.Cluster.Balancer) && own.IsValid():
		return own.String()
	default:
		return ""
	}
}
