package web

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

var seenInEnglish = viewContext{formatter: formatter{english, time.UTC}, now: testTime}

// words returns the tone and label of each cell of a row.
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
		{"out as set", func(c *fakeCluster, n *checks.NodeReport) {
			c.Cluster.Nodes[0].Down, n.InRotation = true, checks.No
		}, "ok up | ok running | no out, as set | ok stays | "},
		{"a backup that waits", func(c *fakeCluster, n *checks.NodeReport) {
			c.Cluster.Nodes[0].Backup, n.InRotation = true, checks.No
		}, "ok up | ok running | no out, as set | ok stays | "},
		{"not known", func(_ *fakeCluster, n *checks.NodeReport) { n.InRotation = checks.Unknown }, "ok up | ok running | no unknown | ok stays | "},
		{"drift", func(c *fakeCluster, _ *checks.NodeReport) {
			c.addCanary("node1", "node1", "node2")
		}, "ok up | ok running | ok in | bd drifts | "},
		{"failover", func(c *fakeCluster, n *checks.NodeReport) {
			n.InRotation = checks.No
			c.addCanary("node1", "node1", "node2")
		}, "ok up | ok running | wn out | wn moved | "},
		{"shared", func(c *fakeCluster, _ *checks.NodeReport) {
			c.Report.Session.Policy = probes.PolicyShared
			c.addCanary("node1", "node1", "node2")
		}, "ok up | ok running | ok in | ok stays | "},
		{"lost", func(c *fakeCluster, _ *checks.NodeReport) {
			c.addCanary("node1", "node1", "node1")
			c.Report.Session.Canaries[2].Steps[1].Session = "s:0000beef"
		}, "ok up | ok running | ok in | bd lost | "},
		{"error", func(c *fakeCluster, _ *checks.NodeReport) {
			c.addCanary("node1", "node1", "")
			c.Report.Session.Canaries[2].Steps[1].Status = 502
		}, "ok up | ok running | ok in | bd no answer | "},
		{"no canary", func(c *fakeCluster, _ *checks.NodeReport) { c.Report.Session.Canaries = nil }, "ok up | ok running | ok in | na – | "},
		{"not seen", func(c *fakeCluster, _ *checks.NodeReport) { c.Report.Nodes = nil }, "no unknown | no unknown | no unknown | no unknown | "},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := healthyCluster("shop", 2)
			test.change(c, c.node("node1"))
			if got := seenInEnglish.rows(c.Snapshot, &clusterHistory{})[0].words(); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	session := func(policy probes.Policy, sticky, shared checks.Tristate) checks.Report {
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
			expect.Equal(t, "result", test.want, seenInEnglish.facts(test.report), cmp.AllowUnexported(fact{}))
		})
	}
}

// TestSessionUptime: the uptime of sessions is shown beside that of their node, and is below
// 100 % if sessions get lost.
func TestSessionUptime(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	drawing := regexp.MustCompile(`(?s)<(svg|i class=calm).*?</(svg|i)>`)
	for path, has := range map[string][]string{
		"/":         {"<span>Sessions, 90 days</span><svg><b>98.75\u00a0%</b>"},
		"/?lang=zh": {"<span>会话，90 天</span><svg><b>98.75\u00a0%</b>"},
		"/clusters/shop": {
			`<th scope="col" class="past">Node uptime, 90 days<th scope="col" class="past">Session uptime, 90 days`,
			"<td class=past>99.98\u00a0%<td class=past>98.75\u00a0%",
			`<div class="calendar"><span>node1 <span class="meta">sessions</span></span>`,
		},
		"/clusters/shop?lang=zh": {"节点可用率，90 天", "会话可用率，90 天", `<span class="meta">会话</span>`},
	} {
		body := drawing.ReplaceAllString(getPage(s, path).Body.String(), "<svg>")
		for _, want := range append(has, "98.75\u00a0%") {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		for _, bad := range []string{"no data yet", "暂无数据"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
}

// TestSessionsFollowTheirNode: in the calendars, sessions follow their node. Those of removed
// and unknown nodes are last.
func TestSessionsFollowTheirNode(t *testing.T) {
	h := &clusterHistory{days: map[checks.Target][]checks.Uptime{}}
	for _, of := range []checks.Target{
		{Kind: checks.TargetNode, Name: "node1"},
		{Kind: checks.TargetNode, Name: "node2"},
		{Kind: checks.TargetSession, Name: ""},
		{Kind: checks.TargetSession, Name: "gone"},
		{Kind: checks.TargetSession, Name: "node1"},
	} {
		of.Cluster = "shop"
		h.uptimes = append(h.uptimes, checks.Uptime{Target: of, Probes: 1, Ratio: 1})
		h.days[of] = nil
	}
	var got []string
	for _, c := range seenInEnglish.calendars(h) {
		got = append(got, c.Kind+" "+c.Name)
	}
	if got, want := strings.Join(got, ", "), " all sessions, node node1, sessions node1, node node2, sessions owner unknown, sessions gone"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestBeforeAnUpgrade: without recorded sessions, the page says so and shows no percentage. It
// says nothing if there are no sessions to follow.
func TestBeforeAnUpgrade(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	d.upgraded = true
	body := getPage(d.server(t), "/clusters/shop").Body.String()
	for _, want := range []string{
		"Session uptime: no data yet. It is recorded from this version of stickwatch on.",
		"<td class=past>99.98\u00a0%<td class=past>–<td",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, `<span class="meta">sessions</span>`) || strings.Contains(getPage(d.server(t), "/").Body.String(), "Sessions, 90 days") {
		t.Error("a page shows an uptime of sessions")
	}
	if body := getPage(d.server(t), "/clusters/shop?lang=zh").Body.String(); !strings.Contains(body, "会话可用率：暂无数据") {
		t.Error("the Chinese page does not say so")
	}
	d.fakeClusters[0].Report.Session.Policy = probes.PolicyNone
	if body := getPage(d.server(t), "/clusters/shop").Body.String(); strings.Contains(body, "no data yet") {
		t.Error("the page misses sessions where none are followed")
	}
}
