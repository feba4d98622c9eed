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

// key is what the balancer hashed for a walk: what it presented, else our own
// address as far as we know it.
func (v *view) key(w probes.Walk) string {
	if w.Client != "" {
		return w.Client
	}
	return w.First().Own.String()
}
