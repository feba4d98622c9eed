package render

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/gate"
	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// moment is a number of milliseconds after testTime.
func moment(ms int) time.Time { return testTime.Add(time.Duration(ms) * time.Millisecond) }

// piece is a segment of a timeline: "node1", "!node1" for a loss, "" for a failure.
func piece(from, to int, who string) gate.Segment {
	node, lost := strings.CutPrefix(who, "!")
	return gate.Segment{Span: checks.Span{From: moment(from), To: moment(to)}, Node: node, Good: who != "", Lost: lost}
}

// rollingRestart returns the watch of a deployment on two nodes that lost one of two
// sessions.
func rollingRestart() (Results, Options) {
	p := healthyReport("shop", "node1", "node2")
	p.Session.Policy = probes.PolicyReplicated
	out := gate.Outage{
		LastGood: moment(2010), FirstBad: moment(2250), LastBad: moment(2420), FirstGood: moment(2520),
		Node: "node1", Failed: 11, Status: 502,
	}
	lost := gate.Move{
		At: moment(2520), From: "node1", To: "node2", SessionOutcome: probes.SessionLost, Session: "s:3f9a12c4",
		Cause: gate.CauseRestart, Reason: phrase.New("%s did not answer from %s to %s", "node1", moment(2300), moment(4100)),
	}
	kept := gate.Move{
		At: moment(6010), From: "node2", To: "node1", SessionOutcome: probes.SessionKept, Session: "s:91ab03de",
		Cause: gate.CauseDrain, Reason: phrase.Quote("haproxy stats http://10.0.0.9:8404/ says node2 is draining: DRAIN"), Allowed: true,
	}
	w := gate.Report{
		Cluster: "shop", Span: checks.Span{From: testTime, To: moment(10_000)}, FinalReport: p.Report,
		Requests: 132, Failed: 13, Opened: 43, Slowest: 41 * time.Millisecond, Moved: 2, Lost: 1,
		Clients: []gate.ClientReport{
			{Kind: gate.KindSession, Node: "node1", Frontend: "http://10.0.0.9:8088", Requests: 51, Failed: 11, Opened: 2, Longest: out, Segments: []gate.Segment{
				piece(0, 2010, "node1"), piece(2250, 2500, ""), piece(2515, 2520, "!node2"), piece(2770, 9990, "node2"),
			}},
			{Kind: gate.KindSession, Node: "node2", Frontend: "http://10.0.0.9:8088", Requests: 40, Opened: 1, Segments: []gate.Segment{
				piece(60, 5760, "node2"), piece(6005, 9995, "node1"),
			}},
			{Kind: gate.KindNewClient, Frontend: "http://10.0.0.9:8088", Requests: 41, Failed: 2, Segments: []gate.Segment{
				piece(120, 1890, "node1"), piece(2140, 2165, ""), piece(2190, 9940, "node2"),
			}},
		},
		Moves: []gate.Move{lost, kept}, Session: out,
		NewClient: gate.Outage{LastGood: moment(1890), FirstBad: moment(2140), LastBad: moment(2167), FirstGood: moment(2193), Failed: 2, Error: "connection refused"},
		Nodes: []gate.NodeReport{
			{Node: "node1", Before: "4.1", After: "4.2", Downs: []gate.Outage{{LastGood: moment(2150), FirstBad: moment(2300), LastBad: moment(4050), FirstGood: moment(4100)}}},
			{Node: "node2", Before: "4.1", After: "4.1"},
		},
		Guarantees: []gate.Guarantee{
			{Name: phrase.New("no session is lost"), Code: checks.SessionLost, Severity: checks.Critical, Kept: checks.No, Reasons: []phrase.Phrase{lost.Explained()}},
			{Name: phrase.New("sessions keep what they hold"), Code: checks.SessionRollback, Severity: checks.Critical, Kept: checks.Yes},
			{Name: phrase.New("sessions are answered"), Severity: checks.Warning, Kept: checks.No, Reasons: []phrase.Phrase{out.Describe()}},
			{Name: phrase.New("the traffic of %s reaches zero", "node2"), Severity: checks.Critical, Kept: checks.Unknown, Reasons: []phrase.Phrase{phrase.New("neither the balancer nor new clients provide evidence")}},
		},
		Doubts: []phrase.Phrase{phrase.New("no session could be held on %s: none of our clients was sent there", "node3")},
	}
	r, opts := shown(p)
	r.Clusters[0].Verdict = WorstVerdict(r.Clusters[0].Verdict, w.Verdict())
	r.Watches = map[string]gate.Report{"shop": w}
	r.Command = &Command{Name: "deploy.sh", Duration: 9 * time.Second}
	return r, opts
}

func TestRenderWatchGolden(t *testing.T) {
	for _, format := range Formats {
		t.Run(format, func(t *testing.T) {
			r, opts := rollingRestart()
			golden(t, "rolling_restart."+format, rendered(t, format, r, opts))
		})
	}
	t.Run("terminal", func(t *testing.T) {
		r, opts := rollingRestart()
		opts.Width, opts.Colour = 100, true
		golden(t, "rolling_restart.terminal", rendered(t, "table", r, opts))
	})
}

