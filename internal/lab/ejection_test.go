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
	"stickwatch/probes/evidence"

	"github.com/google/go-cmp/cmp"
)

// TestEjectionBetweenRounds: nginx ejects a node for a second or two and readmits it
// between two rounds. The error log, read on from its last position, contains the
// ejection.
func TestEjectionBetweenRounds(t *testing.T) {
	t.Parallel()
	damping := checks.Damping{Appear: 2, Vanish: 2}
	for _, tc := range []struct {
		name, front, profile string
		failTimeout          time.Duration
	}{
		{"ip_hash", "nginx ip_hash", "ebridge", time.Second},
		{"ip_hash of one address", "nginx ip_hash, one address", "ebridge", 2 * time.Second},
		{"round robin", "nginx round robin", "huozige", 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := fronts[slices.IndexFunc(fronts, named(tc.front))]
			r := newRig(t, f, plan{profile: tc.profile, shared: true, front: frontPlan{failTimeout: tc.failTimeout}})
			r.cluster.Balancer.FailTimeout = tc.failTimeout
			nginxLog(r.front, &r.cluster.Balancer.Evidence, t)
			w := r.startWatcher(monitor.Intervals{Damping: damping})
			if diff := cmp.Diff([]string(nil), w.changes); diff != "" {
				t.Fatalf("changes at first (-want +got):\n%s", diff)
			}
			r.failFor("node2")
			awaitReadmission(t, r)

			for range 4 {
				w.Refresh(t.Context(), monitor.Status)
			}
			if diff := cmp.Diff([]string{"appeared node_ejected/node2"}, w.changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s%s", diff, formatReport(w.Snapshot().Report))
			}
			wantEvidence(t, w.Snapshot().Report, "was out from")
			wantEvidence(t, w.Snapshot().Report, "nginx error log")
			for _, n := range w.Snapshot().Report.Nodes {
				if n.InRotation == checks.No {
					t.Errorf("%s is reported as out: %s", n.Node, n.Rotation)
				}
			}
		})
	}
}

// TestRecoveryBetweenRounds: HAProxy's checks find a node down and up again between two
// rounds. Its statistics contain the time of the last change.
func TestRecoveryBetweenRounds(t *testing.T) {
	t.Parallel()
	f := front{name: "haproxy with checks", method: probes.MethodRoundRobin, start: func(tb testing.TB, nodes []*demo.Node, _ plan) frontend {
		c := HAProxyConfig{CheckPath: "/status"}
		for _, n := range nodes {
			c.Servers = append(c.Servers, Server{Name: n.ID(), Addr: n.Addr(), FailTimeout: time.Second}) // a busy machine fails no check
		}
		return HAProxy(tb, c)
	}}
	r := newRig(t, f, plan{profile: "tomcat-msm", shared: true})
	haproxyStats(r.front, &r.cluster.Balancer.Evidence, t)
	w := r.startWatcher(monitor.Intervals{Damping: checks.Damping{Appear: 2, Vanish: 2}})
	if report := w.Snapshot().Report; report.Verdict != checks.Healthy {
		t.Fatalf("at first: %s", formatReport(report))
	}
	began := time.Now()
	r.stop("node2")
	await(t, "down, and for a while", func() bool {
		return statuses(t, r.front.(*HAProxyBalancer).StatsURL())["node2"] == "DOWN" && time.Since(began) > 5*time.Second
	})
	r.start("node2")
	await(t, "up", func() bool { return statuses(t, r.front.(*HAProxyBalancer).StatsURL())["node2"] == "UP" })
	for range 3 {
		w.Refresh(t.Context(), monitor.Status)
	}
	if diff := cmp.Diff([]string{"appeared node_ejected/node2"}, w.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s%s", diff, formatReport(w.Snapshot().Report))
	}
	wantEvidence(t, w.Snapshot().Report, "by the balancer's evidence: haproxy")
}

// failFor makes nginx eject a node by a user's request, whatever the method.
func (r *rig) failFor(id string) {
	r.tb.Helper()
	if r.cluster.Balancer.Method == probes.MethodIPHash {
		r.fail(id)
		return
	}
	r.eject(id)
}

// awaitReadmission waits until nginx uses all servers again and no evidence of the
// ejection can be left.
func awaitReadmission(t *testing.T, r *rig) {
	t.Helper()
	await(t, "readmitted", func() bool {
		obs := errorLog(t, r.cluster.Balancer.Evidence.NginxErrorLog, time.Now(),
			evidence.NginxOptions{FailTimeout: r.cluster.Balancer.FailTimeout})
		return len(obs.Servers) > 0 && !slices.ContainsFunc(obs.Servers, func(s probes.ServerEvidence) bool { return s.State != probes.ServerUp })
	})
}

// TestWatchedEjections ejects and readmits one node after the other during continuous
// rounds. Clients move twice each time, which is neither drift nor a split balancer.
func TestWatchedEjections(t *testing.T) {
	for _, tc := range []struct{ name, front, profile string }{
		{"ip_hash", "nginx ip_hash", "ebridge"},
		{"ip_hash, 4 workers", "nginx ip_hash, 4 workers", "ebridge"},
		{"ip_hash of one address", "nginx ip_hash, one address", "ebridge"},
		{"ip_hash, sessions replicated", "nginx ip_hash", "tomcat"},
		{"round robin, sessions shared", "nginx round robin", "tomcat-msm"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := fronts[slices.IndexFunc(fronts, named(tc.front))]
			r := newRig(t, f, plan{profile: tc.profile, shared: tc.profile != "ebridge", front: frontPlan{failTimeout: time.Second}})
			r.cluster.Balancer.FailTimeout = time.Second
			w := r.startWatcher(monitor.Intervals{Damping: checks.Damping{Appear: 2, Vanish: 2}})
			turns := []string{"node2", "node1", "node3", "node2"}
			if f.narrow {
				turns = slices.Repeat([]string{r.ourNode()}, 3)
			}
			for _, id := range turns {
				r.failFor(id)
				failed := time.Now()
				await(t, "well again", func() bool {
					w.FollowUp(t.Context())
					return time.Since(failed) > 3*time.Second && w.Snapshot().Report.Verdict == checks.Healthy
				})
			}
			for _, change := range w.changes {
				ejection := strings.Contains(change, "node_ejected/")
				cost := strings.Contains(change, "session_lost/after a move") || strings.Contains(change, "sessions lost") || strings.Contains(change, "node_restarted/")
				if !ejection && !cost {
					t.Errorf("change %q, among %q", change, w.changes)
				}
			}
		})
	}
}

// TestProbeAtReadmission: the first request after fail_timeout is a trial, and until it
// ends other requests avoid the node. The trial is often stickwatch's own, so that a
// round sees both; that is neither drift nor a split.
func TestProbeAtReadmission(t *testing.T) {
	t.Parallel()
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{profile: "ebridge", front: frontPlan{failTimeout: time.Second}})
	r.cluster.Balancer.FailTimeout = time.Second
	nginxLog(r.front, &r.cluster.Balancer.Evidence, t)
	for _, id := range []string{"node2", "node1", "node3", "node2", "node1"} {
		r.failFor(id)
		awaitReadmission(t, r)
		for range 2 {
			judgeScenario(t, scenario{also: []checks.Code{checks.NodeEjected}}, r.probe())
		}
	}
}
