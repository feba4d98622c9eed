package main

import (
	"testing"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

// TestDemoConfigurationStays: a reload during a fault does not list the node that the fault adds.
func TestDemoConfigurationStays(t *testing.T) {
	cluster, err := demo.Start(demo.Config{})
	must.Succeed(t, err)
	defer cluster.Close()
	read := (&demoOptions{listen: "127.0.0.1:0"}).configOf(cluster, t.TempDir())
	must.Succeed(t, cluster.Break("unknown-node"))
	cfg, err := read()
	must.Succeed(t, err)
	if n := len(cfg.Clusters[0].Nodes); n != 3 {
		t.Errorf("got %d nodes, want 3", n)
	}
}
