package web

import (
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestSessionUptime: the uptime of sessions stands beside that of their node, and
// a cluster whose sessions get lost shows no 100 %.
func TestSessionUptime(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	for path, has := range map[string][]string{
		"/":         {"Session uptime, 90 days: 98.75\u00a0%"},
		"/?lang=zh": {"会话可用率，90 天：98.75\u00a0%"},
		"/clusters/shop": {
			`<th scope="col" class="past">Node uptime, 90 days<th scope="col" class="past">Session uptime, 90 days`,
			"<td class=past>99.98\u00a0%<td class=past>98.75\u00a0%",
			`<div class="calendar"><span>node1 <span class="meta">sessions</span></span>`,
		},
		"/clusters/shop?lang=zh": {"节点可用率，90 天", "会话可用率，90 天", `<span class="meta">会话</span>`},
	} {
		body := getPage(s, path).Body.String()
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

// TestSessionsFollowTheirNode in the calendars; sessions of nodes that left, and
// those without a known owner, come last.
func TestSessionsFollowTheirNode(t *testing.T) {
	r := &clusterHistory{days: map[checks.Target][]checks.Uptime{}}
	for _, of := range []checks.Target{
		{Kind: checks.TargetNode, Name: "node1"},
		{Kind: checks.TargetNode, Name: "node2"},
		{Kind: checks.TargetSession, Name: ""},
		{Kind: checks.TargetSession, Name: "gone"},
		{Kind: checks.TargetSession, Name: "node1"},
	} {
		of.Cluster = "shop"
		r.uptimes = append(r.uptimes, checks.Uptime{Target: of, Probes: 1, Ratio: 1})
		r.days[of] = nil
	}
	var got []string
	for _, c := range seenInEnglish.calendars(r) {
		got = append(got, c.Kind+" "+c.Name)
	}
	if got, want := strings.Join(got, ", "), "node node1, sessions node1, node node2, sessions owner unknown, sessions gone"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestBeforeAnUpgrade nothing is recorded of sessions: the page says so, and shows
// neither 100 % nor 0 %. Without sessions to follow there is nothing to say.
func TestBeforeAnUpgrade(t *testing.T) {
	w := newFakeDaemon(healthyCluster("shop", 2))
	w.upgraded = true
	body := getPage(w.server(t), "/clusters/shop").Body.String()
	for _, want := range []string{
		"Session uptime: no data yet. It is recorded from this version of stickwatch on.",
		"<td class=past>99.98\u00a0%<td class=past>–<td",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, `<span class="meta">sessions</span>`) || strings.Contains(getPage(w.server(t), "/").Body.String(), "Session uptime, 90 days") {
		t.Error("a page shows an uptime of sessions")
	}
	if body := getPage(w.server(t), "/clusters/shop?lang=zh").Body.String(); !strings.Contains(body, "会话可用率：暂无数据") {
		t.Error("the Chinese page does not say so")
	}
	w.fakeClusters[0].Report.Session.Policy = probes.PolicyNone
	if body := getPage(w.server(t), "/clusters/shop").Body.String(); strings.Contains(body, "no data yet") {
		t.Error("the page misses sessions where none are followed")
	}
}
