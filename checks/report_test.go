package checks_test

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestSessionReport tests whether sessions stick, whether nodes share them, and with
// what confidence.
func TestSessionReport(t *testing.T) {
	for _, tc := range []struct {
		name       string
		round      func() *round
		sticky     checks.Tristate
		confidence float64
		shared     checks.Tristate
		fresh      int
	}{
		{"seven follow-ups on three nodes", healthy, checks.Yes, 1 - math.Pow(1./3, 7), checks.Unknown, 3},
		{"ten on two", func() *round { return hashed(2) }, checks.Yes, 1 - math.Pow(.5, 10), checks.Unknown, 2},
		{"the heavier the node, the better its luck", changed(func(r *round) { r.Cluster.Nodes[0].Weight = 8 }), checks.Unknown, 1 - math.Pow(.8, 7), checks.Unknown, 3},
		{"a chain is as strong as its weakest link", changed(func(r *round) { r.Traces[1].Steps = r.Traces[1].Steps[:3] }), checks.Unknown, 1 - math.Pow(1./3, 2), checks.Unknown, 3},
		{"one move is no proof", changed(func(r *round) { r.Traces[0].Steps[4].Label = "node3" }), checks.Unknown, 1 - math.Pow(1./3, 6), checks.Unknown, 3},
		{"also where any node may answer", withPolicy(probes.PolicyShared, scattered), checks.No, 1, checks.Unknown, 3},
		{"by a split", splitWorker, checks.No, 1, checks.Unknown, 3},
		{"nothing followed", withPolicy(probes.PolicyNone, missing(4)), checks.Unknown, 0, checks.Unknown, 4},
		{"shared as far as was seen", withPolicy(probes.PolicyReplicated, changed(func(r *round) {
			r.present("node1", "node2", true)
			r.present("node2", "node3", true)
		})), checks.Yes, 1 - math.Pow(1./3, 7), checks.Yes, 3},
		{"not shared, if one does not know them", withPolicy(probes.PolicyReplicated, changed(func(r *round) {
			r.present("node1", "node2", true)
			r.present("node2", "node3", false)
		})), checks.Yes, 1 - math.Pow(1./3, 7), checks.No, 3},
		{"no session test", changed(func(r *round) { r.Cluster.Session = nil }), checks.Unknown, 0, checks.Unknown, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := checks.Judge(tc.round().Round).Session
			if s.Sticky != tc.sticky || math.Abs(s.Confidence-tc.confidence) > 1e-12 || s.Shared != tc.shared || s.NewClients != tc.fresh {
				t.Errorf("got sticky %s with %v, shared %s, %d new clients; want %s with %v, %s, %d",
					s.Sticky, s.Confidence, s.Shared, s.NewClients, tc.sticky, tc.confidence, tc.shared, tc.fresh)
			}
			if s.Reason.IsZero() {
				t.Error("got no reason")
			}
		})
	}
}

