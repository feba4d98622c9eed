package metrics

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestCardinality: what a target makes up ends in "other", whatever it takes.
func TestCardinality(t *testing.T) {
	l := New(Build{})
	report := reports()[0]
	for i := range 3 * maxLabelValues {
		made := fmt.Sprintf("v%d", i)
		report.Nodes[0].Version = made
		report.Nodes[1].Status = &probes.StatusReport{State: made}
		l.Observe(report)
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
