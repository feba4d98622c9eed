package checks_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A vanished is a round in which canaries find that their sessions are gone, while nodes
// keep the sessions that they open now.
type vanished struct{ *round }

// newVanished returns a healthy round that follows an uneventful one.
func newVanished() vanished {
	v := vanished{healthy()}
	v.Past, v.Every = &checks.Timelines{Nodes: make(map[string]checks.NodeTimeline)}, 3*time.Second
	return v
}

// lose adds a canary of a node whose session was last known some time before the round.
func (v vanished) lose(node string, knownAgo time.Duration) {
	tr := v.visit(node, node)
	tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute).Add(-knownAgo), node
	tr.Steps[0].At, tr.Steps[1].At = began.Add(-knownAgo), began.Add(-10*time.Millisecond)
	tr.Steps[1].Kind, tr.Steps[1].Session = probes.StepReturn, probes.Fingerprint(fmt.Sprintf("s:9%07d", v.clients))
	c := probes.OwnerCheck{
		FailoverCheck: probes.FailoverCheck{From: node, To: node, Session: tr.First().Session, There: page(testPage, 200)},
		Opened:        tr.Opened, Known: tr.Steps[0].At,
	}
	c.There.At, c.There.Session = began.Add(time.Second), otherSession
	c.Again = c.There
	v.OwnerChecks = append(v.OwnerChecks, c)
}

// keep adds a canary of a node that still has its session.
func (v vanished) keep(node string) {
	tr := v.visit(node, node)
	tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute), node
	tr.Steps[0].At, tr.Steps[1].Kind = began.Add(-3*time.Second), probes.StepReturn
}

// reportedSince sets the start that a node has reported, in the round and 15 s before it.
func (v vanished) reportedSince(node string, before, now time.Time) {
	v.Past.Nodes[node] = checks.NodeTimeline{
		LastReady: began.Add(-15 * time.Second), UpSince: before, Reported: began.Add(-15 * time.Second),
		Lived: checks.Span{From: began.Add(-time.Hour), To: began.Add(-15 * time.Second)},
	}
	v.node(node).Status = &probes.StatusReport{UpSince: now}
}

