package metrics

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// TestRestore: counters continue after a restart.
func TestRestore(t *testing.T) {
	saved := fixture().Counters()
	if len(saved) < 20 {
		t.Fatalf("got %d counters, want those of the world", len(saved))
	}
	l := New(Build{})
	l.Restore(saved, []string{"shop"})
	if diff := cmp.Diff(saved, l.Counters()); diff != "" {
		t.Errorf("counters, saved and restored (-/+):\n%s", diff)
	}
	l.Notified("ops", Delivered)
	if got := l.Counters()[`["stickwatch_notifications_total","ops","delivered"]`]; got != 2 {
		t.Errorf("got %v deliveries, want 2", got)
	}
}

func TestRestoreLeavesOut(t *testing.T) {
	l := New(Build{})
	l.Restore(map[string]float64{
		`["stickwatch_incidents_total","gone","slow"]`:           1,
		`["stickwatch_incidents_total","shop"]`:                  1,
		`["stickwatch_renamed_total","shop","slow"]`:             1,
		`["stickwatch_incidents_total","shop","slow"]`:           -1,
		`["stickwatch_incidents_total","shop","node_down"]`:      math.NaN(),
		`stickwatch_incidents_total{cluster="shop",code="slow"}`: 1,
		`[]`: 1, `null`: 1, ``: 1, `[1]`: 1,
		`["stickwatch_incidents_total","shop","balancer_down"]`: 3,
	}, []string{"shop"})
	want := map[string]float64{`["stickwatch_incidents_total","shop","balancer_down"]`: 3}
	expect.Equal(t, "counters", want, l.Counters())
}

// TestCardinality: excess values from a target become "other".
func TestCardinality(t *testing.T) {
	l := New(Build{})
	report := reports()[0]
	for i := range 3 * maxLabelValues {
		made := fmt.Sprintf("v%d", i)
		report.Nodes[0].Version = made
		report.Nodes[1].Status = &probes.StatusReport{State: made}
		l.Observe(report)
		testutil.CollectAndCount(l.latestRounds)
		l.Sample(checks.Sample{Target: checks.Target{Cluster: "shop", Kind: checks.TargetBalancer, Name: made}, OK: true}, probes.Timing{}, "")
		l.Move(checks.Move{Cluster: "shop", From: "node1", To: strconv.Quote(made)})
	}
	got := exposition(t, metricFamilies(t, l))
	for _, folded := range []string{
		`stickwatch_node_info{cluster="shop",node="node1",version="other"} 1`,
		`stickwatch_node_state{cluster="shop",node="node2",state="other"} 1`,
		`stickwatch_probes_total{cluster="shop",probe="balancer",result="ok",target="other"} 1000`,
		`stickwatch_session_moves_total{cluster="shop",from="node1",session="lost",to="other"} 1500`,
	} {
		if !strings.Contains(got, folded+"\n") {
			t.Errorf("%s is missing", folded)
		}
	}
	if n := testutil.CollectAndCount(l.counters.probes); n != maxLabelValues+1 {
		t.Errorf("got %d series of probes, want %d", n, maxLabelValues+1)
	}
	again := New(Build{})
	again.Restore(l.Counters(), []string{"shop"})
	again.Sample(checks.Sample{Target: checks.Target{Cluster: "shop", Name: "new"}, OK: true}, probes.Timing{}, ProbeNode)
	if n := testutil.CollectAndCount(again.counters.probes); n > maxLabelValues+2 {
		t.Errorf("got %d series of probes after a restart, want the bound to hold", n)
	}
}

// requestsOf returns the counted requests of a cluster as "balancer node outcome".
func requestsOf(l *Live, cluster string) map[string]float64 {
	counted := make(map[string]float64)
	for m := range seriesOf(l.counters.requests) {
		if v := clientRequests.values(m); v[0] == cluster {
			counted[strings.Join(v[1:], " ")] = m.GetCounter().GetValue()
		}
	}
	return counted
}

// TestRequestsBeginAtZero: the first error of a client is an increase.
func TestRequestsBeginAtZero(t *testing.T) {
	l := New(Build{})
	l.Request(checks.Request{Cluster: "shop", Balancer: "b", Node: "node1", Outcome: checks.OutcomeServed})
	want := map[string]float64{"b node1 served": 1}
	for _, o := range checks.Outcomes {
		if o != checks.OutcomeServed {
			want["b node1 "+string(o)] = 0
		}
	}
	expect.Equal(t, "requests", want, requestsOf(l, "shop"))
}

// TestRequestsOfNodesThatLeft: a node that left the configuration loses its series. Other
// nodes and clusters keep theirs.
func TestRequestsOfNodesThatLeft(t *testing.T) {
	l := New(Build{})
	for _, cluster := range []string{"shop", "blog"} {
		for _, node := range []string{"node1", "node2", "", `"stranger"`} {
			l.Request(checks.Request{Cluster: cluster, Balancer: "b", Node: node, Outcome: checks.OutcomeMoved})
		}
	}
	l.Retain(map[string][]string{"shop": {"node2", "node3"}})
	for name, want := range map[string]float64{"b node2 moved": 1, "b  moved": 1, "b other moved": 1, "b node1 moved": 0} {
		if got := requestsOf(l, "shop")[name]; got != want {
			t.Errorf("shop, %q: got %v, want %v", name, got, want)
		}
	}
	if _, kept := requestsOf(l, "shop")["b node1 served"]; kept {
		t.Error("node1 of the shop has series yet")
	}
	if got := requestsOf(l, "blog")["b node1 moved"]; got != 1 {
		t.Errorf("node1 of the blog: got %v, want 1", got)
	}
}

// TestRequestLabelsAreBounded: names from targets and unknown outcomes are bounded.
func TestRequestLabelsAreBounded(t *testing.T) {
	l := New(Build{})
	for i := range 3 * maxLabelValues {
		l.Request(checks.Request{
			Cluster: "shop", Balancer: fmt.Sprintf("b%d\x1b\u202e", i), Node: fmt.Sprintf("node%d", i), Outcome: checks.Outcome(fmt.Sprintf("outcome%d", i)),
		})
	}
	if got, most := testutil.CollectAndCount(l.counters.requests), (maxLabelValues+1)*(len(checks.Outcomes)+1); got > most {
		t.Errorf("got %d series, want at most %d", got, most)
	}
	for name := range requestsOf(l, "shop") {
		if strings.ContainsAny(name, "\x1b\u202e") || strings.Contains(name, "outcome") {
			t.Errorf("got the labels %q", name)
		}
	}
}
