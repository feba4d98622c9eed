package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// placed returns a placement of node1's sessions, in minutes after the start of sixHours.
func placed(from, to float64, node string, outcome checks.Outcome) checks.Placement {
	at := func(minutes float64) time.Time {
		return sixHours.From.Add(time.Duration(minutes * float64(time.Minute)))
	}
	return checks.Placement{
		Cluster: "shop", Balancer: "http://lb 10.0.0.9:80", Owner: "node1", Span: checks.Span{From: at(from), To: at(to)},
		Node: node, Outcome: outcome,
	}
}

// describe returns a block as a reader sees it.
func describe(b mapBlock) string {
	size := "full"
	if b.Height == lowBar {
		size = "low"
	}
	return strings.TrimSpace(fmt.Sprintf("%s+%s %s %s %s", b.X, b.Width, size, b.Class, b.Mark))
}

func TestSessionMap(t *testing.T) {
	c := healthyCluster("shop", 3)
	for _, test := range []struct {
		name   string
		placed []checks.Placement // oldest first
		want   []string
	}{
		{"calm", []checks.Placement{placed(0, 350, "node1", checks.OutcomeServed)}, []string{"0%+97.22% full s0"}},
		{"an outage that costs the session", []checks.Placement{
			placed(0, 90, "node1", checks.OutcomeServed), placed(90.1, 90.2, "", checks.OutcomeError),
			placed(90.3, 90.3, "node2", checks.OutcomeLost), placed(180, 357, "node1", checks.OutcomeServed),
		}, []string{"0%+25.03% full s0", "25.03%+0.06% low s-other !", "50%+49.50% full s0"}},
		{"a move that holds", []checks.Placement{
			placed(0, 180, "node1", checks.OutcomeServed), placed(180.1, 357, "node2", checks.OutcomeMoved),
		}, []string{"0%+50.03% full s0", "50.03%+49.47% low s1"}},
		{"no answer", []checks.Placement{placed(180, 357, "", checks.OutcomeError)}, []string{"50%+49.50% full s-none !"}},
		{"an unlisted node", []checks.Placement{placed(180, 357, `"new"`, checks.OutcomeMoved)}, []string{"50%+49.50% low s-other"}},
		{"before the span", []checks.Placement{placed(-60, 180, "node1", checks.OutcomeServed)}, []string{"0%+50% full s0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &clusterHistory{span: sixHours}
			for i := len(test.placed) - 1; i >= 0; i-- {
				h.placements = append(h.placements, test.placed[i])
			}
			got := seenInEnglish.sessionMap(c.Snapshot, h)
			if len(got.Rows) != 1 || got.Rows[0].Name != "node1" {
				t.Fatalf("got %+v", got.Rows)
			}
			var blocks []string
			for _, b := range got.Rows[0].Blocks {
				blocks = append(blocks, describe(b))
			}
			expect.Equal(t, "result", test.want, blocks)
		})
	}
}

// TestSessionMapOfDriftIsBounded: a row has a limited number of blocks, and keeps the harm.
func TestSessionMapOfDriftIsBounded(t *testing.T) {
	var all []checks.Placement
	for i := range 3000 {
		outcome, node := checks.OutcomeServed, "node1"
		if i%2 == 1 {
			outcome, node = checks.OutcomeLost, "node2"
		}
		all = append(all, placed(0.1*float64(i), 0.1*float64(i)+0.05, node, outcome))
	}
	got := joinShort(all, sixHours)
	if len(got) > mapFineness+1 {
		t.Errorf("got %d blocks, want at most %d", len(got), mapFineness+1)
	}
	for _, p := range got {
		if p.Outcome != checks.OutcomeLost || p.Node != checks.SeveralNodes {
			t.Fatalf("a block of a drift shows %s at %q", p.Outcome, p.Node)
		}
	}
}

