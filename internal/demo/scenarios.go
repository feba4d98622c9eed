package demo

import (
	"slices"
	"time"

	"stickwatch/internal/phrase"
)

// A Scenario is what an operator does, step by step; a deployment may bring a fault. Its steps must not run
// concurrently with other operations. In package lab, a scenario is a fault with the findings that must
// report it.
type Scenario struct {
	Name        string
	Description string // one line, for a list of choices
	Steps       []ScenarioStep
}

// A ScenarioStep is one action, and the time to watch its effects before the next one.
type ScenarioStep struct {
	Text  phrase.Phrase // what happens, and what to look at
	Do    func(*Cluster) error
	Pause time.Duration
}

// Scenarios lists the scenarios. Each can be repeated on the cluster that it leaves.
func Scenarios() []Scenario { return scenarios }

// The times suit the demo's fail_timeout of 10 s.
const (
	whileDown   = 5 * time.Second
	afterChange = 25 * time.Second
)

var scenarios = []Scenario{
	{"rolling-restart", "each node is stopped and started again, one after the other; its sessions live in its memory", slices.Concat(
		[]ScenarioStep{privateSessions}, restart("node1"), restart("node2"), restart("node3"))},
	{"bad-deployment", "every node gets a version that knows no session; then it is rolled back", []ScenarioStep{
		{phrase.New("the new version is started on every node, and it forgets every session: see what clients met"), func(c *Cluster) error {
			for _, n := range c.Nodes {
				if err := n.Restart(); err != nil {
					return err
				}
				n.Change(func(f *NodeFaults) { f.Forgetful, f.Version = true, "1.1.0" })
			}
			return nil
		}, 2 * afterChange},
		{phrase.New("it is rolled back: the incident ends"), (*Cluster).Heal, 2 * afterChange},
	}},
	{"scale-out", "a fourth node is added to the ip_hash upstream, which sends clients to other nodes", []ScenarioStep{
		privateSessions,
		{phrase.New("node4 is added to the upstream: the hash changes, and clients land on nodes that do not know them"), func(c *Cluster) error {
			if _, err := c.Node("node4"); err == nil {
				return c.AddServer("node4")
			}
			_, err := c.ScaleOut()
			return err
		}, 2 * afterChange},
		{phrase.New("node4 is removed again, which costs sessions a second time"), func(c *Cluster) error { return c.RemoveServer("node4") }, 2 * afterChange},
	}},
}

// privateSessions makes nodes keep sessions in their memory, which is what operations lose.
var privateSessions = ScenarioStep{phrase.New("no fault yet: see the session map"), keepSessionsPrivate, afterChange}

func keepSessionsPrivate(c *Cluster) error {
	for _, n := range c.Nodes {
		n.Change(func(f *NodeFaults) { f.Private = true })
	}
	return nil
}

func restart(id string) []ScenarioStep {
	return []ScenarioStep{
		{phrase.New("%s is stopped: its sessions are lost, and its clients move", id), func(c *Cluster) error { return c.StopNode(id) }, whileDown},
		{phrase.New("%s is started", id), func(c *Cluster) error { return c.StartNode(id) }, afterChange},
	}
}
