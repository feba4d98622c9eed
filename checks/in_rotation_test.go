package checks_test

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// failing returns a function that builds a round in which node1 and node3 serve clients and
// node2 fails when asked directly, and then applies change.
func failing(change func(*round)) func() *round {
	return from(threeNodes, func(r *round) {
		r.visit("node1", "node1", "node1")
		r.visit("node3", "node3", "node3")
		r.direct("node2", page(testPage, 500))
		change(r)
	})
}

// errorBefore adds a canary of node2 that got an error between two rounds.
func errorBefore(r *round) {
	tr := r.visit("node2", "")
	tr.Continued, tr.OpenerLabel = true, "node2"
	tr.Steps[0].At, tr.Steps[1].At = began.Add(-5*time.Second), began.Add(-2*time.Second)
	tr.Steps[1].Kind, tr.Steps[1].Status = probes.StepReturn, 502
}

var inRotation = []string{"warning node_down/node2", "critical node_failing_in_rotation/node2 <- node_down/node2"}

var failingSpecs = []spec{
	{
		name: "the error response carries node2's label",
		round: changed(func(r *round) {
			r.Traces[1].Steps[3].Status = 500
		}),
		want: []string{
			"critical session_failing/node2",
			"critical node_failing_in_rotation/node2 <- session_failing",
		},
	},
	{
		name: "a client targeted at node2 gets an error",
		round: failing(func(r *round) {
			tr := r.visit("")
			tr.TargetNode, tr.Steps[0].Status = "node2", 502
		}),
		want: inRotation,
	},
	{
		name: "a client with a session on node2 times out",
		round: failing(func(r *round) {
			tr := r.visit("node2", "")
			tr.Steps[1].Exchange = hung(testPage)
		}),
		want: inRotation,
	},
	{
		name:  "a client with a session on node2 got an error before the round",
		round: failing(errorBefore),
		want:  inRotation,
	},
	{
		name:  "a client with a session on node2 got an error before the round, but node2 has recovered",
		round: changed(errorBefore),
	},
	{
		name:  "only node2 fails, and a client gets an error",
		round: failing(func(r *round) { r.visit("").Steps[0].Status = 502 }),
		want:  inRotation,
	},
	{
		name:  "only node2 fails, and a request without a session gets an error",
		round: failing(func(r *round) { r.Balancers[0].Primary.Status = 502 }),
		want:  inRotation,
	},
	{
		name: "only the session page of node2 fails",
		round: changed(func(r *round) {
			session := page(testPage, 500)
			r.node("node2").Primary, r.node("node2").Session = page("/status", 200), &session
			r.leave("node2")
			r.visit("").Steps[0].Status = 500
		}),
		want: []string{
			"warning page_failing/node2 /cluster/test",
			"critical node_failing_in_rotation/node2 <- page_failing/node2 /cluster/test",
		},
	},
	{
		name: "a client targeted at node2 and a direct request get a redirect loop",
		round: failing(func(r *round) {
			circles := page(testPage, 302)
			circles.Failure, circles.Error = probes.FailureRedirect, "redirect loop"
			r.direct("node2", circles)
			tr := r.visit("")
			tr.TargetNode, tr.Steps[0].Exchange = "node2", circles
		}),
		want: inRotation,
	},
	{
		name: "the log shows node2 tried before node3",
		round: changed(func(r *round) {
			r.down("node2")
			r.visit("10.0.0.2:8080, 10.0.0.3:8080")
		}),
		want: inRotation,
	},
	{
		name:  "the log shows that node2 answered with a redirect to another upstream",
		round: changed(func(r *round) { r.visit("10.0.0.2:8080 : 10.0.0.3:8080") }),
	},
	{
		name:  "not in rotation: no client gets an error",
		round: failing(func(*round) {}),
		want:  []string{"warning node_down/node2"},
	},
	{
		name: "not in rotation: a client targeted at a healthy node gets the error",
		round: failing(func(r *round) {
			tr := r.visit("")
			tr.TargetNode, tr.Steps[0].Status = "node1", 500
		}),
		want: []string{"warning node_down/node2"},
	},
	{
		name: "not in rotation: the balancer does not accept the connection",
		round: failing(func(r *round) {
			r.visit("").Steps[0].Exchange = probes.Exchange{At: began, Path: testPage, Failure: probes.FailureTimeout}
		}),
		want: []string{"warning node_down/node2"},
	},
	{
		name: "two nodes fail, and either may have caused the error",
		round: failing(func(r *round) {
			r.direct("node3", refused(testPage))
			r.visit("").Steps[0].Status = 500
		}),
		want: []string{"warning node_down/node2", "warning node_down/node3"},
	},
	{
		name: "a failing backup is not blamed for a client's error",
		round: failing(func(r *round) {
			r.Cluster.Nodes[1].Backup = true
			r.visit("").Steps[0].Status = 500
		}),
		want: []string{"warning node_down/node2"},
	},
}

