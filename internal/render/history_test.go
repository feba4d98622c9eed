package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/internal/wire"
)

// exampleSpan is the span of exampleHistory.
var exampleSpan = checks.Span{From: testTime.Add(-24 * time.Hour), To: testTime}

// exampleHistory returns a history with elements of every kind.
func exampleHistory() ClusterHistory {
	target := func(kind checks.TargetKind, name string, probes, failed int, longest time.Duration) checks.Uptime {
		return checks.Uptime{
			Target: checks.Target{Cluster: "shop", Kind: kind, Name: name}, Probes: probes, Failed: failed,
			Ratio: float64(probes-failed) / float64(probes), Longest: longest,
		}
	}
	latency := func(kind checks.TargetKind, name string, unknown int) checks.Latency {
		return checks.Latency{
			Target: checks.Target{Cluster: "shop", Kind: kind, Name: name},
			P50:    1400 * time.Microsecond, P95: 25 * time.Millisecond, P99: 1240 * time.Millisecond, Probes: 5760, Unknown: unknown,
		}
	}
	return ClusterHistory{
		Cluster: "shop",
		Uptimes: []checks.Uptime{
			target(checks.TargetBalancer, "http://10.0.0.9:8088 10.0.0.9:8088", 5760, 0, 0),
			target(checks.TargetDependency, "Redis Server", 5760, 16, 4*time.Minute),
			target(checks.TargetNode, "node1", 5_760_000, 1, 0),
			target(checks.TargetNode, "node2", 1, 1, 0),
			target(checks.TargetSession, "", 7, 7, 9*time.Second),
			target(checks.TargetSession, "node1", 28_800, 9_600, 40*time.Second),
			target(checks.TargetSession, "node2", 28_800, 0, 0),
		},
		Latencies: []checks.Latency{
			latency(checks.TargetBalancer, "http://10.0.0.9:8088 10.0.0.9:8088", 0),
			latency(checks.TargetCanary, "node1", 3),
			latency(checks.TargetNode, "node1", 12),
			{Target: checks.Target{Cluster: "shop", Kind: checks.TargetNode, Name: "node2"}, Unknown: 7},
		},
		Incidents: []alerting.Incident{
			{
				ID: "20260314T115900250-0a0b0c0d", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Firing, Severity: checks.Warning, Silenced: "deploy 4.2",
				Cause:   checks.Finding{Code: checks.NodeEjected, Severity: checks.Warning, Node: "node2"},
				Started: testTime.Add(-time.Minute), Fired: testTime.Add(-30 * time.Second),
			},
			redisIncident(),
			{
				ID: "20260313T140000250-01020304", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Resolved, Severity: checks.Warning, Flapping: true,
				Cause:      checks.Finding{Code: checks.Slow, Severity: checks.Warning, Node: "node1", Target: "/app_a/"},
				MergedInto: "20260313T135900250-05060708",
				Started:    testTime.Add(-22 * time.Hour), Ended: testTime.Add(-22*time.Hour + 3*time.Second),
			},
		},
		Moves: []checks.Move{
			{At: testTime.Add(-90 * time.Second), Cluster: "shop", From: "node2", To: "node1", Kept: true, Session: "s:3f9a12c4", Cause: checks.Message{ID: checks.MsgMovedDown, Args: checks.Args{Node: "node2"}}},
			{At: testTime.Add(-20 * time.Hour), Cluster: "shop", From: "node1", To: `"stranger"`, Session: "s:00112233", Cause: checks.Message{ID: checks.MsgMovedUnexplained}},
		},
		Deployments: []checks.Deployment{
			{Cluster: "shop", Name: "4.1", Span: checks.Span{From: testTime.Add(-21 * time.Hour), To: testTime.Add(-21*time.Hour + 12*time.Minute)}},
			{Cluster: "shop", Name: "4.2", Span: checks.Span{From: testTime.Add(-2 * time.Minute)}},
		},
	}
}

// redisIncident returns a resolved incident with its whole timeline.
func redisIncident() alerting.Incident {
	began := testTime.Add(-3 * time.Hour)
	ended := began.Add(4 * time.Minute)
	cause := checks.Finding{
		Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis Server", Nodes: []string{"node1"},
		Summary: checks.Quote("Redis Server is down, as node1 says."), Remedy: checks.Quote("Start Redis Server; the nodes resume by themselves."),
		Evidence: []checks.Message{checks.Quote("09:00:00 redis://10.0.0.5:6379: connection refused")},
		Affected: checks.Affected{Share: 0.32, Of: 25},
	}
	paused := checks.Finding{
		Code: checks.NodePaused, Severity: checks.Critical, Node: "node1", Summary: checks.Quote("node1 has paused: Redis Server is not available."),
		Remedy: checks.Quote("Bring back Redis Server."), Evidence: []checks.Message{checks.Quote("09:00:00 node1 /status: paused")}, ExplainedBy: cause.Key(),
	}
	member := func(f checks.Finding) alerting.Member {
		return alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: f, Since: began, Last: ended}, Ended: ended}
	}
	return alerting.Incident{
		ID: "20260314T090000250-1a2b3c4d", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Resolved, Severity: checks.Critical,
		Cause: cause, Findings: []alerting.Member{member(cause), member(paused)},
		Started: began, Fired: began.Add(time.Second), Ended: ended,
		Timeline: []alerting.Event{
			{At: began, Kind: alerting.EventOpened, Finding: cause.Key(), Text: cause.Summary.String(), Reason: alerting.ReasonNewCause},
			{At: began, Kind: alerting.EventJoined, Finding: paused.Key(), Text: paused.Summary.String(), Reason: alerting.ReasonSameCause},
			{At: began.Add(time.Second), Kind: alerting.EventFired, Text: "it has held for 1s", Reason: alerting.ReasonHeld},
			{At: ended, Kind: alerting.EventLeft, Finding: cause.Key(), Text: cause.Summary.String(), Reason: alerting.ReasonGone},
			{At: ended.Add(30 * time.Second), Kind: alerting.EventResolved, Text: "nothing of it has been seen for 30s", Reason: alerting.ReasonQuiet},
		},
	}
}

