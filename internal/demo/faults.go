package demo

import (
	"net/http"
	"slices"
	"time"

	"stickwatch/probes"
)

// A Fault is a fault of a Cluster.
type Fault struct {
	Name        string
	Description string // one line, for a list of choices
	Look        string // where its effects are seen; Faults sets it
	Shared      bool   // it has effects only where nodes share their sessions
	Waits       bool   // requests wait for their time-outs, so a round takes up to a minute; Faults sets it
}

// Faults lists the faults of Break, in the order of a request's path: balancer, nodes,
// sessions, dependencies of nodes, and differences between nodes.
func Faults() []Fault {
	list := make([]Fault, len(faults))
	for i, f := range faults {
		list[i] = f.Fault
		list[i].Look = lookOf(f.Name)
		list[i].Waits = slices.Contains([]string{"node-hanging", "node-endless", "slow"}, f.Name)
	}
	return list
}

// lookOf returns where the effects of a fault are seen.
func lookOf(name string) string {
	switch name {
	case "drift", "ejected", "split", "node-restarted", "session-lost", "rollback", "not-shared", "cookie-rejected", "unknown-node":
		return "Open the cluster: the session map shows which node served whom, and \"What clients met\" how many lost their session."
	case "balancer-down", "balancer-error", "all-down", "upgrade-refused", "handshake-broken":
		return "Nodes answer when asked directly, or do not: the incident says which, and how many clients it affects."
	case "node-hanging", "node-endless", "slow":
		return "Each request to node2 waits for its time-out, so wait up to a minute for the round that proves it; then see node2 in the table of nodes."
	case "redis-down", "node-paused":
		return "One incident: the dependency is the cause, and the paused nodes are below it."
	case "start-order", "duplicate-id", "version-skew", "settings-skew", "clock-skew":
		return "Clients notice nothing yet: the evidence of the finding has the nodes that differ."
	default:
		return "See node2 in the table of nodes, and whether the balancer still sends it clients."
	}
}

// A fault is a Fault with its implementation. Where one node is enough, it is the
// second, because the loss of the first, the primary, has further consequences.
type fault struct {
	Fault
	apply func(*Cluster) error
}

