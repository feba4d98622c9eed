package metrics

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// reports returns a report with data of every kind and a report without observations.
func reports() []checks.Report {
	answered := probes.Exchange{Status: 502, Certificate: time.Unix(1776000000, 0)}
	later := probes.Exchange{Status: 502, Certificate: time.Unix(1779000000, 0)}
	paused := &probes.StatusReport{State: "Paused", Reason: "no Redis"}
	clock := probes.ClockOffset{Min: -10 * time.Millisecond, Max: 20 * time.Millisecond, Samples: 2}
	return []checks.Report{{
		Cluster: "shop", Verdict: checks.Failing, Duration: 812 * time.Millisecond, Started: time.UnixMilli(1773489600250),
		Balancers: []probes.BalancerObservation{
			{URL: "http://10.0.0.9"},
			{URL: "http://10.0.0.9", Primary: answered}, // another address of the same URL
			{URL: "https://10.0.0.8", Primary: later},
			{URL: "https://10.0.0.8", Primary: answered},
		},
		Nodes: []checks.NodeReport{
			{NodeObservation: &probes.NodeObservation{Node: "node1", Version: "12.3.4", Status: paused, Clock: clock}, Up: true, InRotation: checks.Yes},
			{NodeObservation: &probes.NodeObservation{Node: "node2", Version: "12.3.5", Status: &probes.StatusReport{State: "Running"}}, InRotation: checks.No},
			{NodeObservation: &probes.NodeObservation{Node: "node3"}, InRotation: checks.Unknown},
		},
		Session:      checks.SessionReport{Sticky: checks.Yes, Shared: checks.No},
		Source:       probes.SourceState{Name: "dns A app.internal", Answered: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC), Nodes: 3},
		Dependencies: []checks.DependencyReport{{Name: "Redis Server", Up: checks.No}, {Name: "DB", Up: checks.Yes}, {Name: "NFS", Up: checks.Unknown}},
		Findings: []checks.Finding{
			{Code: checks.PageFailing, Severity: checks.Warning, Node: "node1", Target: "/app_a/", Affected: checks.Affected{Share: 0.25, Of: 12}},
			{Code: checks.PageFailing, Severity: checks.Warning, Node: "node1", Target: "/app_b/", ExplainedBy: "node_paused/node1", Affected: checks.Affected{Share: 0.5, Of: 12}},
			{Code: checks.BalancerDown, Severity: checks.Critical, Affected: checks.Affected{Share: 1, Of: 9}},
			{Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis Server"},
			{Code: checks.NodePaused, Severity: checks.Critical, Node: "node1", ExplainedBy: "dependency_down/Redis Server"},
		},
	}, {
		Cluster: "blog", Verdict: checks.Inconclusive, Started: time.UnixMilli(1773489600000),
	}}
}

func TestWrite(t *testing.T) {
	var got bytes.Buffer
	must.Succeed(t, Write(&got, reports(), nil))
	expect.Golden(t, "testdata/snapshot.txt", got.String())
}

// TestWriteWatches: a watched deployment has its results beside the gauges of the round.
func TestWriteWatches(t *testing.T) {
	var got bytes.Buffer
	err := Write(&got, nil, []WatchResult{
		{Cluster: "shop", Sessions: 9, Lost: 6, Moves: 12, LongestOutage: 3400 * time.Millisecond, Requests: 1200, Failed: 14},
		{Cluster: "blog"},
	})
	must.Succeed(t, err)
	expect.Golden(t, "testdata/watches.txt", got.String())
}

func TestRegistryIsClean(t *testing.T) {
	problems, err := testutil.GatherAndLint(newRegistry(reports()))
	must.Succeed(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestWriteHostileLabels(t *testing.T) {
	attack := "\x1b[2J\"} 1\nforged 1\\\u202e\xff" + strings.Repeat("A", 10<<10)
	r := reports()[:1]
	r[0].Nodes[1].Status.State = attack
	r[0].Dependencies[0].Name = attack
	var got bytes.Buffer
	must.Succeed(t, Write(&got, r, nil))
	for line := range strings.Lines(got.String()) {
		if !strings.HasPrefix(line, "stickwatch_") && !strings.HasPrefix(line, "# ") || len(line) > 300 {
			t.Errorf("a label broke out: %.60q", line)
		}
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("unprintable: %q", line)
		}
	}
}
