package lab

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

var replicatedReports = []expectedReport{
	{name: "as in the guide", front: apacheSticky, is: reportSummary{checks.Healthy, checks.Yes, checks.Yes}},
	{
		// Each answer renames the session to its own Tomcat's route, and follow-ups
		// come back by the name that is theirs by then, as a browser does.
		name: "without stickysession", front: apacheScattered,
		want: []string{"session_drift"}, is: reportSummary{checks.Failing, checks.No, checks.Yes},
	},
	{
		name: "without stickysession, as is meant", front: apacheScattered, policy: probes.PolicyShared,
		is: reportSummary{checks.Healthy, checks.No, checks.Yes},
	},
	{
		name: "one stopped", front: apacheSticky, act: func(s *systemC) {
			s.tomcats[0].Stop()
			s.tb.Cleanup(s.tomcats[0].Start)
		},
		want: []string{"node_down/tomcat1"}, is: reportSummary{checks.Degraded, checks.Unknown, checks.Unknown},
	},
	{
		name: "one without AJP", front: apacheSticky, change: loseAJP,
		want: []string{"node_ejected/tomcat2"}, is: reportSummary{checks.Degraded, checks.Unknown, checks.Yes}, // nowhere to drift to
	},
}

func TestSystemCReplicated(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})
	for _, p := range replicatedReports {
		p.check(t, tomcats)
	}
	t.Run("sessions are put back", func(t *testing.T) {
		s := newSystemC(t, tomcats, apacheSticky, "", nil)
		canary := s.canary(0)
		for _, x := range canary.CheckFailover(t.Context(), s.cluster.Nodes[0], s.cluster.Nodes[1:]) {
			if x.SessionOutcome() != probes.SessionKept || x.There.Label != "tomcat2" {
				t.Errorf("presented to %s: %q answers, the session is %q", x.To, x.There.Label, x.SessionOutcome())
			}
		}
		s.checkAnswer("back through httpd", canary, canaryAnswer{200, "tomcat1", probes.SessionKept})
	})
	for name, end := range map[string]func(*Process){"stop": (*Process).Stop, "kill": (*Process).Kill} {
		t.Run("failover after a "+name, func(t *testing.T) { failsOver(t, tomcats, end) })
	}
	t.Run("nofailover", func(t *testing.T) { locksOut(t, tomcats) })
}

// TestSystemCFromAddresses: nobody has said how httpd chooses. What the guide's
// readers look for by hand is found all the same.
func TestSystemCFromAddresses(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})
	s := newSystemC(t, tomcats, apacheSticky, "", nil)
	s.cluster.Balancer.Method = probes.MethodUnknown
	report := checks.Judge(s.round())
	judgeScenario(t, scenario{is: checks.Healthy}, report)
	if diff := cmp.Diff(reportSummary{checks.Healthy, checks.Yes, checks.Yes}, reportSummary{report.Verdict, report.Session.Sticky, report.Session.Shared}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tomcats[1].Stop()
	judgeScenario(t, scenario{want: []string{"node_down/tomcat2"}, is: checks.Degraded}, checks.Judge(s.round()))
}

// failsOver is the test that the guide has done by hand. It goes on until the
// node is back: a browser then stays where it was taken in.
func failsOver(t *testing.T, tomcats []*Tomcat, end func(*Process)) {
	s := newSystemC(t, tomcats, apacheSticky, "", func(_ testing.TB, s *Server) { s.FailTimeout = time.Second })
	canary := s.canary(0)
	end(tomcats[0].Process)
	kept := canaryAnswer{200, "tomcat2", probes.SessionKept}
	s.checkAnswer("while its node is down", canary, kept)
	tomcats[0].Start()
	s.canary(0) // httpd has taken it back
	s.checkAnswer("when its node is back", canary, kept)
}