// TestVanishedSessions tests when sessions that a node no longer knows show a restart, and
// when they were lost although their node was well.
func TestVanishedSessions(t *testing.T) {
	t.Parallel()
	restarted := func(nodes ...int) (list []string) {
		for _, n := range nodes {
			list = append(list, fmt.Sprintf("info node_restarted/node%d", n))
		}
		return list
	}
	everybody := []string{"critical session_lost [node1 node2 node3]"}
	up := began.Add(-time.Hour)
	allGone := func(v vanished) {
		for i := range 3 {
			v.lose(fmt.Sprintf("node%d", i+1), 3*time.Second)
		}
	}
	for _, tc := range []struct {
		name   string
		change func(vanished)
		want   []string
	}{
		{"of all nodes at one moment", allGone, everybody},
		{"of all nodes, idle ones included", func(v vanished) { allGone(v); v.lose("node1", 5*time.Minute) }, everybody},
		{
			"of all nodes, one of which refused connections then", func(v vanished) {
				allGone(v)
				v.Past.Nodes["node2"] = checks.NodeTimeline{
					LastReady: began.Add(-4 * time.Second), RefusesConnections: true, UnreadySince: began.Add(-2 * time.Second), LastRefusedAt: began.Add(-2 * time.Second),
					Disruptions: []checks.Disruption{{
						Span: checks.Span{From: began.Add(-4 * time.Second), To: began.Add(-2 * time.Second)}, Kind: checks.DisruptionDown,
						Gone: began.Add(-2 * time.Second), Why: new(checks.Quote("it refused")),
					}},
				}
			}, restarted(1, 2, 3),
		},
		{
			"of all nodes, when a client got an error", func(v vanished) {
				allGone(v)
				tr := &v.Traces[len(v.Traces)-1]
				failed := tr.Steps[1]
				failed.At, failed.Status, failed.Label, failed.Session = began.Add(-2*time.Second), 502, "", ""
				tr.Steps = append(tr.Steps, failed)
			}, restarted(1, 2, 3),
		},
		{"of two nodes, and the third keeps older ones", func(v vanished) {
			v.lose("node1", 3*time.Second)
			v.lose("node2", 3*time.Second)
			v.keep("node3")
		}, restarted(1, 2)},
		{"of one node", func(v vanished) { v.lose("node1", 3*time.Second); v.keep("node2") }, restarted(1)},
		{"of one node that had another one a moment ago", func(v vanished) {
			v.keep("node1")
			v.Traces[len(v.Traces)-1].Steps[1].At = began.Add(100 * time.Millisecond)
			v.lose("node1", 3*time.Second)
			lost := &v.Traces[len(v.Traces)-1].Steps[1]
			lost.Label, lost.At = "node2", began.Add(500*time.Millisecond) // which answers for it
		}, restarted(1)},
		{"of one node that still has another one", func(v vanished) {
			v.lose("node1", 3*time.Second)
			v.keep("node1")
			v.Traces[len(v.Traces)-1].Steps[1].At = began.Add(2 * time.Second)
		}, []string{"critical session_lost/node1"}},
		{
			"of one node whose process is the same", func(v vanished) {
				v.lose("node1", 3*time.Second)
				v.reportedSince("node1", up, up)
			}, []string{"critical session_lost/node1"},
		},
		{
			"of one node whose process is another one", func(v vanished) {
				v.lose("node1", 3*time.Second)
				v.reportedSince("node1", up, began.Add(-2*time.Second))
			}, restarted(1),
		},
		{"of one node that has lost all of them twice before", func(v vanished) {
			v.Past.Nodes["node1"] = checks.NodeTimeline{InferredRestarts: []time.Time{began.Add(-10 * time.Minute), began.Add(-5 * time.Minute)}}
			v.lose("node1", 3*time.Second)
			v.keep("node2")
		}, []string{"critical session_lost/node1"}},
		{"of one that has, a moment after another one was restarted", func(v vanished) {
			v.Past.Nodes["node1"] = checks.NodeTimeline{InferredRestarts: []time.Time{began.Add(-10 * time.Minute), began.Add(-5 * time.Minute)}}
			v.Past.Nodes["node2"] = checks.NodeTimeline{Disruptions: []checks.Disruption{{
				Span: checks.Span{From: began.Add(-20 * time.Second), To: began.Add(-17 * time.Second)}, Kind: checks.DisruptionRestart,
				Gone: began.Add(-17 * time.Second), Why: new(checks.Quote("its process id changed")),
			}}}
			v.lose("node1", 3*time.Second)
			v.keep("node3")
		}, restarted(1)},
		{"as an earlier round has reported", func(v vanished) {
			v.Past.Balancer.LastLostAt = began.Add(-2 * time.Minute)
			v.lose("node1", 5*time.Minute)
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := newVanished()
			tc.change(v)
			if diff := cmp.Diff(tc.want, lines(checks.Judge(v.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLeakIsNoRestart tests that sessions that are gone while clients get each other's show no restart.
func TestLeakIsNoRestart(t *testing.T) {
	t.Parallel()
	for _, leaks := range []bool{false, true} {
		v := newVanished()
		v.lose("node1", 3*time.Second)
		if leaks { // two clients with one session
			id := v.visit("node2", "node2").First().Session
			second := v.visit("node2", "node2")
			for i := range second.Steps {
				second.Steps[i].Session = id
			}
		}
		restarted := slices.Contains(lines(checks.Judge(v.Round)), "info node_restarted/node1")
		if restarted == leaks {
			t.Errorf("leaks: %t; got %q", leaks, lines(checks.Judge(v.Round)))
		}
	}
}

// TestStoreEmptied tests what a store that was emptied looks like where any node may answer:
// one loss of everybody, and no matter of moves. A node that does not share the sessions
// leaves some clients their own until they meet it.
func TestStoreEmptied(t *testing.T) {
	t.Parallel()
	shared := func(change func(vanished)) *round {
		v := newVanished()
		v.Cluster.Session.Policy, v.Cluster.Balancer.Method = probes.PolicyShared, probes.MethodRoundRobin
		change(v)
		v.OwnerChecks = nil // the policy needs none
		return v.round
	}
	allGone := func(v vanished) {
		v.lose("node1", 3*time.Second)
		v.lose("node2", 3*time.Second)
		for i, other := range []string{"node2", "node3"} { // another node answers each
			v.Traces[len(v.Traces)-2+i].Steps[1].Label = other
		}
	}
	for _, tc := range []struct {
		name   string
		change func(vanished)
		want   string // key of session_lost
		text   checks.MessageID
	}{
		{"emptied", allGone, "session_lost", checks.MsgLostByAll},
		{"a client keeps its own", func(v vanished) { allGone(v); v.keep("node3") }, "session_lost/after a move", checks.MsgLostAfterMove},
		{"a newer client loses its own, too", func(v vanished) {
			allGone(v)
			tr := v.visit("node1", "node2")
			tr.Opened, tr.Steps[1].Session = began.Add(time.Second), otherSession
			tr.Steps[0].At, tr.Steps[1].At = tr.Opened, began.Add(2*time.Second)
		}, "session_lost/after a move", checks.MsgLostAfterMove},
		{"one of them, and nodes know each other's", func(v vanished) {
			allGone(v)
			v.keep("node3")
			v.FailoverChecks = []probes.FailoverCheck{{From: "node1", To: "node2", Session: "s:shared", There: page(testPage, 200)}}
			v.FailoverChecks[0].There.Session = "s:shared"
		}, "session_lost", checks.MsgLost},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range checks.Judge(shared(tc.change).Round).Findings {
				if f.Code == checks.SessionLost && f.Key() == tc.want && f.Summary.ID == tc.text {
					return
				}
			}
			t.Errorf("findings %q, want %s with the summary %s", lines(checks.Judge(shared(tc.change).Round)), tc.want, tc.text)
		})
	}
}

// TestRestartOrDeletion: a restart that nobody has seen may have been none, which its remedy
// says, and that of the sessions that it cost.
func TestRestartOrDeletion(t *testing.T) {
	t.Parallel()
	v := newVanished()
	v.lose("node1", 3*time.Second)
	first := checks.Judge(v.Round)
	later := healthy()
	later.Past, later.Every, later.Started = first.Timelines, v.Every, began.Add(time.Minute)
	for _, f := range append(first.Findings, checks.Judge(later.Round).Findings...) {
		if f.Code == checks.NodeRestarted && f.Remedy.ID != checks.MsgRestartOrDeletion {
			t.Errorf("%s: got the remedy %s, want that sessions may have been deleted", f.Key(), f.Remedy.ID)
		}
	}
	if got := lines(checks.Judge(later.Round)); len(got) != 2 {
		t.Errorf("a minute later: got %q, want the restart and its cost", got)
	}
}

// TestRestartsWithinARound: two losses of which the second session was still known when a
// client met the first are two restarts, also if both nodes were asked later.
func TestRestartsWithinARound(t *testing.T) {
	t.Parallel()
	v := newVanished()
	v.Duration = 2 * time.Second
	v.lose("node1", 5*time.Second)
	v.Traces[len(v.Traces)-1].Steps[1].At = began.Add(-2 * time.Second)
	v.lose("node2", time.Second)
	for _, f := range checks.Judge(v.Round).Findings {
		if f.Code == checks.SessionLost {
			t.Errorf("got %s %s: %s", f.Severity, f.Key(), f.Summary)
		}
	}
}
