package lab

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

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
	if err != nil {
		tb.Fatal(err)
	}
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
	if err != nil {
		s.tb.Fatal(err)
	}
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
	if diff := cmp.Diff(want, s.follow(canary)); diff != "" {
		s.tb.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// A reportSummary is a report in three words.
type reportSummary struct {
	Verdict        checks.Verdict
	Sticky, Shared checks.Answer
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

func (p expectedReport) check(t *testing.T, tomcats []*Tomcat) {
	t.Run(p.name, func(t *testing.T) {
		s := newSystemC(t, tomcats, p.front, p.policy, p.change)
		if p.act != nil {
			p.act(s)
		}
		report := checks.Judge(s.round())
		judgeScenario(t, scenario{want: p.want}, report)
		if diff := cmp.Diff(p.is, reportSummary{report.Verdict, report.Session.Sticky, report.Session.Shared}); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, formatReport(report))
		}
		if !strings.Contains(report.Session.Reason.String(), p.reason) {
			t.Errorf("got reason %q, want one with %q", report.Session.Reason, p.reason)
		}
	})
}