func TestHistoryTables(t *testing.T) {
	for _, tt := range []struct {
		file string
		opts Options
	}{
		{"history.table", Options{}},
		{"history.terminal", Options{Width: 60, Colour: true}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			s := NewText(tt.opts)
			s.clusterHistory(exampleHistory(), exampleSpan, calendar{testTime})
			s.Blank()
			s.clusterHistory(ClusterHistory{Cluster: "blog"}, exampleSpan, calendar{testTime})
			s.Blank()
			s.incident(redisIncident(), calendar{testTime})
			golden(t, tt.file, s.String())
		})
	}
}

func TestHistoryJSON(t *testing.T) {
	var b strings.Builder
	h := exampleHistory()
	must.Succeed(t, writeJSON(&b, wireClusterHistoriesOf([]ClusterHistory{h, {Cluster: "blog"}}, exampleSpan, testTime)))
	golden(t, "history.json", b.String())
}

func TestHistoryIsBounded(t *testing.T) {
	h := ClusterHistory{Cluster: "shop"}
	for i := range maxRead {
		h.Moves = append(h.Moves, checks.Move{At: testTime, From: "node1", To: fmt.Sprint("to", i, "!"), Kept: true})
		h.Incidents = append(h.Incidents, alerting.Incident{ID: fmt.Sprint("i", i, "!"), State: alerting.Resolved})
		h.Deployments = append(h.Deployments, checks.Deployment{Name: fmt.Sprint("d", i, "!")})
	}
	s := NewText(Options{})
	s.clusterHistory(h, exampleSpan, calendar{testTime})
	text := s.String()
	if n := strings.Count(text, "… and 9980 more (-o json shows all)"); n != 3 {
		t.Errorf("%d lists are cut, want 3", n)
	}
	for _, newest := range []string{"to0!", "to19!", "i0!", "i19!", "d9999!", "d9980!", "10000 (the newest; there may be more)"} {
		if !strings.Contains(text, newest) {
			t.Errorf("%q is missing", newest)
		}
	}
	for _, older := range []string{"to20!", "i20!", "d9979!"} {
		if strings.Contains(text, older) {
			t.Errorf("%q is listed", older)
		}
	}
}

// TestHistoryBeforeAnUpgrade: where sessions have no uptime, the table states why.
func TestHistoryBeforeAnUpgrade(t *testing.T) {
	h := exampleHistory()
	shown := func() string {
		s := NewText(Options{})
		s.clusterHistory(h, exampleSpan, calendar{testTime})
		return s.String()
	}
	if text := shown(); strings.Contains(text, "no data") {
		t.Errorf("sessions have data, but the table lacks it:\n%s", text)
	}
	h.Uptimes = slices.DeleteFunc(h.Uptimes, func(u checks.Uptime) bool { return u.Kind == checks.TargetSession })
	if text := shown(); !strings.Contains(text, "session     no data  recorded since this version") {
		t.Errorf("it lacks the sentence:\n%s", text)
	}
}

// TestHistoryIsClean: text of targets and of people never commands the terminal.
func TestHistoryIsClean(t *testing.T) {
	const hostileText = "\x1b[31m\u202eevil\r\n\x00" + "界界界"
	finding := checks.Finding{
		Code: checks.NodePaused, Severity: checks.Critical, Node: hostileText, Target: hostileText, Summary: checks.Quote(hostileText), Remedy: checks.Quote(hostileText), Evidence: []checks.Message{checks.Quote(hostileText)},
	}
	incident := alerting.Incident{
		ID: "i", Cluster: hostileText, State: alerting.Firing, Cause: finding, Silenced: hostileText, Started: testTime,
		Findings: []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: finding}}},
		Timeline: []alerting.Event{{At: testTime, Kind: alerting.EventOpened, Finding: hostileText, Text: hostileText}},
	}
	h := ClusterHistory{
		Cluster:     hostileText,
		Uptimes:     []checks.Uptime{{Target: checks.Target{Kind: checks.TargetNode, Name: hostileText}, Probes: 1}},
		Incidents:   []alerting.Incident{incident},
		Moves:       []checks.Move{{From: hostileText, To: hostileText, Cause: checks.Quote(hostileText)}},
		Deployments: []checks.Deployment{{Name: hostileText}},
	}
	s := NewText(Options{})
	s.clusterHistory(h, exampleSpan, calendar{testTime})
	s.incident(incident, calendar{testTime})
	s.silences([]wire.Silence{{ID: hostileText, Cluster: hostileText, Node: hostileText, Reason: hostileText, Author: hostileText}}, testTime)
	if i := strings.IndexAny(s.String(), "\x1b\x00\r\u202e"); i >= 0 {
		t.Errorf("a control character is shown: %q", s.String()[max(0, i-40):i+4])
	}
	var b strings.Builder
	must.Succeed(t, writeJSON(&b, wireClusterHistoriesOf([]ClusterHistory{h}, exampleSpan, testTime)))
	if strings.Contains(b.String(), `\u001b`) || strings.Contains(b.String(), "\u202e") {
		t.Error("a control character is in JSON")
	}
}
