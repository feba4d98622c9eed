package checks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// found makes a round's nodes those that a source lists.
func found(r *round) *round {
	r.Source = probes.SourceState{Name: "dns A app.internal", Answered: r.Started, Interval: 5 * time.Second, Nodes: len(r.Cluster.Nodes)}
	return r
}

// without makes a node one that the source has ceased to list at a moment.
func (r *round) without(id string, at time.Time) {
	i := slices.IndexFunc(r.Cluster.Nodes, func(n probes.Node) bool { return n.ID == id })
	r.Cluster.Left = append(r.Cluster.Left, probes.LeftNode{Node: r.Cluster.Nodes[i], LastLabel: id, At: at})
	r.Cluster.Nodes = slices.Delete(r.Cluster.Nodes, i, i+1)
	r.Nodes = slices.Delete(r.Nodes, i, i+1)
}

var discoverySpecs = []spec{
	{
		name: "the source fails", round: func() *round {
			r := found(healthy())
			r.Source.Error = "asking 127.0.0.1:53: got SERVFAIL"
			return r
		},
		want: []string{"warning discovery_failing/dns A app.internal"},
	},
	{
		name: "a balancer still sends a client to a node that has just left",
		round: func() *round {
			r := found(healthy())
			r.without("node3", began.Add(-time.Second))
			return r
		},
		want: []string{"info nodes_changed"},
	},
}

// TestNoNodesYet checks that a cluster whose source has given no list is inconclusive.
func TestNoNodesYet(t *testing.T) {
	c := cluster(0)
	c.Balancer.Method = probes.MethodIPHash
	report := checks.Judge(checks.Round{Cluster: c, Started: began, Source: probes.SourceState{Name: "file /a.json", Error: "no such file", Failing: began}})
	if report.Verdict != checks.Inconclusive || len(report.Doubts) != 1 || !strings.Contains(report.Doubts[0].String(), "file /a.json has given no list") {
		t.Errorf("got %s, %q", report.Verdict, report.Doubts)
	}
	if got := lines(report); !slices.Equal(got, []string{"warning discovery_failing/file /a.json"}) {
		t.Errorf("got %q", got)
	}
}

// leaving returns a round in which node3 has left: the canaries of earlier rounds that it
// served are answered by node1, which does not know their sessions.
func leaving(past *checks.Timelines, at time.Time) *round {
	r := found(healthy())
	r.Past, r.Every = past, 3*time.Second
	for i := range r.Traces {
		tr := &r.Traces[i]
		tr.Continued, tr.OpenerLabel, tr.Opened = true, tr.First().Label, began.Add(-time.Minute)
		tr.Steps[0].At = began.Add(-3 * time.Second)
		for n := range tr.Steps[1:] {
			if s := &tr.Steps[n+1]; tr.OpenerLabel == "node3" {
				s.Label, s.Session = "node1", "s:another0"
			}
		}
	}
	r.without("node3", at)
	return r
}

// TestLeaving checks that what a leaving node costs its clients is no session_lost and no
// node_down, and is summed up once it has settled.
func TestLeaving(t *testing.T) {
	past := checks.Judge(found(healthy()).Round).Timelines
	r := leaving(past, began.Add(-time.Second))
	report := checks.Judge(r.Round)
	if got, want := lines(report), []string{"info nodes_changed"}; !slices.Equal(got, want) {
		t.Errorf("at once: got %q, want %q", got, want)
	}
	for _, q := range report.Requests {
		if q.Node == "node3" && q.Outcome != checks.OutcomeLost && q.Served == "node1" {
			t.Errorf("got outcome %s, want that the session is lost", q.Outcome)
		}
	}
	later := found(healthy())
	later.leave("node3")
	later.without("node3", began.Add(-time.Second))
	later.Past, later.Every, later.Started = report.Timelines, r.Every, began.Add(30*time.Second)
	report = checks.Judge(later.Round)
	if got, want := lines(report), []string{"warning node_restarted/sessions lost [node3]", "info nodes_changed"}; !slices.Equal(got, want) {
		t.Errorf("settled: got %q, want %q", got, want)
	}
	if got := report.Findings[0].Summary.String(); got != "1 session of ours was lost with node3 when its source ceased to list it" {
		t.Errorf("got %q", got)
	}
}

// TestComesAndGoes checks that a node that leaves and comes back again and again is in a crash
// loop, which the short list of a headless Service would hide.
func TestComesAndGoes(t *testing.T) {
	past := checks.Judge(found(healthy()).Round).Timelines
	var report checks.Report
	for i := range 3 {
		at := began.Add(time.Duration(i) * time.Minute)
		gone := found(healthy())
		gone.leave("node3")
		gone.without("node3", at)
		gone.Past, gone.Started = past, at
		report = checks.Judge(gone.Round)
		back := found(healthy())
		back.Past, back.Started = report.Timelines, at.Add(20*time.Second)
		past = checks.Judge(back.Round).Timelines
	}
	f := report.Findings[0]
	if line(f) != "warning node_restarted/node3 crash loop" || f.Summary.String() != "node3 left the list of nodes 3 times within 2m0s, and came back in between" {
		t.Errorf("got %q: %s", lines(report), f.Summary)
	}
}

// TestUnlistedAndDiscovered checks that a node which the balancer knows before its source has
// answered again is no unknown node, and that it is one afterwards.
func TestUnlistedAndDiscovered(t *testing.T) {
	var past *checks.Timelines
	for _, tc := range []struct {
		name     string
		answered time.Duration
		want     []string
	}{
		{"first met", 0, nil},
		{"asked at once, and the answer may be cached", 2 * time.Second, nil},
		{"not listed after its TTL", 6 * time.Second, []string{"warning unknown_node/node9"}},
	} {
		r := found(healthy())
		r.newClients(1, "node9")
		r.Past, r.Source.Answered = past, began.Add(tc.answered)
		report := checks.Judge(r.Round)
		if got := lines(report); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		past = report.Timelines
	}
}

// TestUnordered checks that no arithmetic is applied to nodes without an order.
func TestUnordered(t *testing.T) {
	c := cluster(3)
	c.Balancer.Method = probes.MethodIPHash
	if _, ok := checks.Oracle(c); !ok {
		t.Fatal("ip_hash over a list cannot be computed")
	}
	c.Unordered = true
	if _, ok := checks.Oracle(c); ok {
		t.Error("ip_hash is computed over the records of a name")
	}
}
