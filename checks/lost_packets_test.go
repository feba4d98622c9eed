package checks_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// losingPackets makes as many connects of the round take a second, while node2 answers.
func losingPackets(count int, base func() *round) func() *round {
	return from(base, func(r *round) {
		r.Nodes[1].Primary.At = began.Add(500 * time.Millisecond)
		slow := []*probes.Exchange{&r.Nodes[0].Primary, &r.Traces[0].Steps[1].Exchange, &r.Traces[1].Steps[3].Exchange}
		for _, ex := range slow[:count] {
			ex.Timing.Connect = 1003 * time.Millisecond
		}
	})
}

var packetSpecs = []spec{
	{name: "one lost packet is nothing", round: losingPackets(1, healthy)},
	{name: "two in a minute are known", round: losingPackets(2, healthy), want: []string{"info slow/lost packets [node1]"}},
	{name: "three in a minute are many", round: losingPackets(3, healthy), want: []string{"warning slow/lost packets [node1]"}},
	{name: "the machine of stickwatch stalled, and all connects under way took longer", want: []string{"info slow/lost packets [node1]"}, round: from(losingPackets(3, healthy), func(r *round) {
		r.Nodes[1].Primary.At = began
		ends := began.Add(5 * time.Second)
		for _, ex := range []*probes.Exchange{&r.Nodes[0].Primary, &r.Traces[0].Steps[1].Exchange, &r.Traces[1].Steps[3].Exchange} {
			ex.Timing.Connect = ends.Sub(ex.At)
		}
	})},
	{name: "a slow answer is no lost packet", round: changed(func(r *round) {
		for i := range r.Nodes {
			r.Nodes[i].Primary.Timing = probes.Timing{Connect: 900 * time.Millisecond, FirstByte: 1500 * time.Millisecond}
		}
	})},
	{
		name: "they explain moves away from nodes that are well", round: losingPackets(3, from(mostlyStaying, func(r *round) { r.Past = nil })),
		want: []string{"warning slow/lost packets [node1]", "warning session_drift [node1 node2 node3] <- slow/lost packets"},
	},
	{
		name:  "no drift yet: a balancer that seems to keep no client may lose connections",
		round: losingPackets(3, from(scattered, func(r *round) { r.Past = new(checks.Timelines) })),
		want:  []string{"warning slow/lost packets [node1]"},
	},
	{
		name: "they explain a session that was lost by a move",
		round: losingPackets(3, changed(func(r *round) {
			r.Traces[0].Steps[4].Label, r.Traces[0].Steps[4].Session = "node3", otherSession
		})),
		want: []string{"warning slow/lost packets [node1]", "critical session_lost/node3 after a move <- slow/lost packets"},
	},
	{
		name: "they explain a remapping of about that time", round: losingPackets(3, changed(func(r *round) { r.Past = remappedAgo(20*time.Second, 20*time.Second) })),
		want: []string{"warning slow/lost packets [node1]", "warning balancer_remapped <- slow/lost packets"},
	},
	{
		name: "they do not explain one that was long before", round: losingPackets(3, changed(func(r *round) { r.Past = remappedAgo(90*time.Second, 90*time.Second) })),
		want: []string{"warning balancer_remapped", "warning slow/lost packets [node1]"},
	},
	{
		name: "they do not explain a session that its own node lost",
		round: losingPackets(3, changed(func(r *round) {
			r.Traces[0].Steps[4].Session = otherSession
		})),
		want: []string{"critical session_lost/node1", "warning slow/lost packets [node1]"},
	},
}

// TestPacketsLostOverRounds tests that slow connects of earlier rounds count for a minute,
// and each once.
func TestPacketsLostOverRounds(t *testing.T) {
	var past *checks.Timelines
	var got []bool
	for _, second := range []int{0, 15, 30, 70, 90} {
		r := healthy()
		r.Past, r.Started = past, began.Add(time.Duration(second)*time.Second)
		if second <= 15 { // the observation of the first round is in the second one, too
			r.Nodes[0].Primary.Timing.Connect = time.Second
		}
		if second == 30 {
			r.Nodes[1].Primary.At, r.Nodes[1].Primary.Timing = r.Started, probes.Timing{Connect: 3 * time.Second, Total: 3 * time.Second}
		}
		r.Cluster.Limits.Slow = 2 * time.Second
		report := checks.Judge(r.Round)
		if d := report.Timelines.Nodes["node2"].Disruptions; len(d) > 0 {
			t.Errorf("after %d s: got disruptions %v of node2, want none: it did not fail", second, d)
		}
		past = report.Timelines
		got = append(got, slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.Slow }))
	}
	if diff := cmp.Diff([]bool{false, false, true, false, false}, got); diff != "" {
		t.Errorf("lost packets after 0, 15, 30, 70 and 90 s (-want +got):\n%s", diff)
	}
}
