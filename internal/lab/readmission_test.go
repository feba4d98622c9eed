package lab

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

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