// locksOut: with nofailover=On the users of a stopped node are refused, though
// the other node has their sessions, until httpd tries the node again. New
// clients notice nothing, and a round is made of new clients.
func locksOut(t *testing.T, tomcats []*Tomcat) {
	s := newSystemC(t, tomcats, apacheNoFailover, "", nil)
	canary := s.canary(0)
	refused := canaryAnswer{503, "", probes.SessionUnknown}
	tomcats[0].Stop()
	s.checkAnswer("while its node is down", canary, refused)
	round := s.round()
	judgeScenario(t, scenario{want: []string{"node_down/tomcat1"}}, checks.Judge(round))
	round.Traces = append(round.Traces, canary.Trace())
	judgeScenario(t, scenario{want: []string{"node_down/tomcat1", "node_failing_in_rotation/tomcat1"}}, checks.Judge(round))
	tomcats[0].Start()
	s.checkAnswer("when its node is back", canary, refused)
	judgeScenario(t, scenario{want: []string{"node_ejected/tomcat1"}}, checks.Judge(s.round()))
}

func TestSystemCAsynchronous(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true, Async: true})
	expectedReport{name: "as in the guide", front: apacheSticky, is: reportSummary{checks.Healthy, checks.Yes, checks.Yes}}.check(t, tomcats)
}

func TestSystemCAlone(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair})
	expectedReport{
		name: "sticky", front: apacheSticky,
		want: []string{"session_not_shared"}, is: reportSummary{checks.Degraded, checks.Yes, checks.No},
	}.check(t, tomcats)
	t.Run("both are named", func(t *testing.T) {
		report := checks.Judge(newSystemC(t, tomcats, apacheSticky, "", nil).round())
		for _, f := range report.Findings {
			if diff := cmp.Diff(tomcatPair, slices.Sorted(slices.Values(f.Nodes))); diff != "" {
				t.Errorf("nodes of %s (-want +got):\n%s", f.Code, diff)
			}
		}
	})
	t.Run("without stickysession, as is meant", func(t *testing.T) {
		// A write that meets the other node opens a session there, so that which of
		// the two is told depends on who is asked first.
		report := checks.Judge(newSystemC(t, tomcats, apacheScattered, probes.PolicyShared, nil).round())
		judgeScenario(t, scenario{want: []string{"session_not_shared"}, also: []checks.Code{checks.SessionLost}}, report)
		if report.Session.Shared != checks.No {
			t.Errorf("got shared %s, want no", report.Session.Shared)
		}
	})
	t.Run("failover", func(t *testing.T) {
		s := newSystemC(t, tomcats, apacheSticky, "", nil)
		canary := s.canary(0)
		tomcats[0].Stop()
		s.checkAnswer("while its node is down", canary, canaryAnswer{200, "tomcat2", probes.SessionLost})
	})
}

// TestSystemCRoutes: what a jvmRoute can be wrong about. Without one, or with
// one for both, nothing tells who answers. Swapped, httpd sends each session to
// the other node, which renames it to its own route, which leads back.
func TestSystemCRoutes(t *testing.T) {
	const noSessionShown = "the answers do not show which node gave them"
	tests := []struct {
		routes         []string
		expectedReport expectedReport
	}{
		{[]string{"", ""}, expectedReport{
			name: "none", is: reportSummary{checks.Inconclusive, checks.Unknown, checks.Unknown}, reason: noSessionShown,
		}},
		{[]string{"tomcat1", "tomcat1"}, expectedReport{
			name: "one twice", is: reportSummary{checks.Inconclusive, checks.Unknown, checks.Unknown}, reason: noSessionShown,
			want: []string{"duplicate_node_id"},
		}},
		{[]string{"tomcat2", "tomcat1"}, expectedReport{
			name: "swapped", is: reportSummary{checks.Failing, checks.No, checks.Yes}, reason: "answered by another node",
			want: []string{"session_drift", "node_misidentified/tomcat1", "node_misidentified/tomcat2"},
		}},
	}
	for _, test := range tests {
		test.expectedReport.front = apacheSticky
		test.expectedReport.check(t, Tomcats(t, TomcatConfig{Nodes: tomcatPair, Routes: test.routes, Replicate: true}))
	}
}
