package daemon

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

// discover replaces the nodes of the configuration by a file of targets, and returns the
// function that lists nodes in it.
func (r *rig) discover(t *testing.T) (list func(...*demo.Node)) {
	t.Helper()
	path := filepath.Join(r.dir, "targets.json")
	list = func(nodes ...*demo.Node) {
		t.Helper()
		var addresses []string
		for _, n := range nodes {
			addresses = append(addresses, fmt.Sprintf("%q", n.Addr()))
		}
		next := path + ".new"
		must.Succeed(t, os.WriteFile(next, []byte(`[{"targets": [`+strings.Join(addresses, ", ")+`]}]`), 0o600))
		must.Succeed(t, os.Rename(next, path))
	}
	list(r.Nodes...)
	before, after, _ := strings.Cut(r.text, "    nodes:\n")
	_, after, _ = strings.Cut(after, "    dependencies:")
	r.write(before + fmt.Sprintf("    nodes_from: {file: {path: %q}, min_nodes: 2}\n    dependencies:", path) + after)
	return list
}

// watched returns the nodes of the newest report.
func (r *running) watched() (nodes []string) {
	for _, n := range r.Snapshots()[0].Report.Nodes {
		nodes = append(nodes, n.Node)
	}
	return nodes
}

// TestNodesComeAndGo checks that a list that changes is followed without a restart and without
// another watcher, over reloads and failures of its source.
func TestNodesComeAndGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := r.discover(t)
	d, stop := r.start(t)
	defer stop()
	has := func(want ...*demo.Node) func() bool {
		return func() bool {
			var ids []string
			for _, n := range want {
				ids = append(ids, n.Addr())
			}
			return slices.Equal(d.watched(), ids)
		}
	}
	until(t, "three nodes", has(r.Nodes...))
	watcher := d.active.Load().watcherOf("shop")

	list(r.Nodes[0], r.Nodes[1])
	until(t, "that one went", has(r.Nodes[0], r.Nodes[1]))
	list(r.Nodes[2], r.Nodes[0], r.Nodes[1])
	until(t, "that it came first", has(r.Nodes[2], r.Nodes[0], r.Nodes[1]))
	r.reload(t, d, r.text+"\n# the same\n")
	until(t, "the list after a reload", has(r.Nodes[2], r.Nodes[0], r.Nodes[1]))
	if d.active.Load().watcherOf("shop") != watcher {
		t.Error("another watcher watches the cluster, without canaries and history")
	}

	list(r.Nodes[0])
	until(t, "too few nodes to be found", func() bool {
		return slices.ContainsFunc(d.Snapshots()[0].ActiveFindings, func(f checks.ActiveFinding) bool { return f.Code == checks.DiscoveryFailing })
	})
	if !has(r.Nodes[2], r.Nodes[0], r.Nodes[1])() {
		t.Error("the last list is not in use")
	}
	for _, code := range []string{"node_down", "unknown_node"} {
		if got := d.incidents(t); slices.ContainsFunc(got, func(i string) bool { return strings.Contains(i, code) }) {
			t.Errorf("got the incidents %q", got)
		}
	}
}

// TestListOverRestart checks that the last list of a source is in use after a restart while the
// source gives none, that this is found and named, and that its next answer replaces the list.
func TestListOverRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := r.discover(t)
	d, stop := r.start(t)
	until(t, "three nodes", func() bool { return len(d.watched()) == 3 })
	stop()

	must.Succeed(t, os.Remove(filepath.Join(r.dir, "targets.json")))
	d, stop = r.start(t)
	defer stop()
	until(t, "the stored list to be named", func() bool {
		return slices.ContainsFunc(d.Snapshots()[0].ActiveFindings, func(f checks.ActiveFinding) bool {
			return f.Code == checks.DiscoveryFailing && slices.ContainsFunc(f.Evidence, func(m checks.Message) bool { return m.ID == checks.MsgSourceRestored })
		})
	})
	if got := d.watched(); len(got) != 3 {
		t.Errorf("watched are %q, want the nodes of the stored list", got)
	}
	list(r.Nodes[0], r.Nodes[1])
	until(t, "the new list", func() bool { return len(d.watched()) == 2 && d.Snapshots()[0].Report.Source.Error == "" })

	list()
	r.reload(t, d, strings.Replace(r.text, "min_nodes: 2", "min_nodes: 1, scheme: https", 1))
	if got := d.Snapshots()[0].Cluster.Nodes; len(got) > 0 {
		t.Errorf("got %d nodes of another source", len(got))
	}
}

// TestLeftNodesAreForgotten checks that the series of a node that left stay for an hour.
func TestLeftNodesAreForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := r.discover(t)
	d, stop := r.start(t)
	defer stop()
	gone := r.Nodes[2].Addr()
	d.metrics.Request(checks.Request{Cluster: "shop", Balancer: "lb", Node: gone, Outcome: checks.OutcomeStale})
	counted := func() bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(d.metrics.Counters())), func(key string) bool { return strings.Contains(key, gone) && strings.Contains(key, "stale") })
	}
	list(r.Nodes[0], r.Nodes[1])
	until(t, "that one went", func() bool { return len(d.watched()) == 2 })
	d.forgetLeftNodes(time.Now())
	if !counted() {
		t.Error("the series of a node that has just left are gone")
	}
	d.forgetLeftNodes(time.Now().Add(time.Hour))
	if counted() {
		t.Error("the series of a node that left an hour ago are still there")
	}
}
