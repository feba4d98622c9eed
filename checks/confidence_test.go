package checks_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// TestArithmetic tests how often an event must happen before chance explains it only
// once in a thousand rounds.
func TestArithmetic(t *testing.T) {
	for _, tc := range []struct{ nodes, followUps, freshClients int }{
		{2, 10, 10},
		{3, 7, 18},
		{4, 5, 25},
		{5, 5, 31},
		{10, 3, 66},
	} {
		share := 1 / float64(tc.nodes)
		if got := checks.FollowUps(share, 0.999); got != tc.followUps {
			t.Errorf("%d nodes: got %d follow-ups, want %d", tc.nodes, got, tc.followUps)
		}
		if got := checks.NewClients(share, 0.999); got != tc.freshClients {
			t.Errorf("%d nodes: got %d new clients, want %d", tc.nodes, got, tc.freshClients)
		}
	}
}

// TestArithmeticAtItsEdges tests probabilities for which chance cannot be excluded:
// they take one trial, or more than any round makes.
func TestArithmeticAtItsEdges(t *testing.T) {
	for _, tc := range []struct {
		name              string
		share, confidence float64
		want              int
	}{
		{"one node only", 1, 0.999, 1},
		{"no node", 0, 0.999, 1},
		{"no confidence asked for", 0.5, 0, 1},
		{"less than none", 0.5, -1, 1},
		{"nearly certain", 0.5, 1 - 1e-12, 40},
	} {
		expect.Equal(t, tc.name, tc.want, checks.FollowUps(tc.share, tc.confidence))
	}
	for _, confidence := range []float64{1, 2, math.Inf(1), math.NaN()} {
		if got := checks.FollowUps(0.5, confidence); got <= checks.MaxNewClients {
			t.Errorf("confidence %v: got %d, want more than anybody takes", confidence, got)
		}
	}
}

// TestTrialsAreTheFewest tests that the number of trials excludes chance, and that
// one fewer does not.
func TestTrialsAreTheFewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Float64Range(0.01, 0.99).Draw(t, "share")
		confidence := rapid.Float64Range(0.5, 0.99999).Draw(t, "confidence")
		n := checks.FollowUps(share, confidence)
		const slack = 1e-6 // of the logarithms
		if luck := math.Pow(share, float64(n)); luck > (1-confidence)*(1+slack) {
			t.Errorf("%d follow-ups: luck explains them %g, want at most %g", n, luck, 1-confidence)
		}
		if luck := math.Pow(share, float64(n-1)); n > 1 && luck < (1-confidence)*(1-slack) {
			t.Errorf("%d follow-ups, though %d would do", n, n-1)
		}
	})
}

func TestShares(t *testing.T) {
	nodes := []probes.Node{{ID: "a", Weight: 3}, {ID: "b", Weight: 1}, {ID: "c"}} // a missing weight is 1
	if got := checks.Share(nodes[0], nodes); got != 0.6 {
		t.Errorf("share of the heaviest: got %v, want 0.6", got)
	}
	if got := checks.Share(nodes[0], nil); got != 0 {
		t.Errorf("share among none: got %v, want 0", got)
	}
	all := map[string]bool{"a": true, "b": true, "c": true}
	for _, tc := range []struct {
		name, owner string
		metFailure  map[string]bool
		want        float64
	}{
		{"all were met, at the heaviest", "a", all, 0.6},
		{"all were met, at a light one", "b", all, 0.2},
		{"the two lighter ones were met", "b", map[string]bool{"b": true, "c": true}, 0.5},
		{"one address meets one node: the others might have answered", "b", map[string]bool{"b": true}, 0.2},
		{"the holder is not known", "", nil, 0.6},
		{"the holder is not listed", `"x"`, all, 0.6},
	} {
		if got := checks.ChanceOfStaying(tc.owner, nodes, tc.metFailure); got != tc.want {
			t.Errorf("luck when %s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestEligible(t *testing.T) {
	r := empty(5)
	r.Cluster.Nodes[1].Down = true
	r.Cluster.Nodes[2].Backup = true
	r.direct("node4", refused(testPage))
	r.say(probes.StatusReport{State: "paused"}, "node5")
	r.node("node5").Primary.Status = 503
	for _, tc := range []struct {
		name   string
		direct []probes.NodeObservation
		want   string
	}{
		{"as configured", nil, "node1 node4 node5"},
		{"as seen", r.Nodes, "node1 node5"},
		{"as seen, in another order", []probes.NodeObservation{r.Nodes[4], r.Nodes[3], r.Nodes[0]}, "node1 node5"},
		{"nothing seen", []probes.NodeObservation{}, ""},
	} {
		var got strings.Builder
		for i, n := range checks.Eligible(r.Cluster, tc.direct) {
			if i > 0 {
				got.WriteString(" ")
			}
			got.WriteString(n.ID)
		}
		if got.String() != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got.String(), tc.want)
		}
	}
}

func TestOracle(t *testing.T) {
	for _, tc := range []struct {
		method  probes.Method
		hashKey string
		want    bool
	}{
		{probes.MethodIPHash, "", true},
		{probes.MethodHash, "$remote_addr", true},
		{probes.MethodHash, "$http_x_user", true},
		{probes.MethodHash, "", false},
		{probes.MethodCookie, "", false},
		{probes.MethodRoundRobin, "", false},
		{probes.MethodLeastConn, "", false},
		{probes.MethodRandom, "", false},
		{probes.MethodUnknown, "", false},
	} {
		c := cluster(3)
		c.Balancer.Method, c.Balancer.HashKey = tc.method, tc.hashKey
		if _, got := checks.Oracle(c); got != tc.want {
			t.Errorf("%s %s: computed %v, want %v", tc.method, tc.hashKey, got, tc.want)
		}
	}
}