func TestLanesOfSeveralAddresses(t *testing.T) {
	c := healthyCluster("shop", 2)
	one, other := placed(0, 350, "node1", checks.OutcomeServed), placed(0, 350, "node1", checks.OutcomeServed)
	other.Balancer = "http://lb 10.0.0.10:80"
	stranger := placed(0, 350, "node1", checks.OutcomeServed)
	stranger.Owner = "node9"
	got := seenInEnglish.sessionMap(c.Snapshot, &clusterHistory{span: sixHours, placements: []checks.Placement{one, other, stranger}})
	var names []string
	for _, l := range got.Rows {
		names = append(names, l.Name)
	}
	expect.Equal(t, "result", []string{"node1 through 10.0.0.10:80", "node1 through 10.0.0.9:80"}, names)
}

// TestEventLines: restarts and deployments are lines. Other findings, ends, and what restarts cost together are not.
func TestEventLines(t *testing.T) {
	change := func(code checks.Code, node string, kind checks.ChangeKind) checks.Change {
		return checks.Change{Kind: kind, At: sixHours.From.Add(3 * time.Hour), ActiveFinding: checks.ActiveFinding{Finding: checks.Finding{Code: code, Node: node, Summary: checks.Quote("why")}}}
	}
	h := &clusterHistory{
		span: sixHours,
		changes: []checks.Change{
			change(checks.NodeRestarted, "node2", checks.Appeared), change(checks.NodeRestarted, "", checks.Appeared),
			change(checks.NodeDown, "node2", checks.Gone), change(checks.ClockSkew, "node2", checks.Appeared),
		},
		deployments: []checks.Deployment{{Name: "1.2", Span: checks.Span{From: sixHours.From.Add(time.Hour + 30*time.Minute)}}},
	}
	if got, want := eventLines(h, 1000, 100), "M500.0 0V100M250.0 0V100"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var m sessionMap
	m.addEvents(seenInEnglish, h)
	expect.Equal(t, "result", []mapEvent{{"50%", "R", "09:05 why"}}, m.Events)
}

// TestClientsMet: a bucket is divided into errors, losses and what was served; the smallest
// share of errors is visible.
func TestClientsMet(t *testing.T) {
	session := checks.Target{Cluster: "shop", Kind: checks.TargetSession, Name: "node1"}
	h := &clusterHistory{
		span: sixHours,
		points: map[checks.Target][]checks.Point{session: {
			{At: sixHours.From, Probes: 1000, Failed: 1, Unanswered: 1},
			{At: sixHours.From.Add(2 * bucketWidth(sixHours)), Probes: 4, Failed: 3, Unanswered: 1},
		}},
		met: []metSpan{{length: time.Hour, uptime: checks.Uptime{Probes: 200, Failed: 3, Unanswered: 1}, moved: 2}, {length: 24 * time.Hour}},
	}
	got := seenInEnglish.clientsMet(h)
	want := clientsMet{
		Served: "M0 1h1v99h-1zM2 75h1v25h-1z", Lost: "M2 25h1v50h-1z", Errors: "M0 0h1v1h-1zM2 0h1v25h-1z", Width: barBuckets,
		Label: "What clients met: 98.50\u00a0% served in 1 h",
		Ratios: []metRatio{
			{Window: "1 h", Requests: 200, Served: "98.50\u00a0%", Lost: "1.00\u00a0%", Errors: "0.50\u00a0%", AnyLost: true, AnyErrors: true, Moved: 2},
			{Window: "24 h", Served: "–", Lost: "–", Errors: "–"},
		},
	}
	expect.Equal(t, "result", want, got)
}

// TestSelectedRange: the page shows the requested span in all drawings.
func TestSelectedRange(t *testing.T) {
	s := newFakeDaemon(nodeDown("portal", 3)).server(t)
	for query, want := range map[string]string{"": "Last 6 hours", "?range=7d": "Last 7 days", "?range=1h": "Last hour", "?range=nonsense": "Last 6 hours"} {
		body := send(s, "GET", "/clusters/portal"+query, "").Body.String()
		if !strings.Contains(body, want) {
			t.Errorf("%q does not show %q", query, want)
		}
	}
}
