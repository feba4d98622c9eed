package lab

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// System A: Weaver e-Bridge behind nginx with ip_hash and the server block of its
// cluster manual.

// TestEBridgeSessions tests sessions in each node's memory, and in both stores of the
// manual. With a store, stickiness is still judged, and the policy shared is met.
func TestEBridgeSessions(t *testing.T) {
	roundRobin := startNginx(NginxConfig{})
	for _, tc := range []struct {
		name  string
		store func(testing.TB) demo.Store
	}{
		{"memory", func(testing.TB) demo.Store { return nil }},
		{"mariadb", func(tb testing.TB) demo.Store { return newMariaDBStore(tb, MariaDB(tb)) }},
		{"redis", func(tb testing.TB) demo.Store { return newRedisStore(tb, Redis(tb)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := tc.store(t)
			for _, front := range []front{fromManual("error"), ebridgeFront()} {
				report := newRig(t, front, plan{profile: "ebridge", store: store}).probe()
				judgeScenario(t, scenario{is: checks.Healthy}, report)
				if report.Session.Sticky != checks.Yes {
					t.Errorf("%s: sticky: got %s: %s", front.name, report.Session.Sticky, report.Session.Reason)
				}
			}
			if store == nil {
				return
			}
			// "If ip_hash cannot be had, persist the sessions": any node may answer.
			front := front{name: "nginx round robin", method: probes.MethodRoundRobin, start: roundRobin}
			r := newRig(t, front, plan{profile: "ebridge", store: store, policy: probes.PolicyShared})
			judgeScenario(t, scenario{is: checks.Healthy}, r.probe())
		})
	}
}

// TestEBridgeSeesOneNode: for the manual's nginx a prober is a single client. The
// report names the nodes that it cannot see, and how to change that.
func TestEBridgeSeesOneNode(t *testing.T) {
	t.Parallel()
	r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
	report := r.probe()
	judgeScenario(t, scenario{want: []string{"blind_spot"}, is: checks.Healthy}, report)
	for _, f := range report.Findings {
		if slices.Contains(f.Nodes, r.ourNode()) || len(f.Nodes) != 2 {
			t.Errorf("%v are reported as not visible, want all but %s", f.Nodes, r.ourNode())
		}
		if want := "set_real_ip_from 127.0.0.1; real_ip_header " + clientHeader; !strings.Contains(f.Remedy.String(), want) {
			t.Errorf("got remedy %q, want %q in it", f.Remedy, want)
		}
	}
}

// TestEBridgeStoreGone: nodes without their session store answer errors. The cause is
// the store, not the nodes.
func TestEBridgeStoreGone(t *testing.T) {
	t.Parallel()
	redis := Redis(t)
	r := newRig(t, fromManual("error"), plan{profile: "ebridge", store: newRedisStore(t, redis)})
	r.cluster.Dependencies = []probes.Dependency{{Name: "Redis", URL: parse(t, redis.URL())}}
	redis.Stop()
	report := r.probe()
	judgeScenario(t, scenario{
		want: []string{"dependency_down/Redis"},
		also: []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.BalancerError},
	}, report)
	redis.Start()
	judgeScenario(t, scenario{}, r.probe())
}

// TestEBridgeDefaultEjection: one failure ejects for ten seconds. A round within them must
// report it, a later round must not.
func TestEBridgeDefaultEjection(t *testing.T) {
	t.Run("any node, by a header", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, ebridgeFront(), plan{profile: "ebridge"})
		r.eject("node2")
		report := r.probe()
		judgeScenario(t, scenario{want: []string{"node_ejected/node2"}}, report)
		wantEvidence(t, report, "ip_hash sends to it")
		waitReadmitted(t, "node2", func() checks.Report { return r.probe() })
	})
	t.Run("as in the manual, any node, by the log", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, fromManual("warn"), plan{profile: "ebridge"})
		nginxLog(r.front.(ebridgeNginx).NginxBalancer, &r.cluster.Balancer.Evidence, t)
		other := r.cluster.Nodes[(1+slices.IndexFunc(r.cluster.Nodes, func(n probes.Node) bool { return n.ID == r.ourNode() }))%3].ID
		r.fail(other)
		report := r.probe()
		judgeScenario(t, scenario{want: []string{"node_ejected/" + other}}, report)
		wantEvidence(t, report, "error log")
		waitReadmitted(t, other, func() checks.Report { return r.probe() })
	})
	t.Run("as in the manual, our node, by our own address", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
		w := r.startWatcher(monitor.Intervals{})
		owner := r.ourNode()
		r.fail(owner)
		w.FollowUp(t.Context())
		report := w.Snapshot().Report
		// The node is healthy when it is probed, and its client has lost its session.
		judgeScenario(t, scenario{want: []string{"node_ejected/" + owner}, also: []checks.Code{checks.SessionLost}}, report)
		wantEvidence(t, report, "ip_hash sends our own address to it")
		waitReadmitted(t, owner, func() checks.Report {
			w.FollowUp(t.Context())
			return w.Snapshot().Report
		})
	})
	t.Run("as in the manual, and its log hides it", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
		nginxLog(r.front.(ebridgeNginx).NginxBalancer, &r.cluster.Balancer.Evidence, t)
		other := r.cluster.Nodes[(1+slices.IndexFunc(r.cluster.Nodes, func(n probes.Node) bool { return n.ID == r.ourNode() }))%3].ID
		r.fail(other)
		report := r.probe()
		judgeScenario(t, scenario{want: []string{"blind_spot"}, is: checks.Healthy}, report)
		for _, n := range report.Nodes {
			if want := checks.Unknown; n.Node == other && n.InRotation != want {
				t.Errorf("%s in rotation: got %s (%s), want %s: silence proves nothing", other, n.InRotation, n.Rotation, want)
			}
		}
	})
}

// wantEvidence checks that a source is in the evidence of an ejection.
func wantEvidence(t *testing.T, report checks.Report, evidenceReader string) {
	t.Helper()
	for _, f := range report.Findings {
		if text := evidenceOf(f); f.Code == checks.NodeEjected && !strings.Contains(text, evidenceReader) {
			t.Errorf("got evidence %q, want %q in it", f.Evidence, evidenceReader)
		}
	}
}

// waitReadmitted takes rounds until the cluster is healthy again: nginx sends one
// request when more than fail_timeout has passed. Until then the node is out, and
// nothing else may be found.
func waitReadmitted(t *testing.T, id string, look func() checks.Report) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		report := look()
		if report.Verdict == checks.Healthy {
			return
		}
		other := slices.ContainsFunc(report.Findings, func(f checks.Finding) bool {
			return f.ExplainedBy == "" && f.Severity.AtLeast(checks.Warning) && f.Key() != "node_ejected/"+id
		})
		if other || time.Now().After(deadline) { // a round during the readmission may be inconclusive
			t.Fatalf("on the way back: %s", formatReport(report))
		}
		select {
		case <-t.Context().Done():
			t.Fatal("interrupted")
		case <-tick.C:
		}
	}
}

// TestEBridgeDuplicate: "the value of nodeId must be unique".
func TestEBridgeDuplicate(t *testing.T) {
	t.Parallel()
	r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
	r.change("node2", func(f *demo.NodeFaults) { f.ID = "node1" })
	judgeScenario(t, scenario{want: []string{"duplicate_node_id"}}, r.probe())
}
