package checks_test

import (
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

func versions(expected string, running ...string) func() *round {
	return changed(func(r *round) {
		r.ExpectVersion = expected
		for i, v := range running {
			r.Nodes[i].Version = v
		}
	})
}

func settings(scaling ...string) func() *round {
	return changed(func(r *round) {
		r.Cluster.Status = &probes.Status{Path: "/status", Settings: []string{"scaling"}}
		for i, s := range scaling {
			r.Nodes[i].Status = &probes.StatusReport{State: "running"}
			if s != "" {
				r.Nodes[i].Status.Settings = map[string]string{"scaling": s}
			}
		}
	})
}

// clocks gives the clocks of nodes offsets, known to half a second.
func clocks(offsets ...time.Duration) func() *round {
	return changed(func(r *round) {
		for i, d := range offsets {
			r.Nodes[i].Clock = probes.ClockOffset{Min: d - 250*time.Millisecond, Max: d + 250*time.Millisecond, Samples: 3}
		}
	})
}

// started makes node1 the primary, and sets the minutes after nine since which nodes
// run; -1: not reported.
func started(minutes ...int) func() *round {
	return changed(func(r *round) {
		r.Cluster.Nodes[0].Primary = true
		for i, m := range minutes {
			if m >= 0 {
				r.Nodes[i].Status = &probes.StatusReport{State: "running", UpSince: began.Add(time.Duration(m) * time.Minute)}
			}
		}
	})
}

var consistencySpecs = []spec{
	{name: "version: one differs", round: versions("", "1.2", "1.1", "1.2"), want: []string{"warning version_skew/node2"}},
	{name: "version: all differ", round: versions("", "1.0", "1.1", "1.2"), want: []string{"warning version_skew [node1 node2 node3]"}},
	{name: "version: a tie", round: versions("", "1.0", "1.2"), want: []string{"warning version_skew [node1 node2]"}},
	{name: "version: one", round: versions("", "1.2", "1.2", "1.2")},
	{name: "version: one node does not report it", round: versions("", "1.2", "", "1.2")},
	{
		name:  "version: a node that is down reports nothing",
		round: from(versions("", "1.2", "1.1", "1.2"), func(r *round) { r.down("node2") }),
		want:  []string{"warning node_down/node2"},
	},
	{
		name:  "version: nor one that the operator took out",
		round: from(versions("1.2", "1.2", "1.1", "1.2"), func(r *round) { r.Cluster.Nodes[1].Down = true }),
	},
	{name: "version: not the expected one", round: versions("1.2", "1.2", "1.1", "1.2"), want: []string{"critical version_skew/node2"}},
	{name: "version: all run another than expected", round: versions("1.2", "1.1", "1.1", "1.1"), want: []string{"critical version_skew [node1 node2 node3]"}},
	{name: "version: one does not report the expected one", round: versions("1.2", "1.2", "1.2"), want: []string{"critical version_skew/node3"}},
	{name: "version: none reports the expected one: a doubt, no finding", round: versions("1.2")},
	{name: "version: the expected one", round: versions("1.2", "1.2", "1.2", "1.2")},

	{name: "settings: one differs", round: settings("horizontal", "none", "horizontal"), want: []string{"warning settings_skew/node2 scaling"}},
	{name: "settings: all differ", round: settings("a", "b", "c"), want: []string{"warning settings_skew/scaling [node1 node2 node3]"}},
	{name: "settings: equal", round: settings("none", "none", "none")},
	{name: "settings: one node has no such key", round: settings("none", "", "none")},

	{name: "clock: one is ahead", round: clocks(0, 6*time.Second, 0), want: []string{"warning clock_skew/node2"}},
	{name: "clock: one of two is ahead of ours, too", round: clocks(0, 6*time.Second), want: []string{"warning clock_skew/node2"}},
	{name: "clock: it may be more than the limit, and may be less", round: clocks(0, 5400*time.Millisecond, 0)},
	{name: "clock: not known", round: from(clocks(0, time.Hour, 0), func(r *round) { r.Nodes[1].Clock = probes.ClockOffset{} })},
	{name: "clock: no limit", round: from(clocks(0, time.Hour, 0), func(r *round) { r.Cluster.Limits.ClockSkew = 0 })},

	{name: "start order: the primary last", round: started(10, 5, 20), want: []string{"warning start_order/node1"}},
	{name: "start order: the primary first", round: started(0, 5, 20)},
	{name: "start order: at the same second", round: started(5, 5, 5)},
	{name: "start order: the primary does not report it", round: started(-1, 5, 20)},
	{name: "start order: no other node reports it", round: started(10, -1, -1)},
	{name: "start order: there is no primary", round: from(started(10, 5, 20), func(r *round) { r.Cluster.Nodes[0].Primary = false })},
}

// TestSinceObserved tests that a finding which a long round observes at its end began then, also if its
// evidence has no time.
func TestSinceObserved(t *testing.T) {
	t.Parallel()
	r := clocks(0, 0, time.Minute)()
	asked := began.Add(50 * time.Second)
	r.Duration = time.Minute
	for i := range r.Nodes {
		r.Nodes[i].Primary.At = asked
	}
	changes := checks.NewLedger(checks.Damping{}).Update(checks.Judge(r.Round))
	if len(changes) != 1 || changes[0].Code != checks.ClockSkew || !changes[0].Since.Equal(asked) {
		t.Errorf("got %v, want clock_skew since %v", changes, asked)
	}
}
