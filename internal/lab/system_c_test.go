package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"

	"github.com/google/go-cmp/cmp"
)

var replicatedReports = []expectedReport{
	{name: "as in the guide", front: apacheSticky, is: reportSummary{checks.Healthy, checks.Yes, checks.Yes}},
	{
		// Each answer renames the session to its own Tomcat's route, and follow-ups
		// send the new name, as a browser does.
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
		want: []string{"node_ejected/tomcat2"}, is: reportSummary{checks.Degraded, checks.Unknown, checks.Yes}, // there is only one node
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
		for _, c := range canary.CheckFailover(t.Context(), s.cluster.Nodes[0], s.cluster.Nodes[1:]) {
			if c.SessionOutcome() != probes.SessionKept || c.There.Label != "tomcat2" {
				t.Errorf("presented to %s: %q answers, the session is %q", c.To, c.There.Label, c.SessionOutcome())
			}
		}
		s.checkAnswer("back through httpd", canary, canaryAnswer{200, "tomcat1", probes.SessionKept})
	})
	for name, end := range map[string]func(*Process){"stop": (*Process).Stop, "kill": (*Process).Kill} {
		t.Run("failover after a "+name, func(t *testing.T) { failsOver(t, tomcats, end) })
	}
	t.Run("nofailover", func(t *testing.T) { locksOut(t, tomcats) })
}

// TestSystemCFromAddresses: the method is not configured. The faults that the guide's
// readers look for by hand are found all the same.
func TestSystemCFromAddresses(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})
	s := newSystemC(t, tomcats, apacheSticky, "", nil)
	s.cluster.Balancer.Method = probes.MethodUnknown
	report := checks.Judge(s.round())
	judgeScenario(t, scenario{is: checks.Healthy}, report)
	expect.Equal(t, "result", reportSummary{checks.Healthy, checks.Yes, checks.Yes}, reportSummary{report.Verdict, report.Session.Sticky, report.Session.Shared})
	tomcats[1].Stop()
	judgeScenario(t, scenario{want: []string{"node_down/tomcat2"}, is: checks.Degraded}, checks.Judge(s.round()))
}

// failsOver repeats the manual test of the guide until the node is available again: a
// browser then stays on the other node.
func failsOver(t *testing.T, tomcats []*Tomcat, end func(*Process)) {
	s := newSystemC(t, tomcats, apacheSticky, "", func(_ testing.TB, s *Server) { s.FailTimeout = time.Second })
	canary := s.canary(0)
	end(tomcats[0].Process)
	kept := canaryAnswer{200, "tomcat2", probes.SessionKept}
	s.checkAnswer("while its node is down", canary, kept)
	tomcats[0].Start()
	s.canary(0) // httpd has readmitted it
	s.checkAnswer("when its node is back", canary, kept)
}