// TestRenderWatchWidth: no timeline is wider than the terminal.
func TestRenderWatchWidth(t *testing.T) {
	for _, width := range []int{40, 60, 80, 120, 300} {
		r, opts := rollingRestart()
		opts.Width = width
		for line := range strings.Lines(rendered(t, "table", r, opts)) {
			if got := lipgloss.Width(strings.TrimSuffix(line, "\n")); strings.HasPrefix(line, "  client") && got > max(width, 60) {
				t.Errorf("a timeline takes %d columns of %d: %q", got, width, line)
			}
		}
	}
}

// TestRenderWatchHostile: names of nodes never command the terminal.
func TestRenderWatchHostile(t *testing.T) {
	const hostileText = "n\x1b[2J\u202e`|\n<b>"
	for _, format := range Formats {
		r, opts := rollingRestart()
		w := r.Watches["shop"]
		w.Moves[0].From, w.Moves[0].Reason, w.Clients[0].Node, w.Nodes[0].Node = hostileText, phrase.Quote(hostileText), hostileText, hostileText
		w.Session.Error, w.Guarantees[0].Reasons[0], w.Doubts[0], w.Nodes[0].After = hostileText, phrase.Quote(hostileText), phrase.Quote(hostileText), hostileText
		var b bytes.Buffer
		must.Succeed(t, Report(&b, format, r, opts))
		for i, c := range b.String() {
			if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
				t.Errorf("%s: %U at byte %d", format, c, i)
			}
		}
	}
}

func TestTimeline(t *testing.T) {
	k := newTimelineLegend(gate.Report{Nodes: []gate.NodeReport{{Node: "node1"}, {Node: "node2"}}})
	for _, tt := range []struct {
		name   string
		pieces []gate.Segment
		want   string
	}{
		{"one node", []gate.Segment{piece(0, 1000, "node1")}, "1111111111"},
		{"between two requests it stays", []gate.Segment{piece(0, 10, "node1"), piece(900, 990, "node2")}, "1111111112"},
		{"a short failure shows", []gate.Segment{piece(0, 500, "node1"), piece(510, 511, ""), piece(520, 1000, "node1")}, "11111×1111"},
		{"a loss outweighs all", []gate.Segment{piece(0, 310, "node1"), piece(320, 325, ""), piece(330, 335, "!node2"), piece(420, 1000, "node2")}, "111!222222"},
		{"several in one column", []gate.Segment{piece(0, 40, "node1"), piece(50, 60, "node2"), piece(110, 1000, "node2")}, "*222222222"},
		{"before the watch", []gate.Segment{piece(-50, -10, "node1"), piece(250, 1000, "node2")}, "1122222222"},
		{"an unknown node", []gate.Segment{piece(0, 1000, `"x"`)}, "??????????"},
		{"before the first request", []gate.Segment{piece(500, 1000, "node1")}, "·····11111"},
		{"without a label", []gate.Segment{{Span: checks.Span{From: moment(0), To: moment(1000)}, Good: true}}, "··········"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := join(k.draw(gate.ClientReport{Segments: tt.pieces}, checks.Span{From: testTime, To: moment(1000)}, 10))
			expect.Equal(t, "result", tt.want, got)
		})
	}
}

// TestAnswerText: the first line states whether sessions were lost.
func TestAnswerText(t *testing.T) {
	for _, tt := range []struct {
		answer gate.Summary
		want   string
	}{
		{gate.Summary{Sessions: 9, Lost: 6, Moved: 12, LongestOutage: 3400 * time.Millisecond}, "6 sessions lost, 12 moved; longest outage 3.4 s"},
		{gate.Summary{Sessions: 3, Lost: 1}, "1 session lost, 0 moved; no outage"},
		{gate.Summary{Sessions: 3}, "0 sessions lost, 0 moved; no outage"},
		{gate.Summary{LongestOutage: 250 * time.Millisecond}, "no session was watched; longest outage 250 ms"},
		{gate.Summary{Sessions: 3, Incomplete: true}, "0 sessions lost, 0 moved; no outage; incomplete (see the doubts)"},
	} {
		if got := english.answerText(tt.answer); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestAnswerOfSeveral: the losses of clusters add up, and the longest outage counts. A
// cluster without a watched session makes the summary incomplete.
func TestAnswerOfSeveral(t *testing.T) {
	r := Results{
		Clusters: []checks.Report{{Cluster: "shop"}, {Cluster: "blog"}},
		Watches: map[string]gate.Report{
			"shop": {
				Cluster: "shop", Lost: 1, Moved: 2, Clients: []gate.ClientReport{{Kind: gate.KindSession, Opened: 1}},
				Session: gate.Outage{FirstBad: moment(0), FirstGood: moment(300)},
			},
			"blog": {Cluster: "blog", NewClient: gate.Outage{FirstBad: moment(0), FirstGood: moment(500)}},
		},
	}
	want := gate.Summary{Sessions: 1, Lost: 1, Moved: 2, LongestOutage: 500 * time.Millisecond, Incomplete: true}
	if got, ok := r.summary(); !ok || got != want {
		t.Errorf("got %+v, %t, want %+v", got, ok, want)
	}
}
