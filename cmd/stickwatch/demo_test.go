package main

import (
	"testing"

	"stickwatch/internal/demo"
)

// TestDemoConfigurationStays: a reload during a fault does not list the node that the fault adds.
func TestDemoConfigurationStays(t *testing.T) {
	cluster, err := demo.Start(demo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	read := (&demoOptions{listen: "127.0.0.1:0"}).configOf(cluster, t.TempDir())
	if err := cluster.Break("unknown-node"); err != nil {
		t.Fatal(err)
	}
	cfg, err := read()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(cfg.Clusters[0].Nodes); n != 3 {
		t.Errorf("got %d nodes, want 3", n)
	}
}
