package checks_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// restartedAgo returns a timeline in which node1 was restarted some seconds before the
// round.
func restartedAgo(seconds int) *checks.Timelines { return restartedAgoAt("node1", seconds) }

// restartedAgoAt returns a timeline in which a node was restarted some seconds before
// the round.
func restartedAgoAt(node string, seconds int) *checks.Timelines {
	at := began.Add(-time.Duration(seconds) * time.Second)
	return &checks.Timelines{Nodes: map[string]checks.NodeTimeline{node: {
		LastReady: began.Add(-time.Second), Restarted: at, LastSign: new(checks.Quote("its process id changed")),
		Disruptions: []checks.Disruption{{
			Span: checks.Span{From: at.Add(-time.Second), To: at}, Kind: checks.DisruptionRestart, Gone: at, Why: new(checks.Quote("its process id changed")),
		}},
	}}}
}

// losingOwn returns a healthy round in which a canary of node1, opened some seconds
// before it, has lost its session there.
func losingOwn(openedAgo int, past *checks.Timelines) *round {
	r := healthy()
	r.Past = past
	tr := r.visit("node1", "node1", "node1")
	tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Duration(openedAgo)*time.Second), "node1"
	tr.Steps[0].At = began.Add(-3 * time.Second)
	for i := range tr.Steps[1:] {
		tr.Steps[1+i].Session, tr.Steps[1+i].Kind = otherSession, probes.StepReturn
	}
	return r
}

// TestLossesAndRestarts tests which losses are attributed to a restart.
func TestLossesAndRestarts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		round *round
		want  []string
	}{
		{"opened before it", losingOwn(60, restartedAgo(5)), []string{"info node_restarted/node1"}},
		{
			"opened after it: the node loses what it opens", losingOwn(3, restartedAgo(5)),
			[]string{"critical session_lost/node1", "info node_restarted/node1"},
		},
		{
			"long after it", losingOwn(60, restartedAgo(90)),
			[]string{"critical session_lost/node1", "info node_restarted/node1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, lines(checks.Judge(tc.round.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInferredRestart tests that a restart is inferred from a node that knows no
// older session, asked directly, and keeps those that it opens now.
func TestInferredRestart(t *testing.T) {
	t.Parallel()
	check := func(renewed bool) probes.OwnerCheck {
		c := probes.OwnerCheck{
			FailoverCheck: probes.FailoverCheck{From: "node1", To: "node1", Session: "s:00000000", There: page(testPage, 200)},
			Opened:        began.Add(-time.Minute), Known: began.Add(-3 * time.Second),
		}
		c.There.At, c.There.Session = began.Add(time.Second), otherSession
		if renewed {
			c.Again = c.There
		}
		return c
	}
	for _, tc := range []struct {
		name    string
		renewed bool
		want    []string
	}{
		{"it keeps new sessions", true, []string{"info node_restarted/node1"}},
		{"it keeps none", false, []string{"critical session_lost/node1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := losingOwn(60, new(checks.Timelines))
			r.OwnerChecks = []probes.OwnerCheck{check(tc.renewed)}
			if diff := cmp.Diff(tc.want, lines(checks.Judge(r.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// remappedAgo returns a timeline in which the list changed first and last some time
// before the round.
func remappedAgo(first, last time.Duration) *checks.Timelines {
	return &checks.Timelines{Balancer: checks.BalancerTimeline{Remapped: checks.Remapping{
		At: began.Add(-first), Last: began.Add(-last), Moved: 2, Of: 2, Evidence: []checks.Message{checks.Quote("it moved")},
	}}}
}

// TestLossesDuringPauses tests that the loss of a client that paused is attributed
// to events during the pause.
func TestLossesDuringPauses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		answered string // node that answers it after the pause
		method   probes.Method
		past     *checks.Timelines
		want     []string
	}{
		{"its node restarted meanwhile", "node1", probes.MethodCookie, restartedAgo(240), nil},
		{"its node restarted meanwhile, and another one answers", "node2", probes.MethodCookie, restartedAgo(240), nil},
		{"another node did, where clients are hashed over those that are left", "node3", probes.MethodUnknown, restartedAgo(240), nil},
		{
			"another node did, and the balancer holds clients by a cookie", "node3", probes.MethodCookie, restartedAgo(240),
			[]string{"critical session_lost/node3 after a move"},
		},
		{"its node restarted before it came last", "node1", probes.MethodCookie, restartedAgo(330), []string{"critical session_lost/node1"}},
		{"a change of the list was undone meanwhile", "node2", probes.MethodCookie, remappedAgo(7*time.Minute, 4*time.Minute), nil},
		{
			"the list was changed before it came last", "node2", probes.MethodCookie, remappedAgo(7*time.Minute, 7*time.Minute),
			[]string{"critical session_lost/node2 after a move"},
		},
		{"sessions drifted meanwhile", "node2", probes.MethodUnknown, &checks.Timelines{Balancer: checks.BalancerTimeline{LastDriftAt: began.Add(-4 * time.Minute)}}, nil},
		{"nothing happened", "node2", probes.MethodCookie, new(checks.Timelines), []string{"critical session_lost/node2 after a move"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			owner := "node1"
			if tc.answered == "node3" {
				owner = "node2"
			}
			r := healthy()
			r.Past = tc.past
			r.Cluster.Balancer.Method = tc.method
			tr := r.visit(owner, tc.answered)
			tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-10*time.Minute), owner
			tr.Steps[0].At = began.Add(-5 * time.Minute)
			tr.Steps[1].Session, tr.Steps[1].Kind = otherSession, probes.StepReturn
			if diff := cmp.Diff(tc.want, lines(checks.Judge(r.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
