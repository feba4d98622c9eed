package metrics

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"stickwatch/checks"
)

// requestsOf are the counted requests of a cluster as "balancer node outcome".
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
	if diff := cmp.Diff(want, requestsOf(l, "shop")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestRequestsOfNodesThatLeft: a node that left the configuration has no series,
// and neither its cluster's other nodes nor other clusters lose theirs.
func TestRequestsOfNodesThatLeft(t *testing.T) {
	l := New(Build{})
	for _, cluster := range []string{"shop", "blog"} {
		for _, node := range []string{"node1", "node2", "", `"stranger"`} {
			l.Request(checks.Request{Cluster: cluster, Balancer: "b", Node: node, Outcome: checks.OutcomeMoved})
		}
	}
	l.Retain("shop", []string{"node2", "node3"})
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

// TestRequestLabelsAreBounded, whatever a target calls itself or a caller an
// outcome.
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
