package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

var seenInEnglish = viewContext{formatter: formatter{english, time.UTC}, now: testTime}

// words is what a row says, mark and word of each cell.
func (r row) words() string {
	var all strings.Builder
	for _, c := range []verdictCell{r.Direct, r.State, r.Rotation, r.Canary} {
		fmt.Fprintf(&all, "%s %s | ", c.Tone, c.Label)
	}
	return all.String()
}

func TestMatrix(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*fakeCluster, *checks.NodeReport)
		want   string
	}{
		{"well", func(*fakeCluster, *checks.NodeReport) {}, "ok up | ok running | ok in | ok stays | "},
		{"refuses", func(_ *fakeCluster, n *checks.NodeReport) {
			n.Up, n.Status, n.Primary, n.InRotation = false, nil, probes.Exchange{Error: "refused"}, checks.No
		}, "bd down | na – | wn out | ok stays | "},
		{"errs in rotation", func(_ *fakeCluster, n *checks.NodeReport) {
			n.Up, n.Primary.Status = false, 503
		}, "bd 503 | ok running | bd in, failing | ok stays | "},
		{"paused", func(_ *fakeCluster, n *checks.NodeReport) {
			n.Status = &probes.StatusReport{Reason: "Redis Server"}
		}, "ok up | bd paused | ok in | ok stays | "},
		{"unreadable status", func(_ *fakeCluster, n *checks.NodeReport) {
			n.Status, n.StatusError = nil, "no JSON"
		}, "ok up | no unreadable | ok in | ok stays | "},
		{"a state of its own", func(_ *fakeCluster, n *checks.NodeReport) {
			n.Status.State = "WARMING UP SINCE YESTERDAY EVENING"
		}, "ok up | ok WARMING UP SINCE YEST… | ok in | ok stays | "},
		{"out as set", func(s *fakeCluster, n *checks.NodeReport) {
			s.Cluster.Nodes[0].Down, n.InRotation = true, checks.No
		}, "ok up | ok running | no out, as set | ok stays | "},
		{"a backup that waits", func(s *fakeCluster, n *checks.NodeReport) {
			s.Cluster.Nodes[0].Backup, n.InRotation = true, checks.No
		}, "ok up | ok running | no out, as set | ok stays | "},
		{"not known", func(_ *fakeCluster, n *checks.NodeReport) { n.InRotation = checks.Unknown }, "ok up | ok running | no unknown | ok stays | "},
		{"drift", func(s *fakeCluster, _ *checks.NodeReport) {
			s.canary("node1", "node1", "node2")
		}, "ok up | ok running | ok in | bd drifts | "},
		{"failover", func(s *fakeCluster, n *checks.NodeReport) {
			n.InRotation = checks.No
			s.canary("node1", "node1", "node2")
		}, "ok up | ok running | wn out | wn moved | "},
		{"shared", func(s *fakeCluster, _ *checks.NodeReport) {
			s.Report.Session.Policy = probes.PolicyShared
			s.canary("node1", "node1", "node2")
		}, "ok up | ok running | ok in | ok stays | "},
		{"lost", func(s *fakeCluster, _ *checks.NodeReport) {
			s.canary("node1", "node1", "node1")
			s.Report.Session.Canaries[2].Steps[1].Session = "s:0000beef"
		}, "ok up | ok running | ok in | bd lost | "},
		{"error", func(s *fakeCluster, _ *checks.NodeReport) {
			s.canary("node1", "node1", "")
			s.Report.Session.Canaries[2].Steps[1].Status = 502
		}, "ok up | ok running | ok in | bd no answer | "},
		{"no canary", func(s *fakeCluster, _ *checks.NodeReport) { s.Report.Session.Canaries = nil }, "ok up | ok running | ok in | na – | "},
		{"not seen", func(s *fakeCluster, _ *checks.NodeReport) { s.Report.Nodes = nil }, "no unknown | no unknown | no unknown | no unknown | "},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthyCluster("shop", 2)
			test.change(s, s.node("node1"))
			if got := seenInEnglish.rows(s.Snapshot, &clusterHistory{})[0].words(); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	session := func(policy probes.Policy, sticky, shared checks.Answer) checks.Report {
		return checks.Report{Session: checks.SessionReport{Policy: policy, Sticky: sticky, Shared: shared}}
	}
	for _, test := range []struct {
		name   string
		report checks.Report
		want   []fact
	}{
		{"sticks", session(probes.PolicySticky, checks.Yes, ""), []fact{{"Sessions", verdictCell{Tone: toneOK, Label: "stick"}}}},
		{"does not", session(probes.PolicySticky, checks.No, ""), []fact{{"Sessions", verdictCell{Tone: toneCritical, Label: "do not stick"}}}},
		{"shared", session(probes.PolicyShared, checks.No, checks.Yes), []fact{{"Sessions", verdictCell{Tone: toneOK, Label: "shared"}}}},
		{"not shared", session(probes.PolicyShared, checks.No, checks.No), []fact{{"Sessions", verdictCell{Tone: toneCritical, Label: "not shared"}}}},
		{"shared, perhaps", session(probes.PolicyShared, checks.No, checks.Unknown), []fact{{"Sessions", verdictCell{Tone: toneUnknown, Label: "unknown"}}}},
		{"none promised", session(probes.PolicyNone, "", ""), nil},
		{
			"dependencies",
			checks.Report{Dependencies: []checks.DependencyReport{{Name: "a", Up: checks.Unknown, Error: "disputed"}, {Name: "b", Up: checks.Yes}}},
			[]fact{{"a", verdictCell{toneUnknown, "unknown", "disputed"}}, {"b", verdictCell{Tone: toneOK, Label: "up"}}},
		},
		{
			"balancers",
			checks.Report{Balancers: []probes.BalancerObservation{{Primary: probes.Exchange{Error: "refused"}}, {Primary: probes.Exchange{Status: 502}}}},
			[]fact{{"Balancer", verdictCell{toneCritical, "down", "refused"}}, {"Balancer", verdictCell{Tone: toneCritical, Label: "answers 502"}}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, seenInEnglish.facts(test.report), cmp.AllowUnexported(fact{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
