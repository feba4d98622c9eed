package gate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

func TestGoal(t *testing.T) {
	node := func(id string, change func(*checks.NodeReport)) checks.NodeReport {
		n := checks.NodeReport{NodeObservation: &probes.NodeObservation{Node: id, Version: "4.2"}, Up: true, InRotation: checks.Yes}
		n.Primary.Status = 200
		if change != nil {
			change(&n)
		}
		return n
	}
	old := func(n *checks.NodeReport) { n.Version = "4.1" }
	down := func(n *checks.NodeReport) { n.Up, n.Primary = false, probes.Exchange{Error: "connection refused"} }
	critical := checks.Finding{Code: checks.DependencyDown, Severity: checks.Critical, Nodes: []string{"node1"}, Summary: checks.Quote("Redis is down")}
	for _, tt := range []struct {
		name     string
		goal     Goal
		nodes    []checks.NodeReport
		findings []checks.Finding
		verdict  checks.Verdict
		want     []Unmet
	}{
		{"well", Goal{}, []checks.NodeReport{node("node1", nil)}, nil, checks.Healthy, nil},
		{"a finding", Goal{}, nil, []checks.Finding{critical}, checks.Failing, []Unmet{{phrase.New("Redis is down"), false}}},
		{
			"a warning below FailOn",
			Goal{},
			nil,
			[]checks.Finding{{Code: checks.Slow, Severity: checks.Warning, Summary: checks.Quote("slow")}},
			checks.Degraded, nil,
		},
		{
			"a warning at FailOn",
			Goal{FailOn: checks.Warning},
			nil,
			[]checks.Finding{{Code: checks.Slow, Severity: checks.Warning, Summary: checks.Quote("slow")}},
			checks.Degraded,
			[]Unmet{{phrase.New("slow"), false}},
		},
		{"inconclusive", Goal{}, nil, nil, checks.Inconclusive, []Unmet{{phrase.New("unknown"), true}}},
		{
			"a version",
			Goal{Version: "4.2"},
			[]checks.NodeReport{node("node1", nil), node("node2", old), node("node3", down)},
			[]checks.Finding{{Code: checks.VersionSkew, Severity: checks.Critical, Summary: checks.Quote("skew")}},
			checks.Failing,
			[]Unmet{{phrase.New("node2 runs 4.1, want 4.2"), false}, {phrase.New("node3 does not answer"), false}},
		},
		{"an unknown version", Goal{Version: "4.2"}, []checks.NodeReport{node("node1", func(n *checks.NodeReport) { n.Version = "" })}, nil, checks.Healthy, []Unmet{{phrase.New("node1 does not report its version, want 4.2"), true}}},
		{
			"a node that is down",
			Goal{Node: "node2", Version: "4.2"},
			[]checks.NodeReport{node("node2", down)},
			nil, checks.Degraded,
			[]Unmet{{phrase.New("node2 does not answer: connection refused"), false}},
		},
		{
			"a node that is out",
			Goal{Node: "node2"},
			[]checks.NodeReport{node("node2", func(n *checks.NodeReport) { n.InRotation = checks.No })},
			nil, checks.Degraded,
			[]Unmet{{phrase.New("node2 is up, and not in rotation"), false}},
		},
		{
			"an unknown node",
			Goal{Node: "node2"},
			[]checks.NodeReport{node("node2", func(n *checks.NodeReport) { n.InRotation = checks.Unknown })},
			nil, checks.Degraded,
			[]Unmet{{phrase.New("node2 is up; whether it is in rotation is not known"), true}},
		},
		{"another node's trouble", Goal{Node: "node2"}, []checks.NodeReport{node("node2", nil)}, []checks.Finding{critical}, checks.Failing, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := checks.Report{Nodes: tt.nodes, Findings: tt.findings, Verdict: tt.verdict}
			if tt.verdict == checks.Inconclusive {
				r.Doubts = []checks.Message{checks.Quote("unknown")}
			}
			expect.Equal(t, "missing", tt.want, tt.goal.Unmet(&probes.Cluster{}, r), cmp.Transformer("text", phrase.Phrase.String))
		})
	}
}

// TestOutOfRotation checks that nodes without clients are listed with the reason,
// except those that the operator has marked down.
func TestOutOfRotation(t *testing.T) {
	c := &probes.Cluster{Nodes: []probes.Node{{ID: "a"}, {ID: "b"}, {ID: "c", Down: true}, {ID: "d"}, {ID: "e"}}}
	node := func(id string, up bool, in checks.Tristate) checks.NodeReport {
		return checks.NodeReport{NodeObservation: &probes.NodeObservation{Node: id}, Up: up, InRotation: in}
	}
	var got []string
	for _, text := range OutOfRotation(c, checks.Report{Nodes: []checks.NodeReport{
		node("a", true, checks.Yes), node("b", true, checks.No), node("c", false, checks.No), node("d", false, checks.Unknown), node("e", true, checks.Unknown),
	}}) {
		got = append(got, text.String())
	}
	want := []string{"b (up, and the balancer sends it nothing)", "d (does not answer)"}
	expect.Equal(t, "out of rotation", want, got)
}