var faults = []fault{
	{Fault{Name: "balancer-down", Description: "the balancer refuses connections"}, func(c *Cluster) error {
		c.Balancer.Stop()
		return nil
	}},
	onBalancer("balancer-error", "the balancer answers everything with 502", func(f *BalancerFaults) {
		f.Status = http.StatusBadGateway
	}),
	{Fault{Name: "drift", Description: "the balancer uses round robin, although sessions are not shared"}, func(c *Cluster) error {
		c.Balancer.Change(func(f *BalancerFaults) { f.Method = probes.MethodRoundRobin })
		for _, n := range c.Nodes {
			n.Change(func(f *NodeFaults) { f.Private = true })
		}
		return nil
	}},
	{Fault{Name: "ejected", Description: "the balancer has ejected node2, which is healthy"}, func(c *Cluster) error {
		c.eject(0)
		return nil
	}},
	{Fault{Name: "split", Description: "one of the balancer's workers has ejected node2, the others have not"}, func(c *Cluster) error {
		c.eject(1)
		return nil
	}},
	onBalancer("upgrade-refused", "the balancer does not pass the WebSocket upgrade", func(f *BalancerFaults) {
		f.NoUpgrade = true
	}),

	{Fault{Name: "node-down", Description: "node2 refuses connections"}, func(c *Cluster) error {
		c.Nodes[1].Stop()
		return nil
	}},
	{Fault{Name: "all-down", Description: "every node refuses connections"}, func(c *Cluster) error {
		for _, n := range c.Nodes {
			n.Stop()
		}
		return nil
	}},
	onNode("node-hanging", "node2 takes requests and never answers", func(f *NodeFaults) { f.Mode = Hang }),
	onNode("node-dropping", "node2 takes requests and closes the connection", func(f *NodeFaults) { f.Mode = Drop }),
	onNode("node-failing", "node2 answers everything with 500, and the balancer does not mind", func(f *NodeFaults) {
		f.Failing = "/"
	}),
	onNode("node-garbage", "node2 answers something that is no HTTP", func(f *NodeFaults) { f.Mode = Garbage }),
	onNode("node-endless", "node2 answers with bodies that do not end", func(f *NodeFaults) { f.Mode = Endless }),
	onNode("redirect-loop", "node2 redirects in circles", func(f *NodeFaults) { f.Mode = Redirect }),
	onNode("page-failing", "node2 answers /app_a/ with 500", func(f *NodeFaults) { f.Failing = "/app_a/" }),
	onNode("slow", "node2 takes 3 s for every answer", func(f *NodeFaults) { f.Delay = 3 * time.Second }),
	{Fault{Name: "node-restarted", Description: "node2 restarts: a new process, its sessions gone"}, func(c *Cluster) error {
		return c.Nodes[1].Restart()
	}},
	{Fault{Name: "start-order", Description: "node1, the primary, restarts after the others"}, func(c *Cluster) error {
		return c.Nodes[0].Restart()
	}},

	onNode("session-lost", "node2 knows no session, and begins a new one for every request", func(f *NodeFaults) {
		f.Forgetful = true
	}),
	onNode("rollback", "node2 shows an older state of its sessions", func(f *NodeFaults) { f.Rollback = true }),
	{Fault{Name: "not-shared", Description: "every node keeps its sessions to itself, though they are meant to be shared", Shared: true}, func(c *Cluster) error {
		for _, n := range c.Nodes {
			n.Change(func(f *NodeFaults) { f.Private = true })
		}
		return nil
	}},
	onNodes("cookie-rejected", "session cookies are set for a path that does not cover the page", func(f *NodeFaults) {
		f.CookiePath = "/elsewhere"
	}),
	onNodes("handshake-broken", "no node knows an Engine.IO session, not even a fresh one", func(f *NodeFaults) {
		f.ForgetSockets = true
	}),

	{Fault{Name: "redis-down", Description: "Redis refuses connections, and every node pauses"}, func(c *Cluster) error {
		c.Redis.Stop()
		return nil
	}},
	onNode("node-paused", "node2 pauses, for it cannot reach its database", func(f *NodeFaults) {
		f.Paused = pausedBy + "DB Service"
	}),

	{Fault{Name: "duplicate-id", Description: "node2 calls itself node1"}, func(c *Cluster) error {
		c.Nodes[1].Change(func(f *NodeFaults) { f.ID = c.Nodes[0].ID() })
		return nil
	}},
	{Fault{Name: "unknown-node", Description: "the balancer also sends clients to node4, which the configuration does not list"}, func(c *Cluster) (err error) {
		c.unlisted, err = c.ScaleOut()
		return err
	}},
	onNode("version-skew", "node2 runs another version", func(f *NodeFaults) { f.Version = "0.9.9" }),
	onNode("settings-skew", "node2 runs with other settings", func(f *NodeFaults) { f.Scaling = "none" }),
	onNode("clock-skew", "node2's clock is 30 s ahead", func(f *NodeFaults) { f.ClockOffset = 30 * time.Second }),
}

// onNode returns a fault of the second node.
func onNode(name, description string, change func(*NodeFaults)) fault {
	return fault{Fault{Name: name, Description: description}, func(c *Cluster) error {
		c.Nodes[1].Change(change)
		return nil
	}}
}

// onNodes returns a fault of all nodes.
func onNodes(name, description string, change func(*NodeFaults)) fault {
	return fault{Fault{Name: name, Description: description}, func(c *Cluster) error {
		for _, n := range c.Nodes {
			n.Change(change)
		}
		return nil
	}}
}

// onBalancer returns a fault of the balancer.
func onBalancer(name, description string, change func(*BalancerFaults)) fault {
	return fault{Fault{Name: name, Description: description}, func(c *Cluster) error {
		c.Balancer.Change(change)
		return nil
	}}
}

// eject makes a worker of the balancer skip node2; 0: all workers.
func (c *Cluster) eject(worker int) {
	c.Balancer.Change(func(f *BalancerFaults) {
		f.Ejected, f.OnlyWorker = []string{c.Nodes[1].Addr()}, worker
	})
}

func faultNames() []string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.Name
	}
	return names
}
