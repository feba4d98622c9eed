package lab

import (
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
)

// alikeScenarios are differences between nodes that should not exist, and missing ones.
var alikeScenarios = []scenario{
	{
		name: "one id twice", plan: plan{}, on: named("demo ip_hash", "nginx ip_hash", "haproxy cookie"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ID = "node1" }) },
		want: []string{"duplicate_node_id"},
	},
	{
		name: "addresses mixed up", plan: plan{}, on: named("demo cookie", "haproxy cookie"),
		act: func(r *rig) {
			a, b := &r.cluster.Nodes[1], &r.cluster.Nodes[2]
			a.URL, b.URL = b.URL, a.URL
		},
		want: []string{"node_misidentified/node2", "node_misidentified/node3"},
	},
	{
		name: "two versions", on: named("demo ip_hash", "demo cookie", "nginx ip_hash", "nginx hash", "haproxy cookie"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Version = "0.9.9" }) },
		want: []string{"version_skew/node2"},
	},
	{
		name: "two settings", plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Scaling = "none" }) },
		want: []string{"settings_skew"},
	},
	{
		name: "a clock runs ahead", plan: plan{profile: "tomcat", shared: true}, on: sticky,
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 30 * time.Second }) },
		want: []string{"clock_skew/node2"},
	},
	{
		name: "primary started last", plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act: func(r *rig) {
			if err := r.node("node1").Restart(); err != nil {
				r.tb.Fatal(err)
			}
		},
		want: []string{"start_order/node1"},
	},
	{
		name: "addresses mixed up under a hash", on: named("demo ip_hash", "nginx ip_hash", "nginx hash"), plan: plan{},
		act: func(r *rig) {
			a, b := &r.cluster.Nodes[1], &r.cluster.Nodes[2]
			a.Server, b.Server = a.URL.Host, b.URL.Host
			a.URL, b.URL = b.URL, a.URL
		},
		want: []string{"node_misidentified/node2", "node_misidentified/node3"},
	},
	{
		name: "three versions", on: both(holdsAny, some), plan: plan{},
		act: func(r *rig) {
			r.change("node2", func(f *demo.NodeFaults) { f.Version = "0.9.9" })
			r.change("node3", func(f *demo.NodeFaults) { f.Version = "0.9.8" })
		},
		want: []string{"version_skew"},
	},
	{
		name: "clocks run ahead and behind", on: both(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act: func(r *rig) {
			r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 10 * time.Second })
			r.change("node3", func(f *demo.NodeFaults) { f.ClockOffset = -10 * time.Second })
		},
		want: []string{"clock_skew"},
	},
	{
		name: "a clock in the wrong time zone", on: both(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 8 * time.Hour }) },
		want: []string{"clock_skew/node2"},
	},
	{
		name: "a clock within the limit", on: both(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act: func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 2 * time.Second }) }, is: checks.Healthy,
	},
}
