package lab

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
)

// System D: Huozige's cluster of two applications, each with a port of its own
// on each of two machines, behind one port of nginx.

func TestHuozige(t *testing.T) {
	for _, tc := range []struct {
		name       string
		act        func(*huozige)
		appA, appB scenario
	}{
		{name: "healthy", appA: scenario{is: checks.Healthy}, appB: scenario{is: checks.Healthy}},
		{
			name: "one application server down",
			act: func(h *huozige) {
				h.a[1].Stop()
				h.b[1].Stop()
			},
			appA: scenario{want: []string{"node_down/server2"}, is: checks.Degraded},
			appB: scenario{want: []string{"node_down/server2"}, is: checks.Degraded},
		},
		{
			name: "an application is being deployed",
			act: func(h *huozige) {
				h.a[1].Change(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/app_a/", 404 })
			},
			// nginx passes a 4xx on, and counts it for nothing: every other user has it.
			appA: scenario{want: []string{"page_failing/server2"}, also: []checks.Code{checks.PageFailing}},
			appB: scenario{is: checks.Healthy},
		},
		{
			name: "both servers of one application down",
			act: func(h *huozige) {
				h.a[0].Stop()
				h.a[1].Stop()
			},
			appA: scenario{want: []string{"balancer_error", "node_down/server1", "node_down/server2"}, is: checks.Failing},
			appB: scenario{is: checks.Healthy},
		},
		{
			name: "versions differ",
			act:  func(h *huozige) { h.b[1].Change(func(f *demo.NodeFaults) { f.Version = "0.9.9" }) },
			appA: scenario{is: checks.Healthy},
			appB: scenario{want: []string{"version_skew"}},
		},
		{
			name: "a server's clock is wrong",
			act: func(h *huozige) {
				for _, n := range []*demo.Node{h.a[1], h.b[1]} {
					n.Change(func(f *demo.NodeFaults) { f.ClockOffset = time.Hour })
				}
			},
			appA: scenario{want: []string{"clock_skew"}, is: checks.Degraded},
			appB: scenario{want: []string{"clock_skew"}, is: checks.Degraded},
		},
		{
			name: "Redis down",
			act:  func(h *huozige) { h.redis.Stop() },
			appA: scenario{want: []string{"dependency_down/Redis"}, is: checks.Failing},
			appB: scenario{want: []string{"dependency_down/Redis"}, is: checks.Failing},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHuozige(t)
			if tc.act != nil {
				tc.act(h)
			}
			judgeScenario(t, tc.appA, h.probe("app_a"))
			judgeScenario(t, tc.appB, h.probe("app_b"))
		})
	}
}

// TestHuozigeClock: what is told of a server's clock are bounds, and the truth
// lies between them.
func TestHuozigeClock(t *testing.T) {
	t.Parallel()
	h := newHuozige(t)
	offsets := map[string]time.Duration{"server1": 0, "server2": -8 * time.Hour}
	h.a[1].Change(func(f *demo.NodeFaults) { f.ClockOffset = offsets["server2"] })
	report := h.probe("app_a")
	judgeScenario(t, scenario{want: []string{"clock_skew"}, is: checks.Degraded}, report)
	for _, n := range report.Nodes {
		if c, truth := n.Clock, offsets[n.Node]; c.Samples == 0 || c.Min > truth || c.Max < truth {
			t.Errorf("%s: got a clock that is off by %s to %s (%d samples), want bounds of %s", n.Node, c.Min, c.Max, c.Samples, truth)
		}
	}
}

// TestHuozigeDeploysWithoutEjection: a 4xx is an answer, however often it comes.
func TestHuozigeDeploysWithoutEjection(t *testing.T) {
	t.Parallel()
	h := newHuozige(t)
	h.a[1].Change(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/app_a/", 404 })
	h.visit("/app_a/", 100)
	h.a[1].Set(demo.NodeFaults{})
	if !h.reachesNode(h.a[1], 4) {
		t.Error("nginx has taken a node out for its 404s")
	}
	judgeScenario(t, scenario{is: checks.Healthy}, h.probe("app_a"))
}

// TestHuozigeEjects: thirty failed connections take a node out, which its guide
// would undo by a reload; nginx takes it back by itself after fail_timeout.
func TestHuozigeEjects(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for nginx's fail_timeout of 20 s")
	}
	t.Parallel()
	h := newHuozige(t)
	h.a[1].Stop()
	h.visit("/app_a/", 80) // every other one is tried on the node first
	if err := h.a[1].Start(); err != nil {
		t.Fatal(err)
	}
	if h.reachesNode(h.a[1], 20) {
		t.Fatal("the node still gets requests after 30 failures")
	}
	// Pages tell no node: nothing but the balancer's log shows the ejection.
	judgeScenario(t, scenario{is: checks.Healthy}, h.probe("app_a"))
	h.readsLog()
	report := h.probe("app_a")
	judgeScenario(t, scenario{want: []string{"node_ejected/server2"}}, report)
	wantEvidence(t, report, "by the balancer's evidence: nginx error log")

	deadline := time.Now().Add(time.Minute)
	for !h.reachesNode(h.a[1], 2) {
		if time.Now().After(deadline) {
			t.Fatal("the node is not taken back")
		}
		<-time.After(500 * time.Millisecond)
	}
	waitReadmitted(t, "server2", func() checks.Report { return h.probe("app_a") })
}

// reachesNode reports whether one of n further requests of users reaches a node.
func (h *huozige) reachesNode(node *demo.Node, n int) bool {
	const version = "met"
	old := node.Faults()
	node.Change(func(f *demo.NodeFaults) { f.Version = version })
	defer node.Set(old)
	return slices.Contains(h.visit("/app_a/", n), fmt.Sprintf("Version %s", version))
}