// TestDeadAndStillTried tests that the remedy names a missing health check: the balancer says that it
// has none, or gives new clients to a node that died long ago.
func TestDeadAndStillTried(t *testing.T) {
	t.Parallel()
	died := func(seconds int) func(*round) {
		return func(r *round) {
			at := began.Add(-time.Duration(seconds) * time.Second)
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node2": {LastReady: at, UnreadySince: at, SilentSince: at}}}
		}
	}
	statistics := func(unchecked bool) func(*round) {
		return func(r *round) {
			r.Evidence = []probes.EvidenceObservation{{Kind: probes.EvidenceHAProxyStats, Source: "haproxy stats", Servers: []probes.ServerEvidence{
				{Server: r.Cluster.Nodes[1].ServerName(), State: probes.ServerUp, Unchecked: unchecked},
			}}}
		}
	}
	returning := func(r *round) {
		died(90)(r)
		r.Traces = r.Traces[:len(r.Traces)-1]
		errorBefore(r)
	}
	for name, tc := range map[string]struct {
		change  func(*round)
		want    checks.MessageID
		wantWhy bool // the summary says why a health check is missing
	}{
		"it has just died":                        {died(20), checks.MsgTakeOut, false},
		"it died long ago":                        {died(90), checks.MsgEjectFailing, true},
		"it died long ago, and only canaries try": {returning, checks.MsgTakeOut, false},
		"its server has no health check":          {statistics(true), checks.MsgAddCheck, true},
		"its server has a health check":           {statistics(false), checks.MsgTakeOut, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := failing(func(r *round) { r.visit("").Steps[0].Status = 503 })()
			tc.change(r)
			report := checks.Judge(r.Round)
			at := slices.IndexFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.NodeFailingInRotation })
			if at < 0 {
				t.Fatalf("got %q, want %s", lines(report), checks.NodeFailingInRotation)
			}
			finding := report.Findings[at]
			expect.Equal(t, "remedy", tc.want, finding.Remedy.ID)
			if why := finding.Summary.Args.Why; (why != nil) != tc.wantWhy {
				t.Errorf("got reason %v in the summary, want one: %t", why, tc.wantWhy)
			}
			for _, problem := range unsound(r.Round, report) {
				t.Error(problem)
			}
		})
	}
}

// TestTriedAgainAndAgain checks that failed requests count as one period of harm until their
// node is ready again, so that a balancer's retry after each fail_timeout continues the old
// one.
func TestTriedAgainAndAgain(t *testing.T) {
	t.Parallel()
	ago := func(seconds int) time.Time { return began.Add(-time.Duration(seconds) * time.Second) }
	for name, tc := range map[string]struct {
		lastReady time.Time
		want      bool // that clients fail is active at once
	}{
		"never ready since": {ago(40), true},
		"ready in between":  {ago(10), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := failing(func(r *round) {
				tr := r.visit("")
				tr.TargetNode, tr.Steps[0].Status = "node2", 502
			})()
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node2": {LastReady: tc.lastReady, Disruptions: []checks.Disruption{{
				Span: checks.Span{From: ago(40), To: ago(25)}, Kind: checks.DisruptionDown, Gone: ago(25), Why: new(checks.Quote("hangs")),
				Failures: checks.Span{From: ago(30), To: ago(25)},
			}}}}}
			r.Every = 3 * time.Second
			l := checks.NewLedger(checks.Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second})
			l.UpdatePartial(checks.Judge(r.Round))
			active := slices.ContainsFunc(l.Active(), func(f checks.ActiveFinding) bool { return f.Code == checks.NodeFailingInRotation })
			if active != tc.want {
				t.Errorf("active: %t, want %t", active, tc.want)
			}
		})
	}
}
