package metrics

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"stickwatch/checks"
	"stickwatch/probes"
)

// reports are of one cluster that has a bit of everything, and of one of which
// nothing is known.
func reports() []checks.Report {
	answered := probes.Exchange{Status: 502}
	paused := &probes.StatusReport{State: "Paused", Reason: "no Redis"}
	clock := probes.ClockOffset{Min: -10 * time.Millisecond, Max: 20 * time.Millisecond, Samples: 2}
	return []checks.Report{{
		Cluster: "shop", Verdict: checks.Failing, Duration: 812 * time.Millisecond, Started: time.UnixMilli(1773489600250),
		Balancers: []probes.BalancerObservation{
			{URL: "http://10.0.0.9"},
			{URL: "http://10.0.0.9", Primary: answered}, // another address of the same
			{URL: "http://10.0.0.8", Primary: answered},
		},
		Nodes: []checks.NodeReport{
			{NodeObservation: probes.NodeObservation{Node: "node1", Status: paused, Clock: clock}, Up: true, InRotation: checks.Yes},
			{NodeObservation: probes.NodeObservation{Node: "node2", Status: &probes.StatusReport{State: "Running"}}, InRotation: checks.No},
			{NodeObservation: probes.NodeObservation{Node: "node3"}, InRotation: checks.Unknown},
		},
		Session:      checks.SessionReport{Sticky: checks.Yes},
		Dependencies: []checks.DependencyReport{{Name: "Redis Server", Up: checks.No}, {Name: "DB", Up: checks.Yes}, {Name: "NFS", Up: checks.Unknown}},
		Findings: []checks.Finding{
			{Code: checks.PageFailing, Severity: checks.Warning, Node: "node1", Target: "/app_a/"},
			{Code: checks.PageFailing, Severity: checks.Warning, Node: "node1", Target: "/app_b/"},
			{Code: checks.BalancerDown, Severity: checks.Critical},
		},
	}, {
		Cluster: "blog", Verdict: checks.Inconclusive, Started: time.UnixMilli(1773489600000),
	}}
}

const want = `# HELP stickwatch_balancer_up Whether every address of the balancer gives an HTTP answer.
# TYPE stickwatch_balancer_up gauge
stickwatch_balancer_up{balancer="http://10.0.0.8",cluster="shop"} 1
stickwatch_balancer_up{balancer="http://10.0.0.9",cluster="shop"} 0
# HELP stickwatch_clock_offset_seconds Bounds of the difference between the node's clock and ours.
# TYPE stickwatch_clock_offset_seconds gauge
stickwatch_clock_offset_seconds{bound="max",cluster="shop",node="node1"} 0.02
stickwatch_clock_offset_seconds{bound="min",cluster="shop",node="node1"} -0.01
# HELP stickwatch_dependency_up Whether the dependency works; absent when unknown.
# TYPE stickwatch_dependency_up gauge
stickwatch_dependency_up{cluster="shop",dependency="DB"} 1
stickwatch_dependency_up{cluster="shop",dependency="Redis Server"} 0
# HELP stickwatch_finding_active 1 for each finding that holds.
# TYPE stickwatch_finding_active gauge
stickwatch_finding_active{cluster="shop",code="balancer_down",node="",severity="critical"} 1
stickwatch_finding_active{cluster="shop",code="page_failing",node="node1",severity="warning"} 1
# HELP stickwatch_node_in_rotation Whether the balancer sends the node requests; absent when unknown.
# TYPE stickwatch_node_in_rotation gauge
stickwatch_node_in_rotation{cluster="shop",node="node1"} 1
stickwatch_node_in_rotation{cluster="shop",node="node2"} 0
# HELP stickwatch_node_state 1 for the state the node gives itself, 0 for paused when it is not.
# TYPE stickwatch_node_state gauge
stickwatch_node_state{cluster="shop",node="node1",state="paused"} 1
stickwatch_node_state{cluster="shop",node="node2",state="paused"} 0
stickwatch_node_state{cluster="shop",node="node2",state="running"} 1
# HELP stickwatch_node_up Whether the node answers when asked directly.
# TYPE stickwatch_node_up gauge
stickwatch_node_up{cluster="shop",node="node1"} 1
stickwatch_node_up{cluster="shop",node="node2"} 0
stickwatch_node_up{cluster="shop",node="node3"} 0
# HELP stickwatch_probe_success Whether the picture could be taken and nothing critical was found.
# TYPE stickwatch_probe_success gauge
stickwatch_probe_success{cluster="blog"} 0
stickwatch_probe_success{cluster="shop"} 0
# HELP stickwatch_round_duration_seconds How long the last round took.
# TYPE stickwatch_round_duration_seconds gauge
stickwatch_round_duration_seconds{cluster="blog"} 0
stickwatch_round_duration_seconds{cluster="shop"} 0.812
# HELP stickwatch_round_timestamp_seconds When the last round began, as a Unix time.
# TYPE stickwatch_round_timestamp_seconds gauge
stickwatch_round_timestamp_seconds{cluster="blog"} 1.7734896e+09
stickwatch_round_timestamp_seconds{cluster="shop"} 1.77348960025e+09
# HELP stickwatch_session_sticky Whether sessions stay on their node; absent when unknown.
# TYPE stickwatch_session_sticky gauge
stickwatch_session_sticky{cluster="shop"} 1
`

func TestWrite(t *testing.T) {
	var got bytes.Buffer
	if err := Write(&got, reports()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestRegistryIsClean(t *testing.T) {
	problems, err := testutil.GatherAndLint(Registry(reports()))
	if err != nil {
		t.Fatal(err)
	}
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
	if err := Write(&got, r); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(got.String()) {
		if !strings.HasPrefix(line, "stickwatch_") && !strings.HasPrefix(line, "# ") || len(line) > 300 {
			t.Errorf("a label broke out: %.60q", line)
		}
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("unprintable: %q", line)
		}
	}
}