// TestInRotation tests the rotation of each node, and the reason.
func TestInRotation(t *testing.T) {
	type says map[string]checks.Tristate
	for _, tc := range []struct {
		name  string
		round func() *round
		want  says
	}{
		{"all were met", healthy, says{"node1": checks.Yes, "node2": checks.Yes, "node3": checks.Yes}},
		{"one is ejected", func() *round { return hashed(3, 1) }, says{"node1": checks.Yes, "node2": checks.No, "node3": checks.Yes}},
		{"one is ejected by one of two addresses", twoAddresses(1), says{"node1": checks.Yes, "node2": checks.Yes, "node3": checks.Yes}},
		{"one is down", changed(func(r *round) { r.down("node2") }), says{"node1": checks.Yes, "node2": checks.Unknown, "node3": checks.Yes}},
		{"one is marked down, one a backup", from(missing(1), func(r *round) {
			r.Cluster.Nodes[1].Down, r.Cluster.Nodes[2].Backup = true, true
		}), says{"node1": checks.Yes, "node2": checks.No, "node3": checks.Unknown}},
		{"a backup serves", from(missing(2), func(r *round) { r.Cluster.Nodes[2].Backup = true }), says{"node1": checks.Yes, "node2": checks.Unknown, "node3": checks.Yes}},
		{"no clients", threeNodes, says{"node1": checks.Unknown, "node2": checks.Unknown, "node3": checks.Unknown}},
		{"errors are no service", from(threeNodes, func(r *round) { r.visit("node1").Steps[0].Status = 502 }), says{"node1": checks.Unknown, "node2": checks.Unknown, "node3": checks.Unknown}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := says{}
			for _, n := range checks.Judge(tc.round().Round).Nodes {
				got[n.Node] = n.InRotation
				if n.Rotation.IsZero() {
					t.Errorf("%s: no reason is given", n.Node)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("in rotation (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCanaries tests the canaries of a report, in the order of their nodes.
func TestCanaries(t *testing.T) {
	r := empty(2)
	r.Cluster.Balancer.Method = probes.MethodIPHash
	r.visit("node2", "node2", "10.0.0.9:80", "")
	r.visit("node1") // without follow-ups: no canary
	tr := r.visit("node1", "node1")
	tr.Client, tr.TargetNode = "198.18.1.1", "node1"
	refusedTrace := r.visit("")
	refusedTrace.Client, refusedTrace.TargetNode = "198.18.2.1", "node2"
	refusedTrace.Steps[0].Exchange = refused(testPage)

	type canary struct {
		Pinned, Client string
		Nodes          []string
	}
	var got []canary
	for _, c := range checks.Judge(r.Round).Session.Canaries {
		shown := canary{Pinned: c.Pinned, Client: c.Client}
		for _, s := range c.Steps {
			shown.Nodes = append(shown.Nodes, s.Node)
		}
		if c.Balancer != lb.String() {
			t.Errorf("through %s, want %s", c.Balancer, lb)
		}
		got = append(got, shown)
	}
	want := []canary{
		{"node1", "198.18.1.1", []string{"node1", "node1"}},
		{"node2", "", []string{"node2", "node2", `"10.0.0.9:80"`, ""}},
		{"node2", "198.18.2.1", []string{""}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("canaries (-want +got):\n%s", diff)
	}
}

// TestDependencyReports tests that probes and reports of nodes are joined.
func TestDependencyReports(t *testing.T) {
	r := healthy()
	r.Dependencies = []probes.DependencyObservation{{Name: "Redis Server", Up: true}, {Name: "DB", Error: "connection refused"}}
	r.say(probes.StatusReport{State: "paused", Reason: "unavailable: redis server, Mail"}, "node1", "node3")
	want := []checks.DependencyReport{
		{Name: "Redis Server", Up: checks.Yes, ReportedBy: []string{"node1", "node3"}},
		{Name: "DB", Up: checks.No, Error: "connection refused"},
		{Name: "Mail", Up: checks.No, ReportedBy: []string{"node1", "node3"}},
	}
	if diff := cmp.Diff(want, checks.Judge(r.Round).Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

// TestEveryNodeIsReported tests that all nodes are reported in configuration order,
// observed or not.
func TestEveryNodeIsReported(t *testing.T) {
	r := healthy()
	slices.Reverse(r.Nodes)
	r.Nodes = r.Nodes[:2]
	var got []string
	for _, n := range checks.Judge(r.Round).Nodes {
		got = append(got, n.Node)
		if want := n.Node != "node1"; n.Up != want {
			t.Errorf("%s up: got %v, want %v", n.Node, n.Up, want)
		}
	}
	if want := []string{"node1", "node2", "node3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestIPv6 tests an address without a host name, and a prober with one of its own.
func TestIPv6(t *testing.T) {
	r := hashed(3, 1)
	v6 := netip.MustParseAddrPort("[2001:db8::10]:80")
	r.Balancers[0].Address = v6
	for w := range r.Traces {
		r.Traces[w].Balancer = v6
		for i := range r.Traces[w].Steps {
			r.Traces[w].Steps[i].LocalAddress = netip.MustParseAddr("2001:db8::77")
		}
	}
	if got, want := lines(checks.Judge(r.Round)), []string{"warning node_ejected/node2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// inferenceSpecs are rounds that suggest a wrong conclusion.
var inferenceSpecs = []spec{
	{
		name: "unknown method behind two addresses, each of which hashes our own: two draws, however many clients",
		round: method(probes.MethodUnknown, from(threeNodes, func(r *round) {
			r.through(otherLB)
			r.newClients(18, "node1")
			for range 18 {
				r.visit("node3").Balancer = otherLB
			}
		})),
	},
	{
		name: "an answer that no ejection explains: the nodes are not listed as the balancer has them",
		round: func() *round {
			r := hashed(3)
			r.Cluster.Nodes[0], r.Cluster.Nodes[1] = r.Cluster.Nodes[1], r.Cluster.Nodes[0]
			return r
		},
		want: []string{"info blind_spot/rotation"},
	},
	{
		name: "one of many nodes is missed by all clients that a round opens",
		round: func() *round {
			r := empty(30)
			for i := range checks.MaxNewClients {
				r.visit(r.Cluster.Nodes[i%29].ID)
			}
			return r
		},
		want: []string{"info blind_spot/rotation [node30]"},
	},
	{
		name: "a limit of the balancer's own, met by a session that it holds on a node that is well",
		round: from(threeNodes, func(r *round) {
			r.direct("node3", refused(testPage))
			r.visit(slices.Repeat([]string{"node2"}, 11)...)
			tr := r.visit(slices.Repeat([]string{"node1"}, 12)...)
			tr.Steps[5].Status, tr.Steps[5].Label, tr.Steps[5].Session = 503, "", ""
		}),
		want: []string{"warning balancer_error/http://shop.example (192.0.2.10:80)", "warning node_down/node3"},
	},
	{
		name: "every client is turned away, those of well nodes, too",
		round: func() *round {
			r := hashed(3)
			r.direct("node1", refused(testPage))
			r.Balancers[0].Primary = page(testPage, 502)
			for w := range r.Traces {
				r.Traces[w].Steps = r.Traces[w].Steps[:1]
				r.Traces[w].Steps[0].Exchange = page(testPage, 502)
			}
			return r
		},
		want: []string{"critical balancer_error/http://shop.example (192.0.2.10:80)", "warning node_down/node1"},
	},
}

// TestHeavyNode tests that a node with most clients keeps most of them by chance, while the
// session of the light node does not stay by chance: together they exclude it.
func TestHeavyNode(t *testing.T) {
	for _, tc := range []struct {
		weight     int
		confidence float64
		light      int // follow-ups of the light node's canary
	}{
		{100, checks.DefaultConfidence, 3},
		{9, 0.99999, 5},
		{9, 0.999999, 6},
		{4, 0.9999999999, 15},
	} {
		r := empty(2)
		r.Confidence, r.Cluster.Nodes[0].Weight = tc.confidence, tc.weight
		r.visit(slices.Repeat([]string{"node1"}, 1+checks.MaxFollowUps)...)
		r.visit(slices.Repeat([]string{"node2"}, 1+tc.light)...)
		report := checks.Judge(r.Round)
		if report.Session.Sticky != checks.Yes || report.Verdict != checks.Healthy {
			t.Errorf("%+v: got sticky %s (%s), %s, want yes and healthy", tc, report.Session.Sticky, report.Session.Reason, report.Verdict)
		}
	}
}

// TestStickySince tests that a round that slow nodes cut short keeps the conclusion of an earlier one, for
// some time, unless a client moved.
func TestStickySince(t *testing.T) {
	whole := healthy()
	past := checks.Judge(whole.Round).Timelines
	for _, tc := range []struct {
		name       string
		after      time.Duration
		confidence float64
		moves      bool
		want       checks.Tristate
	}{
		{"soon", time.Minute, checks.DefaultConfidence, false, checks.Yes},
		{"too late", time.Hour, checks.DefaultConfidence, false, checks.Unknown},
		{"with a higher confidence", time.Minute, 1 - 1e-9, false, checks.Unknown},
		{"a client moves", time.Minute, checks.DefaultConfidence, true, checks.Unknown},
	} {
		r := empty(3)
		for _, n := range r.Cluster.Nodes {
			r.visit(n.ID, n.ID, n.ID)
		}
		if tc.moves {
			r.visit("node1", "node2", "node1", "node3", "node2", "node1", "node2", "node3", "node2")
		}
		r.Past, r.Confidence = past, tc.confidence
		if got := checks.Judge(r.later(tc.after)).Session; got.Sticky != tc.want {
			t.Errorf("%s: got %s (%s), want %s", tc.name, got.Sticky, got.Reason, tc.want)
		}
	}
}

// TestUnlistedHolder tests that a session that an unlisted node opened has a holder,
// and may leave it.
func TestUnlistedHolder(t *testing.T) {
	r := healthy()
	r.visit(slices.Repeat([]string{"ghost"}, 8)...)
	report := checks.Judge(r.Round)
	if report.Session.Sticky != checks.Yes {
		t.Errorf("a client of an unlisted node keeps its session: got sticky %s (%s), want yes", report.Session.Sticky, report.Session.Reason)
	}
	r = healthy()
	r.visit("ghost", "node1", "node2", "ghost", "node1")
	r.visit("ghost")
	if report = checks.Judge(r.Round); report.Session.Sticky == checks.Yes {
		t.Errorf("a client of an unlisted node loses its session: got sticky yes (%s)", report.Session.Reason)
	}
}
