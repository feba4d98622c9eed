package lab

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
	"stickwatch/probes/evidence"
)

// TestEjectionBetweenRounds: nginx ejects a node for a second or two, and has it
// back before anybody looks. Its error log is read on from where it was read
// before, and tells.
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
			if diff := cmp.Diff([]string(nil), w.told); diff != "" {
				t.Fatalf("told at first (-want +got):\n%s", diff)
			}
			r.failFor("node2")
			awaitReadmission(t, r)

			for range 4 {
				w.Refresh(t.Context(), monitor.Status)
			}
			if diff := cmp.Diff([]string{"appeared node_ejected/node2"}, w.told); diff != "" {
				t.Errorf("told (-want +got):\n%s%s", diff, formatReport(w.Snapshot().Report))
			}
			wantEvidence(t, w.Snapshot().Report, "was out from")
			wantEvidence(t, w.Snapshot().Report, "nginx error log")
			for _, n := range w.Snapshot().Report.Nodes {
				if n.InRotation == checks.No {
					t.Errorf("%s is told to be out: %s", n.Node, n.Rotation)
				}
			}
		})
	}
}

// TestComebackBetweenRounds: HAProxy's checks find a node down and up again
// before anybody looks. Its statistics tell since when it is up.
func TestComebackBetweenRounds(t *testing.T) {
	t.Parallel()
	f := front{name: "haproxy with checks", method: probes.MethodRoundRobin, start: func(tb testing.TB, nodes []*demo.Node, _ plan) frontend {
		c := HAProxyConfig{CheckPath: "/status"}
		for _, n := range nodes {
			c.Servers = append(c.Servers, Server{Name: n.ID(), Addr: n.Addr()})
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
	if diff := cmp.Diff([]string{"appeared node_ejected/node2"}, w.told); diff != "" {
		t.Errorf("told (-want +got):\n%s%s", diff, formatReport(w.Snapshot().Report))
	}
	wantEvidence(t, w.Snapshot().Report, "by the balancer's evidence: haproxy")
}

// failFor has nginx eject a node by a user's request, whatever the method.
func (r *rig) failFor(id string) {
	r.tb.Helper()
	if r.cluster.Balancer.Method == probes.MethodIPHash {
		r.fail(id)
		return
	}
	r.eject(id)
}

// awaitReadmission returns when nginx has all servers back, and nobody could
// still see that one was out.
func awaitReadmission(t *testing.T, r *rig) {
	t.Helper()
	await(t, "readmitted", func() bool {
		obs := evidence.NginxErrorLog(t.Context(), r.cluster.Balancer.Evidence.NginxErrorLog, time.Now(),
			evidence.NginxOptions{FailTimeout: r.cluster.Balancer.FailTimeout})
		return len(obs.Servers) > 0 && !slices.ContainsFunc(obs.Servers, func(s probes.ServerEvidence) bool { return s.State != probes.ServerUp })
	})
}