// locksOut: with nofailover=On the users of a stopped node are rejected, although the
// other node has their sessions, until httpd tries the node again. New clients are not
// affected, and a round uses new clients.
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
			expect.Equal(t, fmt.Sprintf("nodes of %s", f.Code), tomcatPair, slices.Sorted(slices.Values(f.Nodes)))
		}
	})
	t.Run("without stickysession, as is meant", func(t *testing.T) {
		// A write that reaches the other node opens a session there, so the finding
		// depends on the order of requests.
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

// TestSystemCRoutes tests wrong jvmRoutes. Without one, or with the same one for both,
// nothing identifies the node. Swapped, httpd sends each session to the other node,
// which renames it to its own route, which leads back.
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

// TestSystemCEvidence: httpd has no connection to the AJP port of a Tomcat that is
// healthy by HTTP. The manager page shows the Tomcat's route; the status page only the
// AJP port, which the configuration must contain where hosts are the same.
func TestSystemCEvidence(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})
	for _, tc := range []struct {
		name   string
		source func(*systemC, *ApacheBalancer)
	}{
		{"the manager", func(s *systemC, a *ApacheBalancer) { apacheManager(a, &s.cluster.Balancer.Evidence, t) }},
		{"the status page", func(s *systemC, a *ApacheBalancer) {
			apacheStatus(a, &s.cluster.Balancer.Evidence, t)
			for i := range s.cluster.Nodes {
				s.cluster.Nodes[i].Server = s.ajp[i]
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSystemC(t, tomcats, apacheSticky, "", loseAJP)
			tc.source(s, s.httpd)
			judgeScenario(t, scenario{want: []string{"node_ejected/tomcat2"}}, checks.Judge(s.round()))
			report := checks.Judge(s.round()) // by now httpd has tried it
			judgeScenario(t, scenario{want: []string{"node_ejected/tomcat2"}}, report)
			wantEvidence(t, report, "by new clients: none of")
			wantEvidence(t, report, "by the balancer's evidence: apache")
		})
	}
	t.Run("the manager alone", func(t *testing.T) {
		s := newSystemC(t, tomcats, apacheSticky, probes.PolicyShared, loseAJP)
		apacheManager(s.httpd, &s.cluster.Balancer.Evidence, t)
		s.cluster.Session.Node = header(t, "X-Nobody")
		s.round()
		report := checks.Judge(s.round())
		judgeScenario(t, scenario{want: []string{"node_ejected/tomcat2"}}, report)
		wantEvidence(t, report, "by the balancer's evidence: apache")
	})
}

// loseAJP changes the address of tomcat2 to one at which nothing listens.
func loseAJP(tb testing.TB, s *Server) {
	if s.Name == "tomcat2" {
		s.Addr = FreeAddr(tb)
	}
}

// A systemC is Apache httpd in front of two Tomcats, configured by the tomcat profile
// with addresses and the method only.
type systemC struct {
	tb      testing.TB
	tomcats []*Tomcat
	httpd   *ApacheBalancer
	ajp     []string // address of each node for httpd
	cluster *probes.Cluster
}

// Sticky sessions by busyness over AJP are the first set-up of the system's guide; the
// second is without stickysession.
var (
	apacheSticky     = ApacheConfig{Scheme: "ajp", Method: "bybusyness", StickySession: "JSESSIONID|jsessionid"}
	apacheScattered  = ApacheConfig{Scheme: "ajp", Method: "bybusyness"}
	apacheNoFailover = ApacheConfig{Scheme: "ajp", Method: "bybusyness", StickySession: "JSESSIONID|jsessionid", NoFailover: true}
)

// newSystemC starts an httpd in front of Tomcats; change, unless nil, changes its
// members. The policy "" is the profile's, replicated.
func newSystemC(tb testing.TB, tomcats []*Tomcat, front ApacheConfig, policy probes.Policy, change func(testing.TB, *Server)) *systemC {
	tb.Helper()
	var ajp []string
	flags := config.Flags{Profile: "tomcat", Method: string(probes.MethodCookie), Policy: string(policy)}
	for _, t := range tomcats {
		server := Server{Name: t.Name(), Addr: t.AJP()}
		if change != nil {
			change(tb, &server)
		}
		front.Servers = append(front.Servers, server)
		ajp = append(ajp, server.Addr)
		flags.Nodes = append(flags.Nodes, t.Name()+"="+t.URL())
	}
	httpd := Apache(tb, front)
	flags.Balancer = []string{httpd.URL()}
	cfg, err := config.FromFlags(flags)
	must.Succeed(tb, err)
	return &systemC{tb, tomcats, httpd, ajp, cfg.Clusters[0]}
}

func (s *systemC) round() checks.Round {
	return new(monitor.Prober).Round(s.tb.Context(), s.cluster)
}

// canary opens sessions until one is on the i-th Tomcat, which httpd may have to
// readmit first, and stores a counter in it.
func (s *systemC) canary(i int) (canary *probes.Canary) {
	s.tb.Helper()
	frontend := probes.Resolve(s.tb.Context(), s.cluster)[0]
	err := poll(s.tb.Context(), nil, func(ctx context.Context) error {
		canary = probes.NewCanary(s.cluster, frontend, "", "", 1000)
		if canary.Open(ctx).Label != s.tomcats[i].Name() {
			return errors.New("no new client met " + s.tomcats[i].Name())
		}
		return nil
	})
	must.Succeed(s.tb, err)
	canary.Write(s.tb.Context())
	return canary
}

// A canaryAnswer is the answer to a canary's follow-up.
type canaryAnswer struct {
	Status  int
	Node    string
	Outcome probes.SessionOutcome
}

func (s *systemC) follow(canary *probes.Canary) canaryAnswer {
	ex := canary.Follow(s.tb.Context())
	trace := canary.Trace()
	return canaryAnswer{ex.Status, ex.Label, trace.SessionOutcome(len(trace.Steps) - 1)}
}

// checkAnswer sends a follow-up and compares the answer.
func (s *systemC) checkAnswer(when string, canary *probes.Canary, want canaryAnswer) {
	s.tb.Helper()
	expect.Equal(s.tb, when, want, s.follow(canary))
}

// A reportSummary is a report in three words.
type reportSummary struct {
	Verdict        checks.Verdict
	Sticky, Shared checks.Tristate
}

// An expectedReport is the expected report of a systemC.
type expectedReport struct {
	name   string
	front  ApacheConfig
	policy probes.Policy
	change func(testing.TB, *Server) // changes httpd's members
	act    func(*systemC)
	want   []string // findings, as in a scenario
	is     reportSummary
	reason string // part of the session's reason
}

func (e expectedReport) check(t *testing.T, tomcats []*Tomcat) {
	t.Run(e.name, func(t *testing.T) {
		s := newSystemC(t, tomcats, e.front, e.policy, e.change)
		if e.act != nil {
			e.act(s)
		}
		report := checks.Judge(s.round())
		judgeScenario(t, scenario{want: e.want}, report)
		if diff := cmp.Diff(e.is, reportSummary{report.Verdict, report.Session.Sticky, report.Session.Shared}); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, formatReport(report))
		}
		if !strings.Contains(report.Session.Reason.String(), e.reason) {
			t.Errorf("got reason %q, want one with %q", report.Session.Reason, e.reason)
		}
	})
}
